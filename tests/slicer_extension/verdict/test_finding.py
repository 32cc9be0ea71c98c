"""The verdict card: its heading and its figures say one thing, and follow every correction."""

from dataclasses import replace

import pytest
from tests.slicer_extension.cases import measured, screened

from pneumoscreen.case import Case, LungInfo
from pneumoscreen.evidence import Calibration
from pneumoscreen.verdict import Infection, decide
from PneumoScreenLib.reading.reading import Reading
from PneumoScreenLib.verdict.finding import affected_in_words, heading, type_in_words, what_would_decide
from PneumoScreenLib.verdict.report_sentence import sentence

ONE = [("covid19", 0.9)]
BOTH = [("covid19", 0.9), ("influenza_a", 0.9)]
NONE = [("irrelevant", 1.0)]


@pytest.mark.parametrize(
    ("opinions", "probability", "said"),
    [
        (BOTH, 0.97, "Infection found (97 %), type undecided"),
        (BOTH, None, "Infection found, type undecided"),
        (ONE, 0.97, "Infection found (97 %): COVID-19"),
        (ONE, 0.3, "Infection doubtful (30 %): COVID-19"),
        (NONE, 0.03, "No infection found"),
        (NONE, 0.6, "No region counts, infection possible (60 %)"),
    ],
)
def test_the_heading_names_infection_and_type(
    opinions: list[tuple[str, float]], probability: float | None, said: str
) -> None:
    infection = None if probability is None else Infection(probability, "84 cases")
    verdict = replace(decide(opinions), infection=infection)
    assert heading(verdict) == said
    assert ("Confidence in the type" in type_in_words(verdict)) is (verdict.rule == "single")


def undecided(surest: float = 0.9) -> Reading:
    """Two regions of one type, one of another, equally sure."""
    regions = [replace(region, infected_ml=5.0) for region in measured().regions]
    opinions = {"r4": ("covid19", surest), "r6": ("covid19", 0.5), "r3": ("influenza_a", 0.9)}
    kept = [
        replace(region, label=opinions[region.id][0], confidence=opinions[region.id][1], patches=())
        for region in regions
        if region.id in opinions
    ]
    return Reading(screened(regions=tuple(kept)), reader="dr-a")


def test_what_would_decide_names_the_regions_and_is_right() -> None:
    reading = undecided()
    assert reading.case.verdict is not None and not reading.case.verdict.decided
    said = what_would_decide(reading.case, reading.numbers)
    number = reading.numbers["r3"]
    assert said == (f"What would decide it: look at region {number} (Influenza-A). Without it the type is COVID-19.")
    reading.mark("r3", "irrelevant")
    assert reading.case.verdict.decided and reading.case.verdict.label == "covid19"
    assert what_would_decide(reading.case, reading.numbers) == ""


def test_no_reader_is_sent_to_a_region_that_was_read() -> None:
    reading = undecided(surest=1.0)
    reading.mark("r3", "influenza_a")
    said = what_would_decide(reading.case, reading.numbers)
    named = f"region {reading.numbers['r4']} (COVID-19)"
    assert said == f"What would decide it: look at {named}. Without it the type is Influenza-A."
    reading.mark("r4", "covid19")
    assert what_would_decide(reading.case, reading.numbers) == (
        f"It hangs on what has been read: without region {reading.numbers['r3']} (Influenza-A) the type is COVID-19."
    )


def test_lungs_are_the_patients() -> None:
    assert affected_in_words(screened()) == "Affected: right lung 0.0 %, left lung 3.1 %"
    assert affected_in_words(screened(lungs={})) == ""


def test_the_affected_share_follows_and_says_what_is_not_measured() -> None:
    reading = Reading(replace(measured(), lungs={"left": LungInfo(1000.0, 0.0)}), reader="dr-a")
    assert affected_in_words(reading.case) == "Affected: left lung 2.2 %"
    reading.mark("r4", "irrelevant")
    assert affected_in_words(reading.case) == "Affected: left lung 1.0 %"
    reading.add((70.0, 0.0, -150.0), (10.0, 10.0, 10.0), "covid19")
    assert affected_in_words(reading.case) == "Affected: left lung 1.0 % (without 1 box not measured yet)"


def test_the_heading_follows_a_correction() -> None:
    case = screened().with_verdict(calibration=Calibration(-3.0, 1.5, "60 phantoms"))
    reading = Reading(case, reader="dr-a")
    for region in case.regions:
        reading.mark(region.id, "irrelevant")
    assert reading.case.verdict is not None and heading(reading.case.verdict) == "No infection found"


# The sentence for the report -----------------------------------------------------------------------------------------


def test_the_sentence_says_sides_places_shares_and_who_looked() -> None:
    reading = Reading(replace(measured(), lungs={"left": LungInfo(1000.0, 0.0), "right": LungInfo(1000.0, 0.0)}))
    for region_id in ("r4", "r6", "r3"):
        reading.mark(region_id, "covid19")
    assert sentence(reading.case) == (
        "Left-sided, predominantly peripheral infectious opacities (5 regions), 0.0 % of the right and 2.2 % of the "
        "left lung; most like COVID-19. 3 of 6 regions read by the reader, the others as the model found them. "
        "Research use only."
    )


def test_the_sentence_of_a_clear_lung_and_of_an_undecided_type() -> None:
    reading = Reading(screened())
    for region in reading.case.regions:
        reading.mark(region.id, "irrelevant")
    assert sentence(reading.case) == "No infectious opacity found. All 3 regions read by the reader. Research use only."
    assert "the type is undecided." in sentence(undecided().case)


def test_the_sentence_of_a_radiograph_is_the_readers_where_there_is_one() -> None:
    from tests.slicer_extension.xray.test_panel import DOCUMENT

    reading = Reading(Case.from_dict(DOCUMENT), reader="dr-a")
    assert sentence(reading.case) == "Chest radiograph: COVID-19, left, as the model found it. Research use only."
    reading.mark_xray("cap", "bipulmonary")
    said = "Chest radiograph: Community-acquired pneumonia, both lungs, as read by the reader. Research use only."
    assert sentence(reading.case) == said


def test_the_sentence_of_a_radiograph_without_a_type_names_none() -> None:
    from tests.slicer_extension.xray.test_panel import DOCUMENT

    case = Case.from_dict(DOCUMENT)
    assert case.verdict is not None
    verdict = replace(case.verdict, decided=False, infection=Infection(0.8, "films"))
    said = sentence(replace(case, verdict=verdict))
    assert said.startswith("Chest radiograph: Opacity found, type undecided, left, as the model found it.")

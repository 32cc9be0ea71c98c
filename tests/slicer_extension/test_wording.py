from dataclasses import replace

import pytest
from tests.slicer_extension.cases import screened

from pneumoscreen.evidence import Calibration
from pneumoscreen.verdict import decide
from PneumoScreenLib import wording
from PneumoScreenLib.reading.reading import Reading


@pytest.mark.parametrize(
    ("opinions", "said"),
    [
        ([("irrelevant", 1.0)], "No region counts"),
        ([("covid19", 0.9)], "All regions that count are COVID-19"),
        ([("covid19", 0.96), ("influenza_a", 0.5)], "also regions of Influenza-A"),
        ([("covid19", 0.9), ("influenza_a", 0.9)], "also regions of Influenza-A"),
    ],
)
def test_the_rule(opinions: list[tuple[str, float]], said: str) -> None:
    assert said in wording.rule_in_words(decide(opinions))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0 %"), (0.001, "< 1 %"), (0.5, "50 %"), (0.9951, "> 99 %"), (0.99, "99 %"), (1.0, "100 %")],
)
def test_percentages_never_round_to_certainty(value: float, text: str) -> None:
    assert wording.percent(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "1 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (185.0, "3 min"),
        (3599.0, "1 h"),
        (7800.0, "2 h 10 min"),
        (None, ""),
        (float("inf"), ""),
        (-1.0, ""),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert wording.duration(seconds) == text


def test_time_left() -> None:
    assert wording.time_left(170.0) == "about 3 min left"
    assert wording.time_left(None) == ""


def test_the_probability_of_an_infection_follows_a_correction() -> None:
    assert wording.infection_in_words(screened().verdict) == ""
    case = screened().with_verdict(calibration=Calibration(-3.0, 1.5, "60 phantoms"))
    before = wording.infection_in_words(case.verdict)
    assert before.startswith("Infection ") and before.endswith(" %, calibrated on 60 phantoms")
    reading = Reading(case)
    for region in case.regions:
        reading.mark(region.id, "irrelevant")
    assert wording.infection_in_words(reading.case.verdict) == "Infection 5 %, calibrated on 60 phantoms"


def test_a_vote_that_is_not_borne_out_is_told() -> None:
    first, *others = screened().regions
    case = screened(regions=(replace(first, infected_ml=0.0), *others))
    said = "The patches vote COVID-19 (90 %), not borne out: 0.0 ml infected."
    assert wording.overruled_in_words(case.regions[0]) == said
    assert wording.votes_in_words(case.regions[0]) == "3 of 3"
    assert wording.overruled_in_words(case.regions[1]) == ""


def test_votes_and_names() -> None:
    region = screened().regions[0]
    assert wording.votes_in_words(region) == "3 of 3"
    assert wording.display_name("a_site_label") == "A site label"


@pytest.mark.parametrize(
    ("job", "text"),
    [
        ({"state": "queued", "position": 1}, "Waiting for its turn"),
        ({"state": "queued", "position": 3}, "Waiting for 2 others on the server"),
        ({"state": "running", "stage": "candidates"}, "Finding candidate regions"),
        ({"state": "running", "stage": ""}, "Starting"),
        ({"state": "running", "stage": "new_step"}, "New step"),
    ],
)
def test_stages(job: dict[str, object], text: str) -> None:
    assert wording.stage_in_words(job) == text


def test_the_server() -> None:
    text = wording.server_in_words(
        {
            "app": "PneumoScreen",
            "version": "0.1.0",
            "models": {"ct_classifier": 3, "ct_candidates": None},
            "user": "dr-a",
            "is_known": True,
            "roles": ["trainer"],
        }
    )
    assert text.splitlines() == [
        "Connected: PneumoScreen 0.1.0",
        "Models: Candidate network (none), Patch classifier v3",
        "Signed in as dr-a (trainer)",
    ]

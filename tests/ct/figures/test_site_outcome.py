"""An outcome out of a case document: flagged or not, false regions, overlaps, and what a document may lack."""

from dataclasses import replace

import pytest
from tests.ct.figures.site_outcomes import site_case

from pneumoscreen.case import Case, ImageInfo, LungInfo, Region
from pneumoscreen.ct.figures.site_outcome import SiteOutcome, large_overlaps
from pneumoscreen.verdict import DEFAULT_CLASSES, Infection, Verdict


def region(number: int, side: str, label: str, x: float) -> Region:
    return Region(f"r{number}", "model", (x, 0.0, 0.0), (10.0, 10.0, 10.0), 0.9, side, (), label, 0.8)


@pytest.fixture
def document() -> Case:
    """Two infection regions on the left, 4 mm apart, one on the right, and an irrelevant one at the same place."""
    regions = (
        region(1, "left", "covid19", 50.0),
        region(2, "left", "covid19", 54.0),
        region(3, "right", "influenza_a", -50.0),
        region(4, "right", "irrelevant", -50.0),
    )
    lungs = {"left": LungInfo(2000.0, 4.0), "right": LungInfo(2000.0, 0.5)}
    image = ImageInfo((9, 9, 9), (1.0, 1.0, 1.0), "ab")
    return Case("c", "CT", image, lungs=lungs, regions=regions, timings_s={"total": 3.0}).with_verdict()


def test_a_document_becomes_an_outcome(document: Case) -> None:
    found = SiteOutcome.of(site_case("a", "cap", "infected", "clear"), document, None, DEFAULT_CLASSES)
    assert (found.flagged, found.regions, found.candidates) == (True, {"left": 2, "right": 1}, 4)
    assert (found.false_regions, found.overlaps, found.candidate_overlaps) == (1, 1, 2)
    assert (found.affected, found.seconds) == ({"left": 4.0, "right": 0.5}, 3.0)
    entry = found.to_dict()
    assert entry["regions"] == {"left": 2, "right": 1}
    assert (entry["document"], entry["report"], entry["counted"]) == ("c.json", "c.html", True)


def test_without_an_infection_region_nothing_is_flagged(document: Case) -> None:
    clear = replace(document, regions=document.regions[3:]).with_verdict()
    found = SiteOutcome.of(site_case("a", "healthy", "clear", "clear"), clear, None, DEFAULT_CLASSES)
    assert (found.flagged, found.found, found.false_regions) == (False, 0, 0)


def test_probability_and_decision_are_read_where_a_document_has_them(document: Case) -> None:
    def outcome(verdict: Verdict | None) -> SiteOutcome:
        return SiteOutcome.of(site_case("a", "covid19"), replace(document, verdict=verdict), None, DEFAULT_CLASSES)

    assert document.verdict is not None
    none = outcome(replace(document.verdict, infection=None, decided=False))
    assert (none.infection, none.decided) == (None, False)
    known = outcome(replace(document.verdict, infection=Infection(0.25, "phantoms"), decided=True))
    assert (known.infection, known.calibrated_on, known.decided) == (0.25, "phantoms", True)
    unscreened = outcome(None)
    assert (unscreened.infection, unscreened.decided) == (None, True)


@pytest.mark.parametrize(
    ("boxes", "pairs"),
    [
        ([], 0),
        ([(0, 0, 0, 10, 10, 10)], 0),
        ([(0, 0, 0, 10, 10, 10), (5, 0, 0, 15, 10, 10)], 0),  # exactly half is not more than half
        ([(0, 0, 0, 10, 10, 10), (4.9, 0, 0, 15, 10, 10)], 1),
        ([(0, 0, 0, 100, 100, 100), (1, 1, 1, 3, 3, 3)], 1),  # small inside large: an IoU would not see it
        ([(0, 0, 0, 9, 9, 9), (0, 0, 0, 9, 9, 9), (0, 0, 0, 9, 9, 9)], 3),
        ([(0, 0, 0, 9, 9, 9), (0, 0, 20, 9, 9, 29)], 0),
    ],
)
def test_overlaps_are_measured_against_the_smaller(boxes: list[tuple[float, ...]], pairs: int) -> None:
    assert large_overlaps(boxes) == pairs

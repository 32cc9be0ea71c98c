"""The figures of a site's scans against values counted by hand."""

import numpy as np
import pytest
from tests.ct.figures.site_outcomes import NONE_FOUND, site_case, site_outcome

from pneumoscreen.ct.figures.site_figures import REFUSED, UNDECIDED, SiteFigures, site_figures
from pneumoscreen.verdict import DEFAULT_CLASSES


@pytest.fixture(scope="module")
def figures() -> SiteFigures:
    """Five pneumonias (one missed, one refused) and four others (one flagged); a tenth row does not count."""
    rows = [
        site_outcome(site_case("a", "covid19", "infected", "clear", "P1"), "covid19", 3, 1, 0.9),
        site_outcome(site_case("b", "covid19", "infected", "infected", "P1"), "influenza_a", 1, 0, 0.8),
        site_outcome(site_case("c", "influenza_a", "infected", "clear"), "influenza_a", 2, 0, 0.7, decided=False),
        site_outcome(site_case("d", "cap", "infected", "infected"), NONE_FOUND, 0, 0, 0.3),
        site_outcome(site_case("e", "covid19", "infected", "infected"), None, reason="no lungs"),
        site_outcome(site_case("f", "healthy", "clear", "clear"), NONE_FOUND, 0, 0, 0.1),
        site_outcome(site_case("g", "other", "other", "clear"), "covid19", 2, 2, 0.4, affected={"left": 6.0}),
        site_outcome(site_case("h", "other", "absent", "clear"), NONE_FOUND, 0, 0, 0.2),
        site_outcome(site_case("i", "other"), NONE_FOUND, 0, 0, 0.2),
        site_outcome(site_case("j", "healthy", "clear", "clear", counted=False), "covid19", 9, 9, 1.0),
    ]
    return site_figures(rows, DEFAULT_CLASSES)


def counts(share) -> tuple[int, int]:
    return share.part, share.whole


def test_cases(figures: SiteFigures) -> None:
    assert (figures.scans, figures.patients, figures.refused) == (9, 8, 1)
    assert counts(figures.sensitivity) == (3, 5)  # d is missed, e is refused
    assert figures.sensitivity.interval.estimate == pytest.approx(0.6)
    assert counts(figures.specificity) == (3, 4)  # g is flagged


def test_types(figures: SiteFigures) -> None:
    # Of a, b, c, e only a is right: b is taken for the other type, c is undecided, e is refused. d has no known type.
    assert counts(figures.types) == (1, 4)
    assert figures.undecided == 1
    assert counts(figures.decided_types) == (1, 2)
    assert figures.taken_for == {
        "covid19": {"covid19": 1, "influenza_a": 1, REFUSED: 1},
        "influenza_a": {UNDECIDED: 1},
        "cap": {NONE_FOUND: 1},
        "healthy": {NONE_FOUND: 1},
        "other": {"covid19": 1, NONE_FOUND: 2},
    }


def test_area_takes_a_refused_scan_for_the_least_suspect(figures: SiteFigures) -> None:
    # Pneumonias .9 .8 .7 .3 and 0 (refused) against .4 .2 .2 .1: pairs in order 4 + 4 + 4 + 3 + 0 of 20.
    assert figures.curves is not None
    assert figures.curves.auc.estimate == pytest.approx(15 / 20)


def test_lungs(figures: SiteFigures) -> None:
    # Infected: a left, b both, c left, d both, e both; found in a left, b left, c left.
    assert counts(figures.lung_sensitivity) == (3, 8)
    # Clear: a right (false), c right, f both, g right (false), h right.
    assert counts(figures.lung_specificity) == (4, 6)
    by_state = {row.state: row for row in figures.lungs}
    assert {state: (row.lungs, row.flagged, row.regions) for state, row in by_state.items()} == {
        "infected": (8, 3, 6),
        "clear": (6, 2, 3),
        "other": (1, 1, 2),
        "absent": (1, 0, 0),
        "not known": (2, 0, 0),
    }
    assert by_state["other"].affected["mean"] == 6.0
    assert by_state["clear"].affected["mean"] == 0.0


def test_regions(figures: SiteFigures) -> None:
    assert counts(figures.regions) == (4 + 1 + 2, 5)
    assert counts(figures.candidates) == (7 + 4, 5)  # one irrelevant region more in each that was screened
    # One in a, two in g (the two of the diseased lung are not false), over a, c, f, g and h.
    assert counts(figures.false_regions) == (3, 5)
    assert figures.seconds["median"] == 2.0


def test_without_calibration_there_is_no_area() -> None:
    rows = [
        site_outcome(site_case("a", "covid19"), "covid19", 1, infection=0.9),
        site_outcome(site_case("b", "healthy"), NONE_FOUND),
    ]
    assert site_figures(rows, DEFAULT_CLASSES).curves is None


def test_what_no_scan_tells_is_no_number() -> None:
    figures = site_figures([site_outcome(site_case("a", "cap"), "covid19", 1)], DEFAULT_CLASSES)
    assert counts(figures.specificity) == (0, 0)
    assert np.isnan(figures.specificity.interval.estimate)
    assert counts(figures.types) == (0, 0)


def test_intervals_draw_patients_and_not_scans() -> None:
    # Twenty scans of two patients, one always found and one never: drawn by scan the interval would be narrow.
    rows = [
        site_outcome(site_case(f"{patient}{i}", "cap", patient=patient), verdict, 1)
        for patient, verdict in (("P1", "covid19"), ("P2", NONE_FOUND))
        for i in range(10)
    ]
    interval = site_figures(rows, DEFAULT_CLASSES).sensitivity.interval
    assert (interval.estimate, interval.low, interval.high) == (0.5, 0.0, 1.0)

"""Figures of the X-ray classes against counts made by hand."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from pneumoscreen.case import CXR_CLASSES
from pneumoscreen.cxr.figures.figures import class_figures
from pneumoscreen.cxr.figures.outcome import RadiographOutcome


def outcome(number: int, label: str, said: str | None, sure: float = 0.6) -> RadiographOutcome:
    if said is None:
        return RadiographOutcome(f"x{number}", f"p{number // 2}", label, reason="shows no lungs")
    probabilities = tuple(sure if name == said else (1 - sure) / 2 for name in CXR_CLASSES)
    return RadiographOutcome(f"x{number}", f"p{number // 2}", label, probabilities)


# covid19: 3 of 4 found, one taken for cap; healthy: 2 of 3, one not screened; cap: 1 of 3, two taken for covid19.
SAID = [
    ("covid19", "covid19"),
    ("covid19", "covid19"),
    ("covid19", "covid19"),
    ("covid19", "cap"),
    ("healthy", "healthy"),
    ("healthy", "healthy"),
    ("healthy", None),
    ("cap", "cap"),
    ("cap", "covid19"),
    ("cap", "covid19"),
]
OUTCOMES = [outcome(i, *pair, sure=0.5 + 0.04 * i) for i, pair in enumerate(SAID)]


def test_figures_are_those_counted_by_hand() -> None:
    found = class_figures(OUTCOMES)
    assert found is not None
    assert (found.count, found.unscreened) == (10, 1)
    assert found.matrix.counts.tolist() == [[3, 0, 1], [0, 2, 0], [2, 0, 1]]
    assert found.accuracy.estimate == pytest.approx(6 / 10)
    assert found.majority == pytest.approx(4 / 10)
    expected = {
        "covid19": (3 / 4, 3 / 6, 3 / 5, 2 * 3 / (4 + 5)),
        "healthy": (2 / 3, 7 / 7, 2 / 2, 2 * 2 / (3 + 2)),
        "cap": (1 / 3, 5 / 7, 1 / 2, 2 * 1 / (3 + 2)),
    }
    for label, values in expected.items():
        assert [value.estimate for value in found.by_class[label].values()] == pytest.approx(values), label
    assert found.macro["sensitivity"].estimate == pytest.approx((3 / 4 + 2 / 3 + 1 / 3) / 3)
    assert found.macro["specificity"].estimate == pytest.approx((1 / 2 + 1 + 5 / 7) / 3)


def test_areas_are_scikit_learns_and_intervals_draw_patients() -> None:
    found = class_figures(OUTCOMES)
    assert found is not None
    screened = [o for o in OUTCOMES if o.probabilities]
    scores = np.array([o.probabilities for o in screened])
    truth = np.array([CXR_CLASSES.index(o.label) for o in screened])
    areas = [roc_auc_score(truth == i, scores[:, i]) for i in range(3)]
    assert [curve.auc.estimate for curve in found.curves] == pytest.approx(areas)
    assert found.macro_auc.estimate == pytest.approx(np.mean(areas))
    assert found.accuracy.low < found.accuracy.estimate < found.accuracy.high
    one = class_figures([RadiographOutcome(o.case_id, "one", o.label, o.probabilities) for o in screened])
    assert one is not None and np.isnan(one.accuracy.low) and np.isnan(one.macro_auc.low)


def test_a_class_that_is_not_there_is_left_out_of_the_means() -> None:
    found = class_figures([o for o in OUTCOMES if o.label != "healthy"])
    assert found is not None
    assert np.isnan(found.by_class["healthy"]["sensitivity"].estimate)
    assert found.macro["sensitivity"].estimate == pytest.approx((3 / 4 + 1 / 3) / 2)


def test_nothing_measured_gives_nothing_and_outcomes_survive_json() -> None:
    assert class_figures([RadiographOutcome("x", "p", "cap")]) is None
    for each in OUTCOMES:
        assert RadiographOutcome.from_dict(each.to_dict()) == each

"""Affected sides and lung boxes on cases where left and right differ."""

import numpy as np
import pytest

from pneumoscreen.cxr.figures.lungs import box_figures, exchanged, iou, localization_figures
from pneumoscreen.cxr.figures.outcome import RadiographOutcome

LEFT, RIGHT = (60.0, 10.0, 30.0, 70.0), (10.0, 20.0, 40.0, 50.0)


def sides(number: int, true: tuple[bool, bool], said: tuple[float, float]) -> RadiographOutcome:
    """(left, right)."""
    return RadiographOutcome(
        f"x{number}",
        f"p{number}",
        "covid19",
        true_sides=dict(zip(("left", "right"), true, strict=True)),
        side_probabilities=dict(zip(("left", "right"), said, strict=True)),
    )


def test_left_and_right_are_counted_apart() -> None:
    found = localization_figures(
        [
            sides(0, (True, False), (0.9, 0.2)),
            sides(1, (True, False), (0.8, 0.7)),  # the right lung wrong
            sides(2, (True, True), (0.5, 0.4)),  # the right lung missed; .5 counts as infected
            sides(3, (False, True), (0.1, 0.6)),
        ]
    )
    assert found is not None
    assert found.infected == {"left": 3, "right": 2}
    accuracy = {side: value.estimate for side, value in found.lung_accuracy.items()}
    assert accuracy == pytest.approx({"left": 1.0, "right": 0.5, "both": 0.75})
    assert found.lung_majority == pytest.approx(5 / 8)
    assert found.location_accuracy.estimate == pytest.approx(0.5)
    assert found.location_majority == pytest.approx(0.5)
    # Rows and columns: left, right, bipulmonary, none.
    assert found.location.counts.tolist() == [[1, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    assert found.location_recall["left"].estimate == pytest.approx(0.5)
    assert found.location_recall["right"].estimate == pytest.approx(1.0)
    assert found.location_recall["bipulmonary"].estimate == pytest.approx(0.0)
    assert np.isnan(found.location_recall["none"].estimate)
    # Left: positives .9 .8 .5 above the negative .1. Right: positives .4 .6, negatives .2 .7.
    assert found.curves["left"].auc.estimate == pytest.approx(1.0)
    assert found.curves["right"].auc.estimate == pytest.approx(0.5)


def test_boxes_of_exchanged_lungs_are_noticed() -> None:
    truth = {"left": LEFT, "right": RIGHT}
    straight = RadiographOutcome("a", "p", "cap", true_boxes=truth, found_boxes=truth)
    turned = RadiographOutcome("b", "q", "cap", true_boxes=truth, found_boxes={"left": RIGHT, "right": LEFT})
    found = box_figures([straight, turned])
    assert found is not None
    assert (found.count, found.exchanged) == (2, 1)
    assert found.iou["both"].estimate == pytest.approx(0.5)
    assert exchanged(truth, turned.found_boxes) and not exchanged(truth, truth)


def test_overlap_by_hand() -> None:
    assert iou((0, 0, 4, 2), (2, 0, 4, 2)) == pytest.approx(4 / 12)
    assert iou((0, 0, 1, 1), (5, 5, 1, 1)) == 0.0


def test_nothing_known_gives_nothing() -> None:
    bare = [RadiographOutcome("a", "p", "healthy", (0.1, 0.8, 0.1))]
    assert localization_figures(bare) is None and box_figures(bare) is None

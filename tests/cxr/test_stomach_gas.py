"""The left lung box and the gas below it: on phantoms with a bubble painted in, and on hand-made columns."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tests.cxr.radiographs import box_model, phantom, radiograph_of

from pneumoscreen.case import SIDES
from pneumoscreen.cxr.lung_boxes import LungBoxSettings, corners, find_lung_boxes, picture_of, to_shares
from pneumoscreen.cxr.stomach_gas import end_above_gas

SIZE = 128
LUNG, BODY = 0.25, 0.8
LEFT, RIGHT = np.array([0.55, 0.1, 0.9, 0.9]), np.array([0.1, 0.1, 0.45, 0.7])
"""The left box reaches over the end of its lung, at .7, to .9."""


def chest(gas: bool) -> NDArray[np.float32]:
    """Even lungs down to .7 in an even body, with a bubble from .75 to .88 below the left one."""
    picture = np.full((SIZE, SIZE), BODY, np.float32)
    for box in (LEFT, RIGHT):
        x0, y0, x1, _ = (round(edge * SIZE) for edge in box)
        picture[y0 : round(0.7 * SIZE), x0:x1] = LUNG
    if gas:
        picture[round(0.75 * SIZE) : round(0.88 * SIZE), round(0.62 * SIZE) : round(0.85 * SIZE)] = LUNG
    return picture


def test_a_box_ends_above_the_gas() -> None:
    assert end_above_gas(chest(gas=True), LEFT, RIGHT) == pytest.approx(0.75, abs=0.02)


def test_without_gas_it_stays() -> None:
    assert end_above_gas(chest(gas=False), LEFT, RIGHT) == LEFT[3]
    assert end_above_gas(np.full((SIZE, SIZE), 0.5, np.float32), LEFT, RIGHT) == LEFT[3]


def test_a_narrow_shadow_is_no_reason() -> None:
    picture = chest(gas=False)
    picture[96:112, 90:91] = LUNG
    assert end_above_gas(picture, LEFT, RIGHT) == LEFT[3]


def test_a_lung_that_ends_with_the_right_one_is_not_cut() -> None:
    """Dark below a bright band is lung there: an infiltrate above a clear base."""
    picture = chest(gas=False)
    picture[70:78, 72:114] = BODY
    left = np.array([0.55, 0.1, 0.9, 0.71])
    assert end_above_gas(picture, left, RIGHT) == left[3]
    assert end_above_gas(picture, LEFT, np.array([0.1, 0.1, 0.45, 0.95])) == LEFT[3]


def test_it_never_ends_far_above_the_right_one() -> None:
    picture = chest(gas=True)
    right = np.array([0.1, 0.1, 0.45, 0.82])
    assert end_above_gas(picture, LEFT, right) >= 0.82 - 0.03


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_on_a_phantom_with_a_bubble(seed: int) -> None:
    made = phantom(seed, "healthy")
    boxes = [to_shares(tuple(map(float, made.lung_boxes[side])), made.radiograph) for side in SIDES]
    left, right = corners(torch.from_numpy(np.stack(boxes))).numpy()
    picture = picture_of(made.radiograph, LungBoxSettings()).copy()
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE
    middle, top = (left[0] + left[2]) / 2, max(left[3], right[3]) + 0.02
    bubble = ((x - middle) / 0.12) ** 2 + ((y - top - 0.07) / 0.07) ** 2 < 1.0
    picture[(y > top - 0.02) & (np.abs(x - middle) < 0.16)] = 0.8
    picture[bubble] = 0.3
    over = left.copy()
    over[3] = min(top + 0.13, 1.0)
    assert end_above_gas(picture, over, right) <= top + 0.03
    assert end_above_gas(picture, over, right) >= min(left[3], right[3]) - 0.03


def test_the_boxes_of_a_radiograph_end_above_the_gas() -> None:
    """An untrained network names its anchors; the left one reaches into the bubble."""
    anchors = {
        "left": (0.725, 0.5, 0.35, 0.8),
        "right": (0.275, 0.4, 0.35, 0.6),
    }
    model = box_model(settings=LungBoxSettings(size=SIZE, stages=(4, 4), features=8, mirrored=False, anchors=anchors))
    found = find_lung_boxes(radiograph_of(chest(gas=True)), model)
    assert found.left[1] + found.left[3] == pytest.approx(0.75 * SIZE, abs=3.0)
    assert found.left[1] == pytest.approx(0.1 * SIZE, abs=1.0)
    assert found.right[1] + found.right[3] == pytest.approx(0.7 * SIZE, abs=1.5)

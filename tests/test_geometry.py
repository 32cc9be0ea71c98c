"""Boxes: overlap of the union and of the smaller, and which show one focus."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscreen.geometry import distinct, iou, share_of_smaller, shared, sizes

BOX = st.builds(
    lambda low, side: [*low, *(a + b for a, b in zip(low, side, strict=True))],
    st.tuples(*[st.floats(-50, 50)] * 3),
    st.tuples(*[st.floats(0.5, 40)] * 3),
)


def test_a_small_box_inside_a_large_one_is_told_by_the_smaller_only() -> None:
    large, small = [0.0, 0, 0, 10, 10, 10], [2.0, 2, 2, 4, 4, 4]
    assert iou([large], [small])[0, 0] == pytest.approx(0.008)
    assert share_of_smaller([large], [small])[0, 0] == 1.0
    assert shared([large], [small])[0, 0] == 8.0


def test_pictures_have_boxes_of_four_bounds() -> None:
    assert iou([[0.0, 0, 2, 2]], [[1.0, 0, 3, 2]])[0, 0] == pytest.approx(1 / 3)
    assert sizes([[0.0, 0, 2, 3]]).tolist() == [6.0]


def test_boxes_that_do_not_touch_share_nothing() -> None:
    assert iou([[0.0, 0, 0, 1, 1, 1]], [[5.0, 5, 5, 6, 6, 6]])[0, 0] == 0.0
    assert share_of_smaller([[0.0, 0, 0, 1, 1, 1]], [[1.0, 0, 0, 2, 1, 1]])[0, 0] == 0.0


def test_no_boxes_are_none() -> None:
    assert iou([], [[0.0, 0, 0, 1, 1, 1]]).shape == (0, 1)
    assert distinct([]).tolist() == []


@given(BOX, BOX)
def test_overlap_is_symmetric_and_the_smaller_share_the_larger_figure(one: list[float], other: list[float]) -> None:
    assert iou([one], [other])[0, 0] == pytest.approx(iou([other], [one])[0, 0])
    assert share_of_smaller([one], [other])[0, 0] == pytest.approx(share_of_smaller([other], [one])[0, 0])
    assert 0.0 <= iou([one], [other])[0, 0] <= share_of_smaller([one], [other])[0, 0] + 1e-9 <= 1.0 + 2e-9


@given(BOX)
def test_a_box_is_itself(box: list[float]) -> None:
    assert iou([box], [box])[0, 0] == pytest.approx(1.0)


@given(st.lists(BOX, max_size=8))
def test_distinct_boxes_share_at_most_half_of_the_smaller_and_the_first_stays(boxes: list[list[float]]) -> None:
    kept = distinct(boxes)
    overlap = share_of_smaller(np.array(boxes).reshape(-1, 6)[kept], np.array(boxes).reshape(-1, 6)[kept])
    assert not (overlap[~np.eye(len(kept), dtype=bool)] > 0.5).any()
    assert not boxes or kept[0] == 0


def test_boxes_that_share_just_half_of_the_smaller_are_two_and_more_is_one() -> None:
    half, more = [1.0, 0, 0, 3, 2, 2], [0.9, 0, 0, 2.9, 2, 2]
    assert distinct([[0.0, 0, 0, 2, 2, 2], half]).tolist() == [0, 1]
    assert distinct([[0.0, 0, 0, 2, 2, 2], more]).tolist() == [0]

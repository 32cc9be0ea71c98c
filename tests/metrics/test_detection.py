"""Lesions found by candidate regions."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscreen.geometry import iou
from pneumoscreen.metrics.detection import froc, hits, lesion_recall, match

LESION = [10.0, 20.0, 20.0, 14.0, 30.0, 30.0]
AROUND = [0.0, 0.0, 0.0, 24.0, 50.0, 50.0]
EVERYTHING = [0.0, 0.0, 0.0, 30.0, 80.0, 80.0]
BESIDE = [10.0, 30.0, 30.0, 14.0, 40.0, 40.0]
HALF = [10.0, 25.0, 20.0, 14.0, 35.0, 30.0]

corner = st.tuples(*[st.floats(0, 50)] * 3)
side = st.tuples(*[st.floats(0.5, 30)] * 3)
boxes = st.tuples(corner, side).map(lambda pair: [*pair[0], *(a + b for a, b in zip(*pair, strict=True))])


def test_iou_of_boxes_shifted_by_half_is_a_third():
    assert iou([LESION], [LESION, HALF, BESIDE])[0] == pytest.approx([1.0, 1 / 3, 0.0])


@given(boxes, boxes)
def test_iou_is_symmetric_and_at_most_one(a, b):
    value = iou([a], [b])[0, 0]
    assert value == iou([b], [a])[0, 0]
    assert 0.0 <= value <= 1.0 + 1e-12
    assert iou([a], [a])[0, 0] == pytest.approx(1.0)


def test_a_large_region_hits_the_lesion_in_its_midst_and_a_neighbour_does_not():
    assert iou([AROUND], [LESION])[0, 0] < 0.1
    assert hits([AROUND, HALF, BESIDE], [LESION])[:, 0].tolist() == [True, True, False]
    # A region that holds the lesion somewhere among everything else has not found it.
    assert not hits([EVERYTHING], [LESION]).any()


def test_recall_counts_lesions_not_regions():
    both = match([AROUND, HALF], [0.9, 0.2], [LESION])
    missed = match([BESIDE], [0.8], [LESION])
    assert both.found == 1
    assert lesion_recall([both, missed]) == 0.5
    assert np.isnan(lesion_recall([match([BESIDE], [0.8], [])]))


def test_a_lesion_in_two_regions_is_not_held_once():
    lesions = [[0, 0, 0, 10, 10, 10], [20, 20, 20, 24, 24, 24], [40, 40, 40, 44, 44, 44]]
    regions = [[0, 0, 0, 10, 10, 6], [2, 2, 2, 5, 5, 5], [18, 18, 18, 30, 30, 30], [43, 40, 40, 47, 44, 44]]
    found = match(regions, [0.9, 0.8, 0.7, 0.6], lesions)
    assert found.holders.tolist() == [2, 1, 0]
    assert found.held_once == 1


def test_cases_without_regions_or_lesions_are_counted():
    empty = match([], [], [LESION, BESIDE])
    assert empty.found == 0
    assert lesion_recall([empty, match([], [], [])]) == 0.0


def test_froc_by_hand():
    first = match([AROUND, BESIDE, HALF], [0.9, 0.6, 0.3], [LESION])
    second = match([BESIDE, HALF], [0.8, 0.5], [LESION])
    points = [(p.threshold, p.recall, p.false_regions_per_case) for p in froc([first, second])]
    assert points == [(0.9, 0.5, 0.0), (0.8, 0.5, 0.5), (0.6, 0.5, 1.0), (0.5, 1.0, 1.0), (0.3, 1.0, 1.0)]


@given(st.lists(st.tuples(boxes, st.floats(0, 1)), max_size=8), st.lists(boxes, min_size=1, max_size=4))
def test_froc_only_rises(regions, lesions):
    points = froc([match([box for box, _ in regions], [score for _, score in regions], lesions)])
    for before, after in pairwise(points):
        assert after.recall >= before.recall
        assert after.false_regions_per_case >= before.false_regions_per_case


def test_bad_calls_are_refused():
    with pytest.raises(ValueError, match="1 regions have 2 scores"):
        match([HALF], [0.1, 0.2], [LESION])
    with pytest.raises(ValueError, match="at least one lesion"):
        froc([])

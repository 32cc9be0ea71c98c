"""Relative distance-from-edge: the definition on plain shapes, and its symmetries."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp
from numpy.typing import NDArray

from pneumoscreen.ct.location import relative_distance_from_edge

masks = stnp.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.booleans())
spacings = st.tuples(st.floats(0.3, 5.0), st.floats(0.3, 5.0))


def center_in(mask: NDArray[np.bool_]) -> st.SearchStrategy[tuple[float, float]]:
    """Continuous positions on a mask, also a little outside of it."""
    height, width = mask.shape
    return st.tuples(st.floats(-2.0, height + 1.0), st.floats(-2.0, width + 1.0))


def by_definition(mask: NDArray[np.bool_], spacing: tuple[float, float], center: tuple[float, float]) -> float:
    """Distance to the nearest point of a pixel outside of the mask, pixel by pixel, over the diagonal."""
    rows, columns = np.nonzero(mask)
    sides = (np.ptp(rows) + 1) * spacing[0], (np.ptp(columns) + 1) * spacing[1]
    height, width = mask.shape
    nearest = math.inf
    for y in range(-4, height + 4):
        for x in range(-4, width + 4):
            if not (0 <= y < height and 0 <= x < width and mask[y, x]):
                down = max(abs(center[0] - y) - 0.5, 0.0) * spacing[0]
                across = max(abs(center[1] - x) - 0.5, 0.0) * spacing[1]
                nearest = min(nearest, math.hypot(down, across))
    return nearest / math.hypot(*sides)


def test_middle_of_a_rectangle() -> None:
    lung = np.zeros((40, 60), dtype=bool)
    lung[10:20, 20:40] = True
    found = relative_distance_from_edge(lung, (1.0, 1.0), (14.5, 29.5))
    assert found == pytest.approx(5.0 / math.hypot(10, 20))


def test_two_lungs_share_one_rectangle_and_keep_their_own_edges() -> None:
    lung = np.zeros((30, 60), dtype=bool)
    lung[5:25, 5:25] = lung[5:25, 35:55] = True
    found = relative_distance_from_edge(lung, (0.7, 0.7), (14.5, 14.5))
    assert found == pytest.approx(10.0 / math.hypot(20, 50))


def test_a_lung_cut_off_by_the_image_ends_at_its_border() -> None:
    found = relative_distance_from_edge(np.ones((10, 10), dtype=bool), (1.0, 1.0), (4.5, 0.5))
    assert found == pytest.approx(1.0 / math.hypot(10, 10))


@pytest.mark.parametrize("center", [(0.0, 0.0), (14.5, 30.0), (-50.0, 400.0)])
def test_a_center_outside_the_lungs_is_at_zero(center: tuple[float, float]) -> None:
    lung = np.zeros((30, 60), dtype=bool)
    lung[5:25, 5:25] = lung[5:25, 35:55] = True
    assert relative_distance_from_edge(lung, (1.0, 1.0), center) == 0.0


def test_a_slice_without_lung_has_no_distance() -> None:
    assert relative_distance_from_edge(np.zeros((5, 5), dtype=bool), (1.0, 1.0), (2.0, 2.0)) is None


def test_the_middle_is_farther_in_than_the_rim() -> None:
    y, x = np.mgrid[:100, :100]
    lung = np.hypot(y - 50, x - 50) < 45
    along = [relative_distance_from_edge(lung, (0.8, 0.8), (50.0, float(c))) for c in range(50, 96)]
    assert along == sorted(along, reverse=True)  # type: ignore[type-var]
    assert along[0] == pytest.approx(45 / (90 * math.sqrt(2)), abs=0.01)


@settings(deadline=None)
@given(st.data(), masks.filter(lambda mask: bool(mask.any())), spacings)
def test_is_what_the_definition_says(
    data: st.DataObject, mask: NDArray[np.bool_], spacing: tuple[float, float]
) -> None:
    center = data.draw(center_in(mask))
    found = relative_distance_from_edge(mask, spacing, center)
    assert found == pytest.approx(by_definition(mask, spacing, center), abs=1e-9)
    assert found is not None
    assert 0.0 <= found <= 0.5


@settings(deadline=None)
@given(st.data(), masks.filter(lambda mask: bool(mask.any())), spacings, st.floats(0.1, 10.0))
def test_mirrors_swapped_axes_and_patient_size_change_nothing(
    data: st.DataObject, mask: NDArray[np.bool_], spacing: tuple[float, float], size: float
) -> None:
    y, x = data.draw(center_in(mask))
    found = relative_distance_from_edge(mask, spacing, (y, x))
    height, width = mask.shape
    assert relative_distance_from_edge(mask[:, ::-1], spacing, (y, width - 1 - x)) == pytest.approx(found, abs=1e-9)
    assert relative_distance_from_edge(mask[::-1], spacing, (height - 1 - y, x)) == pytest.approx(found, abs=1e-9)
    assert relative_distance_from_edge(mask.T, spacing[::-1], (x, y)) == pytest.approx(found, abs=1e-9)
    scaled = (spacing[0] * size, spacing[1] * size)
    assert relative_distance_from_edge(mask, scaled, (y, x)) == pytest.approx(found, abs=1e-9)


@settings(deadline=None)
@given(st.data(), masks.filter(lambda mask: bool(mask.any())), st.integers(2, 4))
def test_pixels_twice_as_long_equal_pixels_drawn_twice(
    data: st.DataObject, mask: NDArray[np.bool_], times: int
) -> None:
    y, x = data.draw(center_in(mask))
    fine = np.repeat(mask, times, axis=0)
    expected = relative_distance_from_edge(fine, (1.0, 1.0), (y * times + (times - 1) / 2, x))
    assert relative_distance_from_edge(mask, (float(times), 1.0), (y, x)) == pytest.approx(expected, abs=1e-9)

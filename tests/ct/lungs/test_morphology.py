"""Every operation gives what ``scipy.ndimage`` gives, borders included."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from pneumoscreen.ct.lungs.morphology import (
    beside_in_slice,
    box_of,
    eroded_in_slice,
    grown,
    grown_in_slice,
    opened_in_slice,
    shrunk,
    shrunk_in_slice,
    with_neighbours,
    without_holes,
)

CROSS = ndimage.generate_binary_structure(2, 1)[None]


@pytest.fixture(params=[0.02, 0.5, 0.93])
def mask(request: pytest.FixtureRequest) -> NDArray[np.bool_]:
    return np.random.default_rng(3).random((5, 17, 23)) < request.param


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("reach", [1, 2, 3, 6, 40])
def test_along_an_axis(mask: NDArray[np.bool_], reach: int, axis: int) -> None:
    before, size = mask.copy(), 2 * reach + 1
    plain = ndimage.maximum_filter1d(mask.view(np.uint8), size, axis=axis, mode="constant")
    assert np.array_equal(grown(mask, reach, axis), plain.astype(bool))
    plain = ndimage.minimum_filter1d(mask.view(np.uint8), size, axis=axis, mode="nearest")
    assert np.array_equal(shrunk(mask, reach, axis), plain.astype(bool))
    assert np.array_equal(mask, before)


@pytest.mark.parametrize("reach", [1, 2, 3])
def test_in_slice(mask: NDArray[np.bool_], reach: int) -> None:
    square = np.ones((1, 2 * reach + 1, 2 * reach + 1), dtype=bool)
    assert np.array_equal(grown_in_slice(mask, reach), ndimage.binary_dilation(mask, square))
    assert np.array_equal(shrunk_in_slice(mask, reach), ndimage.binary_erosion(mask, square, border_value=1))
    assert np.array_equal(eroded_in_slice(mask, reach), ndimage.binary_erosion(mask, square))
    assert np.array_equal(opened_in_slice(mask, reach), ndimage.binary_opening(mask, square))


def test_four_neighbours(mask: NDArray[np.bool_]) -> None:
    assert np.array_equal(beside_in_slice(mask), ndimage.binary_dilation(mask, CROSS))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_lowest_and_highest_of_three(axis: int) -> None:
    labels = np.random.default_rng(4).integers(0, 9, (5, 17, 23)).astype(np.int32)
    assert np.array_equal(with_neighbours(labels, axis, np.minimum), ndimage.minimum_filter1d(labels, 3, axis=axis))
    assert np.array_equal(with_neighbours(labels, axis, np.maximum), ndimage.maximum_filter1d(labels, 3, axis=axis))


def test_holes(mask: NDArray[np.bool_]) -> None:
    assert np.array_equal(without_holes(mask), ndimage.binary_fill_holes(mask))
    shell = np.zeros((7, 9, 11), dtype=bool)
    shell[1:6, 2:8, 3:9] = True
    shell[2:5, 3:7, 4:8] = False
    assert np.count_nonzero(without_holes(shell)) == 5 * 6 * 6


def test_box() -> None:
    mask = np.zeros((4, 6, 8), dtype=bool)
    assert box_of(mask) is None
    mask[1, 2, 3] = mask[2, 5, 4] = True
    assert box_of(mask) == (slice(1, 3), slice(2, 6), slice(3, 5))

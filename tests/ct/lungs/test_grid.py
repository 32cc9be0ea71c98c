"""Each step on the reduced grid gives what its rule, written out plainly, gives."""

import numpy as np
import pytest
from scipy import ndimage

from pneumoscreen.ct.lungs.grid import near_by, reduce_volume, refine_labels


@pytest.mark.parametrize("spacing", [(3.0, 2.1, 2.1), (5.0, 1.3, 1.4), (9.0, 2.0, 2.0), (1.0, 1.0, 1.0)])
def test_near_by_is_the_threshold_of_a_distance_transform(spacing: tuple[float, float, float]) -> None:
    mask = np.random.default_rng(4).random((14, 40, 36)) > 0.998
    assert mask.any()
    assert np.array_equal(near_by(mask, 7.0, spacing), ndimage.distance_transform_edt(~mask, sampling=spacing) <= 7.0)


def test_near_by_of_a_mask_smaller_than_the_ball_and_of_none() -> None:
    mask = np.zeros((2, 3, 3), dtype=bool)
    assert not near_by(mask, 7.0, (1.0, 1.0, 1.0)).any()
    mask[0, 0, 0] = True
    assert near_by(mask, 7.0, (1.0, 1.0, 1.0)).all()


@pytest.mark.parametrize("shape", [(7, 40, 43), (20, 41, 36)])
def test_blocks_hold_the_mean_of_their_voxels_rounded_down(shape: tuple[int, int, int]) -> None:
    hu = np.random.default_rng(5).integers(-1000, 400, shape).astype(np.int16)
    grid = reduce_volume(hu, (1.0, 0.7, 0.7))
    assert grid.factors == (3, 3, 3)
    edges = [(b, n * 3 - b - s) for b, n, s in zip(grid.before, grid.hu.shape, shape, strict=True)]
    padded = np.pad(hu.astype(np.int64), [(0, 0), *edges[1:]], mode="edge")
    slabs = grid.blocks(0)
    for z in range(grid.hu.shape[0]):
        slab = padded[slabs == z]
        blocks = slab.reshape(len(slab), grid.hu.shape[1], 3, grid.hu.shape[2], 3)
        assert np.array_equal(grid.hu[z], np.floor(blocks.mean(axis=(0, 2, 4))))


def test_the_edge_is_drawn_as_the_rule_says() -> None:
    rng = np.random.default_rng(6)
    hu = rng.integers(-1000, 200, (17, 52, 61)).astype(np.int16)
    grid = reduce_volume(hu, (1.1, 0.7, 0.7))
    assert grid.factors == (3, 3, 3)
    labels = np.zeros(grid.hu.shape, dtype=np.uint8)
    labels[1:5, 3:13, 2:8] = 2
    labels[2:6, 5:16, 11:18] = 1
    aerated, barred = rng.random(labels.shape) < 0.6, rng.random(labels.shape) < 0.1
    window = (slice(0, labels.shape[0]), slice(2, 17), slice(1, 20))
    found = refine_labels(hu, grid, window, labels[window], aerated[window], barred[window], -400)

    cross = ndimage.generate_binary_structure(2, 1)[None]
    mask = labels > 0
    beside = np.where(mask, labels, ndimage.grey_dilation(labels, footprint=cross))
    beside[barred & ~mask] = 0
    solid = (mask & ~aerated) | ndimage.binary_erosion(mask, cross, border_value=1)
    assert np.array_equal(found, np.where((hu < -400) | grid.expand(solid), grid.expand(beside), 0))

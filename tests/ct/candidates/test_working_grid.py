"""The working grid: geometry, resampling and masks."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from pneumoscreen.ct.candidates.working_grid import WorkingGridSettings, network_input, pad_to_multiple, place_grid
from pneumoscreen.errors import NoLungsError
from pneumoscreen.images.volume import LEFT, RIGHT, Volume

SETTINGS = WorkingGridSettings()


def volume_of(hu: np.ndarray, spacing_mm: tuple[float, float, float]) -> Volume:
    return Volume(hu.astype(np.int16), spacing_mm, (0.0, 0.0, 0.0), np.eye(3), "toy", Path("toy.nii.gz"), "0" * 64)


def lungs_in(shape: tuple[int, int, int]) -> np.ndarray:
    labels = np.zeros(shape, dtype=np.uint8)
    z, y, x = (size // 4 for size in shape)
    labels[z : 3 * z, y : 3 * y, x : 2 * x] = 2
    labels[z : 3 * z, y : 3 * y, 2 * x : 3 * x] = 1
    return labels


@settings(deadline=None, max_examples=25)
@given(st.tuples(st.floats(0.5, 3), st.floats(0.5, 3), st.floats(0.6, 8)), st.integers(20, 60))
def test_boxes_come_back_and_the_grid_has_its_spacing(spacing: tuple[float, float, float], size: int) -> None:
    labels = lungs_in((size, size + 8, size + 4))
    grid = place_grid(volume_of(np.zeros(labels.shape), spacing), labels, SETTINGS)
    boxes = np.array([[3.0, 4, 5, 9, 11, 13], [0.5, 0.25, 7, 2, 19, 8]])
    assert np.allclose(grid.boxes_to_volume(grid.boxes_to_grid(boxes)), boxes)
    whole = np.array([*grid.low, *grid.high], dtype=np.float64) - 0.5
    assert np.allclose(grid.boxes_to_grid(whole[None])[0], [0, 0, 0, *grid.shape])
    extent = (np.asarray(grid.high) - grid.low) * np.asarray(spacing[::-1])
    assert (
        np.abs(np.asarray(grid.shape) * np.asarray(SETTINGS.spacing_mm) - extent)
        <= 0.5001 * np.asarray(SETTINGS.spacing_mm)
    ).all() or min(grid.shape) == 1


def test_a_marked_cube_is_found_where_its_box_says() -> None:
    labels = lungs_in((60, 200, 240))
    marked = np.zeros(labels.shape, dtype=bool)
    marked[20:32, 80:110, 100:140] = True
    grid = place_grid(volume_of(np.zeros(labels.shape), (0.8, 0.8, 2.0)), labels, SETTINGS)
    sampled = (grid.sample(marked) >= 0.5).numpy()
    low, high = (np.argwhere(sampled).min(axis=0), np.argwhere(sampled).max(axis=0) + 1)
    box = grid.boxes_to_grid(np.array([[19.5, 79.5, 99.5, 31.5, 109.5, 139.5]]))[0]
    assert np.abs(np.concatenate([low, high]) - box).max() <= 0.51


def test_resampling_keeps_the_mean_and_thin_slices_are_averaged() -> None:
    rng = np.random.default_rng(0)
    hu = rng.normal(-800, 100, (80, 120, 120)).round()
    labels = np.ones(hu.shape, dtype=np.uint8)
    grid = place_grid(volume_of(hu, (0.7, 0.7, 1.0)), labels, SETTINGS)
    sampled = grid.sample(hu.astype(np.int16))
    assert tuple(sampled.shape) == grid.shape
    assert float(sampled.mean()) == pytest.approx(-800, abs=2)
    assert float(sampled.std()) < 40, "noise averages out where voxels shrink"


def test_masks_return_to_the_volume() -> None:
    labels = lungs_in((40, 120, 160))
    marked = np.zeros(labels.shape, dtype=bool)
    marked[14:24, 50:80, 60:100] = True
    grid = place_grid(volume_of(np.zeros(labels.shape), (0.9, 0.9, 5.0)), labels, SETTINGS)
    back = grid.mask_to_volume(grid.sample(marked), 0.5)
    assert back.shape == marked.shape and back.dtype == bool
    assert 2 * (back & marked).sum() / (back.sum() + marked.sum()) > 0.93
    outside = np.ones(labels.shape, dtype=bool)
    outside[grid.crop] = False
    assert not back[outside].any()


def test_a_mask_in_some_slices_is_the_one_of_all_slices_at_once() -> None:
    labels = lungs_in((210, 70, 90))
    grid = place_grid(volume_of(np.zeros(labels.shape), (1.4, 1.4, 1.25)), labels, SETTINGS)
    probability = torch.from_numpy(np.random.default_rng(5).random(grid.shape, dtype=np.float32)) * 0.6
    probability[[0, 1, 2, 5, 9, 20]] = 0.1
    found = grid.mask_to_volume(probability, 0.5)
    size = [stop - start for start, stop in zip(grid.low, grid.high, strict=True)]
    deep = functional.interpolate(
        probability.flatten(1)[None, None], (size[0], probability[0].numel()), mode="bilinear"
    )
    whole = functional.interpolate(deep.reshape(size[0], 1, *grid.shape[1:]), size[1:], mode="bilinear", antialias=True)
    assert np.array_equal(found[grid.crop], (whole[:, 0] > 0.5).numpy())
    used = found.any(axis=(1, 2))
    assert 32 < np.count_nonzero(used) < size[0] and not used[grid.low[0]]


def test_a_mirrored_volume_has_the_mirrored_grid() -> None:
    rng = np.random.default_rng(1)
    hu = rng.normal(-700, 200, (30, 90, 100)).round()
    labels = lungs_in(hu.shape)
    labels[:, :, 70] = 1
    grid = place_grid(volume_of(hu, (1.3, 1.3, 4.0)), labels, SETTINGS)
    mirror = place_grid(volume_of(hu[:, :, ::-1], (1.3, 1.3, 4.0)), labels[:, :, ::-1], SETTINGS)
    assert torch.allclose(grid.sample(hu).flip(2), mirror.sample(np.ascontiguousarray(hu[:, :, ::-1])), atol=1e-2)


def test_left_stays_left_on_the_grid_and_a_voxel_that_is_half_lung_is_lung() -> None:
    labels = np.zeros((24, 60, 80), dtype=np.uint8)
    labels[4:20, 10:50, 10:35], labels[4:20, 10:50, 45:70] = RIGHT, LEFT
    grid = place_grid(volume_of(np.zeros(labels.shape), (1.0, 1.0, 4.0)), labels, SETTINGS)
    sides = grid.sample_sides(labels).numpy()
    # The crop begins at column 2, and a voxel of the grid is two columns wide: the right lung ends and the left one
    # begins and ends in the middle of one.
    assert grid.low[2] == 2 and grid.shape[2] == 38
    row = sides[8, 15]
    assert np.flatnonzero(row == RIGHT).tolist() == list(range(4, 17))
    assert np.flatnonzero(row == LEFT).tolist() == list(range(21, 34))


def test_no_lung_is_refused() -> None:
    empty = np.zeros((10, 20, 20), dtype=np.uint8)
    with pytest.raises(NoLungsError):
        place_grid(volume_of(empty, (1.0, 1.0, 1.0)), empty, SETTINGS)


def test_network_input_spans_the_window_and_padding_is_air() -> None:
    hu = torch.tensor([-3000.0, -1100, -450, 200, 3000]).reshape(1, 1, 5)
    image = network_input(hu, torch.ones(1, 1, 5), SETTINGS)
    assert image[0].flatten().tolist() == pytest.approx([-1, -1, 0, 1, 1])
    padded = pad_to_multiple(image, (2, 4, 4))
    assert tuple(padded.shape) == (2, 2, 4, 8)
    assert torch.equal(padded[:, :1, :1, :5], image)
    assert float(padded[0, 1].max()) == -1 and float(padded[1, 1].max()) == 0

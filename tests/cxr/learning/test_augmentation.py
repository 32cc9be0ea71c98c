"""Varied radiographs and their boxes: what is painted is found again where the box says."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cxr.learning.radiographs import bright_box

from pneumoscreen.cxr.learning.augmentation import RadiographAugmentation, Variation, draw, vary
from pneumoscreen.cxr.learning.lessons import vary_boxes

NOTHING = RadiographAugmentation(flip=0.0, shift=0.0, tilt=0.0, scale=0.0, contrast=0.0)
SIZE = 128
LUNGS = torch.tensor([[0.66, 0.47, 0.2, 0.4], [0.34, 0.52, 0.16, 0.34]])
"""Left lung first, which lies on the right of the picture."""


def painted(count: int) -> torch.Tensor:
    """Pictures [count, 2, 128, 128]: the left lung in the first channel, the right one in the second."""
    pictures = torch.zeros(count, 2, SIZE, SIZE)
    for channel, (x, y, w, h) in enumerate(LUNGS.tolist()):
        rows = slice(round((y - h / 2) * SIZE), round((y + h / 2) * SIZE))
        columns = slice(round((x - w / 2) * SIZE), round((x + w / 2) * SIZE))
        pictures[:, channel, rows, columns] = 1.0
    return pictures


def boxes(count: int) -> torch.Tensor:
    """What ``painted`` holds, to the pixel."""
    found = [bright_box(channel.numpy() > 0.5) for channel in painted(1)[0]]
    return torch.tensor(found, dtype=torch.float32).expand(count, 2, 4)


@given(
    seed=st.integers(0, 2**32),
    flip=st.sampled_from([0.0, 1.0]),
    shift=st.floats(0.0, 0.1),
    scale=st.floats(0.0, 0.2),
)
@settings(max_examples=25, deadline=None)
def test_a_lung_is_found_where_its_box_went(seed: int, flip: float, shift: float, scale: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    how = RadiographAugmentation(flip=flip, shift=shift, tilt=0.0, scale=scale, contrast=0.0)
    variation = draw(4, how, generator)
    pictures, moved = vary(painted(4), variation, how, generator), vary_boxes(boxes(4), variation)
    for number in range(4):
        for channel in range(2):
            # The channel is of the lung as it was painted; a flip makes the other one of it.
            lung = 1 - channel if flip else channel
            found = bright_box(pictures[number, channel].numpy() > 0.5)
            np.testing.assert_allclose(found, moved[number, lung].numpy(), atol=1.6 / SIZE)


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_a_tilt_takes_the_centres_along(flip: float) -> None:
    generator = torch.Generator().manual_seed(1)
    how = RadiographAugmentation(flip=flip, shift=0.04, tilt=30.0, scale=0.1, contrast=0.0)
    variation = draw(16, how, generator)
    pictures, moved = vary(painted(16), variation, how, generator), vary_boxes(boxes(16), variation)
    angles = torch.atan2(-variation.theta[:, 0, 1], variation.theta[:, 1, 1])
    assert float(angles.abs().max()) > math.radians(15)
    for number in range(16):
        for channel in range(2):
            rows, columns = np.nonzero(pictures[number, channel].numpy() > 0.5)
            center = ((columns.mean() + 0.5) / SIZE, (rows.mean() + 0.5) / SIZE)
            lung = 1 - channel if flip else channel
            np.testing.assert_allclose(center, moved[number, lung, :2].numpy(), atol=0.012)


def test_a_flip_leaves_the_left_lung_first() -> None:
    flipped = RadiographAugmentation(flip=1.0, shift=0.0, tilt=0.0, scale=0.0, contrast=0.0)
    variation = draw(1, flipped, torch.Generator())
    moved = vary_boxes(LUNGS[None], variation)[0]
    mirrored = LUNGS.flip(0).clone()
    mirrored[:, 0] = 1.0 - mirrored[:, 0]
    torch.testing.assert_close(moved, mirrored)
    assert moved[0, 0] > moved[1, 0]
    picture = torch.rand(1, 1, 8, 6)
    torch.testing.assert_close(vary(picture, variation, flipped, torch.Generator()), picture.flip(3))


def test_nothing_is_varied_where_everything_is_0() -> None:
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(3, 2, 16, 16)
    variation = draw(3, NOTHING, generator)
    torch.testing.assert_close(vary(pictures, variation, NOTHING, generator), pictures)
    torch.testing.assert_close(vary_boxes(LUNGS.expand(3, 2, 4), variation), LUNGS.expand(3, 2, 4))


def test_half_of_many_are_flipped_and_the_ranges_are_kept() -> None:
    how = RadiographAugmentation(flip=0.5, shift=0.1, tilt=10.0, scale=0.2, contrast=0.0)
    variation = draw(4000, how, torch.Generator().manual_seed(0))
    assert float(variation.flipped.float().mean()) == pytest.approx(0.5, abs=0.03)
    determinants = torch.linalg.det(variation.theta[:, :, :2])
    assert torch.equal(determinants < 0, variation.flipped)
    scales = determinants.abs().sqrt()
    assert float(scales.min()) == pytest.approx(1 / 1.2, abs=0.01)
    assert float(scales.max()) == pytest.approx(1.2, abs=0.01)
    offsets = variation.theta[:, :, 2].abs() / 2.0
    assert 0.098 < float(offsets.max()) <= 0.1
    angles = torch.rad2deg(torch.atan2(-variation.theta[:, 0, 1], variation.theta[:, 1, 1])).abs()
    assert 9.5 < float(angles.max()) <= 10.001


def test_black_stays_black_and_all_else_changes() -> None:
    how = NOTHING.model_copy(update={"contrast": 0.8})
    pictures = torch.zeros(20, 2, 16, 16)
    pictures[:, :, 4:12, 4:12] = torch.rand(20, 2, 8, 8, generator=torch.Generator().manual_seed(0)) * 0.5 + 0.25
    generator = torch.Generator().manual_seed(3)
    varied = vary(pictures, draw(20, how, generator), how, generator)
    was_black = pictures == 0.0
    assert float(varied[was_black].max()) < 1e-4, "not even where the resampling mixes a trace in"
    assert 0.0 <= float(varied.min()) <= float(varied.max()) <= 1.0
    changes = (varied - pictures).abs().amax(dim=(1, 2, 3))
    assert (changes > 0.01).all()
    assert len(torch.unique(changes)) == 20, "each picture is varied on its own"


def test_a_gamma_bends_the_greys_and_leaves_black_and_white() -> None:
    how = NOTHING.model_copy(update={"gamma": 0.5})
    pictures = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0]).expand(12, 1, 5, 5)
    generator = torch.Generator().manual_seed(3)
    varied = vary(pictures, draw(12, how, generator), how, generator)
    exponents = torch.log(varied[:, 0, 2, 1:4]) / torch.log(pictures[:, 0, 2, 1:4])
    torch.testing.assert_close(exponents, exponents[:, :1].expand(-1, 3), rtol=1e-3, atol=1e-3)
    assert (exponents[:, 0].log().abs() < 0.5).all() and len(torch.unique(exponents[:, 0])) == 12
    torch.testing.assert_close(varied[..., [0, -1]], pictures[..., [0, -1]])


def test_what_comes_from_beyond_the_edge_is_black() -> None:
    how = RadiographAugmentation(contrast=0.5)
    right_by_a_quarter = Variation(torch.tensor([[[1.0, 0.0, -0.5], [0.0, 1.0, 0.0]]]), torch.tensor([False]))
    varied = vary(torch.full((1, 1, 16, 16), 0.6), right_by_a_quarter, how, torch.Generator().manual_seed(0))
    assert not varied[..., :4].any()
    assert varied[..., 5:].min() > 0.0


def test_the_same_generator_gives_the_same_pictures() -> None:
    how = RadiographAugmentation()
    pictures = torch.rand(4, 1, 16, 16)
    results = []
    for _ in range(2):
        generator = torch.Generator().manual_seed(9)
        results.append(vary(pictures, draw(4, how, generator), how, generator))
    assert torch.equal(*results)


def test_the_rim_of_what_was_removed_is_no_brighter_than_the_pixels_beside_it() -> None:
    """Moved by half a pixel, a rim pixel is the mean of black and of its varied neighbour."""
    how = NOTHING.model_copy(update={"contrast": 0.9})
    pictures = torch.zeros(30, 1, 8, 8)
    pictures[..., 4:] = 0.4
    half_a_pixel = Variation(torch.tensor([[[1.0, 0.0, 1 / 8], [0.0, 1.0, 0.0]]]).expand(30, 2, 3), torch.zeros(30) > 0)
    varied = vary(pictures, half_a_pixel, how, torch.Generator().manual_seed(0))
    torch.testing.assert_close(varied[..., 3], varied[..., 4] / 2.0)
    assert not varied[..., :3].any()

"""Augmentation of patches: what it may change and what not."""

import pytest
import torch

from pneumoscreen.ct.learning.augmentation import AugmentationSettings, augment

FLIPS = AugmentationSettings(clip=1.0, brightness=0, contrast=0, noise=0, blur=0, clip_window=0)


def batch(count: int = 64) -> torch.Tensor:
    return torch.rand(count, 1, 64, 64, generator=torch.Generator().manual_seed(0))


def test_flips_alone_give_the_eight_symmetries_and_no_new_value() -> None:
    pixels = torch.arange(64.0).reshape(1, 1, 8, 8).expand(400, -1, -1, -1) / 64
    varied = augment(pixels, FLIPS, torch.Generator().manual_seed(1))
    image = pixels[0, 0]
    symmetries = [torch.rot90(side, turn) for side in (image, image.T) for turn in range(4)]
    found = [min(range(8), key=lambda i: (patch - symmetries[i]).abs().max()) for patch in varied[:, 0]]
    assert max((patch - symmetries[i]).abs().max() for i, patch in zip(found, varied[:, 0], strict=True)) < 1e-4
    assert set(found) == set(range(8))


def test_nothing_asked_for_changes_nothing() -> None:
    still = FLIPS.model_copy(update={"flip": False})
    torch.testing.assert_close(augment(batch(), still, torch.Generator().manual_seed(0)), batch(), atol=1e-4, rtol=0)


def test_all_of_it_stays_in_range_and_differs_by_patch() -> None:
    pixels = batch(1).expand(32, -1, -1, -1)
    varied = augment(pixels, AugmentationSettings(), torch.Generator().manual_seed(2))
    assert varied.shape == pixels.shape
    assert 0.0 <= float(varied.min()) <= float(varied.max()) <= 1.0
    assert torch.unique(varied.flatten(1), dim=0).shape[0] == 32


def test_a_seed_repeats_it() -> None:
    first, second = (augment(batch(), AugmentationSettings(), torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("clip", [0.5, 0.8])
def test_clipping_enlarges_a_part(clip: float) -> None:
    pixels = torch.zeros(200, 1, 64, 64)
    pixels[:, :, 24:40, 24:40] = 1.0
    settings = FLIPS.model_copy(update={"clip": clip, "flip": False})
    areas = augment(pixels, settings, torch.Generator().manual_seed(4)).mean(dim=(1, 2, 3)) * 16
    assert float(areas.min()) > 0.3  # never cropped away
    assert float(areas.max()) < clip**-2 * 1.1
    assert float(areas.max()) > 1.2

"""Varied copies of lungs keep what was drawn where it lies."""

import numpy as np
from tests.cxr.radiographs import BOXES, uneven

from pneumoscreen.cxr.learning.lung_variation import LungVariation, lung_copy
from pneumoscreen.cxr.localization import LocalizationSettings, lung_of

SETTINGS = LocalizationSettings(size=(32, 64), equalised=True, margin=0.1)


def test_without_a_variation_it_is_what_the_network_sees() -> None:
    radiograph = uneven()
    nothing = np.zeros_like(radiograph.pixels)
    for side in ("left", "right"):
        copy = lung_copy(radiograph.pixels, nothing, BOXES[side], side, SETTINGS)
        np.testing.assert_allclose(copy.lung, lung_of(radiograph, BOXES[side], side, SETTINGS), atol=1e-6)
        assert not copy.opacity.any()


def test_what_was_drawn_moves_with_the_lung() -> None:
    pixels = np.full((160, 200), 0.2, np.float32)
    drawn = np.zeros_like(pixels)
    pixels[60:80, 120:140] = 1.0
    drawn[60:80, 120:140] = 1.0
    variation = LungVariation(noise=0.0, blur=1.0)
    for seed in range(5):
        copy = lung_copy(pixels, drawn, BOXES["left"], "left", SETTINGS, variation, np.random.default_rng(seed))
        bright = copy.lung > (copy.lung.max() + copy.lung.min()) / 2
        # A cubic filter and an equalised edge move the outline by a pixel or so.
        both, either = (bright & (copy.opacity > 0.5)).sum(), (bright | (copy.opacity > 0.5)).sum()
        assert both / either > 0.5
        rows, columns = (np.argwhere(mask).mean(axis=0) for mask in (bright, copy.opacity > 0.5))
        np.testing.assert_allclose(rows, columns, atol=1.5)
        assert 0.02 < copy.opacity.mean() < 0.2


def test_the_same_seed_gives_the_same_copy_and_another_one_another() -> None:
    radiograph = uneven()
    nothing = np.zeros_like(radiograph.pixels)

    def copy(seed: int) -> np.ndarray:
        generator = np.random.default_rng(seed)
        return lung_copy(radiograph.pixels, nothing, BOXES["right"], "right", SETTINGS, LungVariation(), generator).lung

    np.testing.assert_array_equal(copy(1), copy(1))
    assert np.abs(copy(1) - copy(2)).mean() > 0.01

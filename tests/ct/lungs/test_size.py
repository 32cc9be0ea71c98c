"""The body's size by slice is the one that each slice gives by itself, step by step with ``scipy.ndimage``."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pneumoscreen.ct.lungs.size import TISSUE_HU, _body_pixels, body_scale


def _plain(tissue: NDArray[np.bool_]) -> int:
    filled = ndimage.binary_fill_holes(ndimage.binary_opening(tissue, np.ones((2, 2), dtype=bool)))
    pieces, count = ndimage.label(filled)
    return int(np.bincount(pieces.ravel())[1:].max()) if count else 0


def test_pixels_of_every_slice() -> None:
    noise = np.random.default_rng(2).normal(size=(9, 41, 37))
    tissue = np.asarray(ndimage.gaussian_filter(noise, (0, 1.5, 2.5)) > 0)
    tissue[0] = False
    tissue[1, 7:30, 5:33] = True
    tissue[1, 12:20, 9:25] = False
    tissue[2, ::2] = False
    assert _body_pixels(tissue).tolist() == [_plain(plane) for plane in tissue]
    assert _body_pixels(tissue)[1] >= 23 * 28 > _body_pixels(tissue)[2] == 0


def test_a_small_body_has_a_small_scale_and_an_empty_scan_none() -> None:
    hu = np.full((12, 96, 96), -1000, dtype=np.int16)
    assert body_scale(hu, (5.0, 2.0, 2.0)) == 1.0
    hu[:, 20:53, 10:43] = TISSUE_HU + 1
    assert body_scale(hu, (5.0, 2.0, 2.0)) == 33 * 2.0 / 165.0

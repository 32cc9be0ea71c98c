"""How large the body is: a newborn's chest has a third of an adult's width and a fortieth of its air."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

SMALLEST_ADULT_MM = 165.0
SMALLEST_SCALE = 0.25
TISSUE_HU = -400
COARSE_SHARE = 96
COARSE_SLICES = 24
SIZE_PERCENTILE = 75


def body_scale(hu: NDArray[np.int16], spacing: tuple[float, float, float]) -> float:
    """Size of the body against the smallest adult's, at most 1.

    Ours: the size is the side of a square as large as the body in its slice, by tissue and what it encloses. The
    chests of adults that we have measured have 180 to 320 mm (half a chest included).

    Args:
        hu: int16 [z, y, x].
        spacing: mm (z, y, x).
    """
    steps = [max(1, n // most) for n, most in zip(hu.shape, (COARSE_SLICES, COARSE_SHARE, COARSE_SHARE), strict=True)]
    starts = [(n - 1) % step // 2 for n, step in zip(hu.shape, steps, strict=True)]
    # From both ends, so that a mirrored scan has the same size.
    both = (hu[:, :, starts[2] :: steps[2]], hu[:, :, ::-1][:, :, starts[2] :: steps[2]])
    coarse = [plane for half in both for plane in half[starts[0] :: steps[0], starts[1] :: steps[1]]]
    pixel_mm2 = spacing[1] * steps[1] * spacing[2] * steps[2]
    sizes = [np.sqrt(_body_pixels(plane > TISSUE_HU) * pixel_mm2) for plane in coarse]
    size = float(np.percentile(sizes, SIZE_PERCENTILE))
    return min(1.0, max(SMALLEST_SCALE, size / SMALLEST_ADULT_MM)) if size > 0 else 1.0


def scaled_spacing(spacing: tuple[float, float, float], scale: float) -> tuple[float, float, float]:
    """Spacing in the millimetres of an adult's body."""
    return spacing[0] / scale, spacing[1] / scale, spacing[2] / scale


def _body_pixels(tissue: NDArray[np.bool_]) -> int:
    """Pixels of the largest piece of tissue in a slice with what it encloses; a table's plates are cut off."""
    thick = ndimage.binary_opening(tissue, np.ones((2, 2), dtype=bool))
    filled = ndimage.binary_fill_holes(thick)
    pieces, count = ndimage.label(filled)
    return int(np.bincount(pieces.ravel())[1:].max()) if count else 0

"""How large the body is: a newborn's chest has a third of an adult's width and a fortieth of its air."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .morphology import IN_SLICE

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
    levels, rows, columns = (slice(start, None, step) for start, step in zip(starts, steps, strict=True))
    # From both ends, so that a mirrored scan has the same size.
    coarse = np.concatenate([hu[levels, rows, columns], hu[:, :, ::-1][levels, rows, columns]])
    pixel_mm2 = spacing[1] * steps[1] * spacing[2] * steps[2]
    sizes = np.sqrt(_body_pixels(coarse > TISSUE_HU) * pixel_mm2)
    size = float(np.percentile(sizes, SIZE_PERCENTILE))
    return min(1.0, max(SMALLEST_SCALE, size / SMALLEST_ADULT_MM)) if size > 0 else 1.0


def scaled_spacing(spacing: tuple[float, float, float], scale: float) -> tuple[float, float, float]:
    """Spacing in the millimetres of an adult's body."""
    return spacing[0] / scale, spacing[1] / scale, spacing[2] / scale


def _body_pixels(tissue: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Pixels [slice] of the largest piece of tissue with what it encloses; a table's plates are cut off."""
    background, _ = ndimage.label(~_thicker_than_one(tissue), IN_SLICE)
    open_air = np.zeros(background.max() + 1, dtype=bool)
    for edge in (background[:, [0, -1], :], background[:, :, [0, -1]]):
        open_air[edge.ravel()] = True
    open_air[0] = False
    pieces, count = ndimage.label(~open_air[background], IN_SLICE)
    if not count:
        return np.zeros(len(tissue), dtype=np.int64)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    return np.asarray(sizes[pieces].max(axis=(1, 2)))


def _thicker_than_one(tissue: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Opening of each slice by a square of two pixels."""
    squares = tissue[:, 1:, 1:] & tissue[:, :-1, 1:] & tissue[:, 1:, :-1] & tissue[:, :-1, :-1]
    opened = np.zeros_like(tissue)
    for rows in (slice(1, None), slice(None, -1)):
        for columns in (slice(1, None), slice(None, -1)):
            opened[:, rows, columns] |= squares
    return opened

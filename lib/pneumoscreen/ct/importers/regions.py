"""An infection mask as the lesions that a reader would mark one by one.

Ours throughout. Drawn masks fall into hundreds of pieces: a lesion is cut by vessels, and the pen leaves specks.
The rule, in this order:

1. No lesion spans both lungs: voxels outside the lung mask go with the side of the plane midway between the lungs.
2. Pieces of one lung with less than ``JOIN_MM`` between them along every axis are one lesion.
3. A lesion below ``SPECK_ML``, a ball of 6 mm, is a speck and is dropped from the mask, unless the case has no larger
   one: then its largest is kept, so that an infected case never turns into a clear one.
4. The largest come first and get the lowest numbers; a label map holds no more than ``MOST_LESIONS``.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...geometry import box_around
from ...images.volume import LEFT, RIGHT

JOIN_MM = 5.0
SPECK_ML = 0.1
MOST_LESIONS = 255
_NEIGHBOURS = np.ones((3, 3, 3), dtype=bool)


@dataclass(frozen=True)
class Lesions:
    """Lesions of one case.

    Attributes:
        numbers: uint8 [z, y, x], the lesion at each voxel, from 1.
        boxes: the index box [z0, y0, x0, z1, y1, x1] of each lesion, in the order of the numbers.
        notes: what was dropped.
    """

    numbers: NDArray[np.uint8]
    boxes: tuple[NDArray[np.float64], ...]
    notes: tuple[str, ...]


def split_lesions(
    infection: NDArray[np.bool_], lungs: NDArray[np.uint8], spacing_zyx: tuple[float, float, float]
) -> Lesions:
    """The lesions of an infection mask.

    Args:
        infection: bool [z, y, x], canonical.
        lungs: uint8 [z, y, x], 1 left, 2 right.
        spacing_zyx: in mm.
    """
    numbers = np.zeros(infection.shape, dtype=np.uint8)
    if not infection.any():
        return Lesions(numbers, (), ())
    window = ndimage.find_objects(infection.view(np.uint8))[0]
    inside = infection[window]
    on_left = _on_left(lungs)[window]
    pieces = _joined(inside & on_left, spacing_zyx)
    others = _joined(inside & ~on_left, spacing_zyx)
    pieces[others > 0] = others[others > 0] + pieces.max()
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    volumes = sizes * float(np.prod(spacing_zyx)) / 1000.0
    order = [int(n) for n in np.argsort(-sizes, kind="stable") if sizes[n]]
    kept = ([n for n in order if volumes[n] >= SPECK_ML] or order[:1])[:MOST_LESIONS]
    renumbered = np.zeros(len(sizes), dtype=np.uint8)
    renumbered[kept] = np.arange(1, len(kept) + 1)
    numbers[window] = renumbered[pieces]
    notes: tuple[str, ...] = ()
    if len(order) > len(kept):
        lost = float(volumes.sum() - volumes[kept].sum())
        notes = (f"{len(order) - len(kept)} specks of the infection mask ({lost:.2f} ml in all) were dropped.",)
    return Lesions(numbers, tuple(box_around(found) for found in ndimage.find_objects(numbers)), notes)


def _on_left(lungs: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether a voxel belongs to the left side: by the lung it is in, else by the plane midway between the lungs."""
    columns = np.arange(lungs.shape[2])
    profiles = {side: (lungs == side).sum(axis=(0, 1)) for side in (LEFT, RIGHT)}
    centers = [float((p * columns).sum() / p.sum()) for p in profiles.values() if p.any()]
    only_left = bool(profiles[LEFT].any())
    beyond = columns > sum(centers) / 2 if len(centers) == 2 else np.full(len(columns), only_left)
    return (lungs == LEFT) | ((lungs != RIGHT) & beyond)


def _joined(mask: NDArray[np.bool_], spacing_zyx: tuple[float, float, float]) -> NDArray[np.int32]:
    grown = mask.view(np.uint8)
    for axis, spacing in enumerate(spacing_zyx):
        reach = int(JOIN_MM / 2 / spacing)
        grown = ndimage.maximum_filter1d(grown, 2 * reach + 1, axis=axis) if reach else grown
    labels, _ = ndimage.label(grown, _NEIGHBOURS)
    joined: NDArray[np.int32] = labels * mask
    return joined

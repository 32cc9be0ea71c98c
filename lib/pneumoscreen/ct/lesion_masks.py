"""Which voxels of a lesion mask belong to which region of a document.

The mask was drawn once; readers go on correcting the document. A region keeps the voxels of a number only while its
box is still the box of these voxels: where a reader moved a region, drew a new one or took one away, the mask says
nothing of it any more.
"""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from ..case import Region
from ..geometry import box_around, iou

SAME_BOX_IOU = 0.5
"""Ours: overlap of a region's box with the bounding box of a number's voxels from which they are taken for the same.
Masks and documents that are written together agree fully; a reader who moves a region moves it by more than this."""

_DIGITS = re.compile(r"\d+$")


def numbers_of(regions: Sequence[Region], boxes: Sequence[NDArray[np.float64]], mask: NDArray[np.uint8]) -> list[int]:
    """The number of each region's voxels in the mask; 0 where the mask holds none for it.

    Where several numbers fit, the digits at the end of the region's id decide, then its place in the document, then
    the overlap. A number goes to one region only.

    Args:
        regions: of a document.
        boxes: their index boxes [z0, y0, x0, z1, y1, x1].
        mask: lesion numbers [z, y, x].
    """
    extents = {
        number: box_around(found) for number, found in enumerate(find_objects(mask), start=1) if found is not None
    }
    if not extents or not regions:
        return [0] * len(regions)
    overlaps = iou(np.stack(boxes), np.stack(list(extents.values())))
    fits = []
    for place, region in enumerate(regions):
        digits = _DIGITS.search(region.id)
        hints = (int(digits.group()) if digits else 0, place + 1)
        for column, number in enumerate(extents):
            overlap = float(overlaps[place, column])
            if overlap >= SAME_BOX_IOU:
                rank = hints.index(number) if number in hints else len(hints)
                fits.append((rank, -overlap, place, number))
    numbers = [0] * len(regions)
    for _, _, place, number in sorted(fits):
        if not numbers[place] and number not in numbers:
            numbers[place] = number
    return numbers

"""How much of each region is infected, by the candidate network's infection mask (ours)."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...case import LungInfo, Region
from ...images.volume import Volume, box_voxels
from ..lungs.segmentation import SIDES, Lungs


def infected_ml(
    volume: Volume,
    lungs: Lungs,
    infection: NDArray[np.bool_],
    boxes: Sequence[NDArray[np.float64]],
    sides: Sequence[str],
) -> list[float]:
    """Infected millilitres of each region.

    An infected voxel counts in the first box that holds it, and only in the lung that the region lies in: so the
    volumes of a lung's regions add up to no more than is infected in it.

    Args:
        volume: the scan.
        lungs: its lungs.
        infection: bool [z, y, x], infected voxels of the scan.
        boxes: index boxes on its grid, the best region's first.
        sides: the lung of each.
    """
    voxel_ml = float(np.prod(volume.spacing_mm)) / 1000.0
    free = infection.copy()
    found = []
    for box, side in zip(boxes, sides, strict=True):
        inside = box_voxels(box, free.shape)
        own = free[inside] & lungs.side_mask_in(side, inside)
        found.append(float(np.count_nonzero(own)) * voxel_ml)
        free[inside] &= ~own
    return found


def measured(
    volume: Volume, lungs: Lungs, infection: NDArray[np.bool_], regions: Sequence[Region]
) -> tuple[Region, ...]:
    """The regions with the infected volume of each, their own order deciding what is whose."""
    boxes = [volume.box_from_mm(np.array(region.center_mm), np.array(region.size_mm)) for region in regions]
    volumes = infected_ml(volume, lungs, infection, boxes, [region.side for region in regions])
    return tuple(replace(region, infected_ml=ml) for region, ml in zip(regions, volumes, strict=True))


def lung_infos(volume: Volume, lungs: Lungs) -> dict[str, LungInfo]:
    """Volume of each lung in view, without the affected share: that follows from the regions."""
    volumes = {side: lungs.volume_ml(side, volume.spacing_mm) for side in SIDES}
    return {side: LungInfo(ml, 0.0) for side, ml in volumes.items() if ml > 0.0}

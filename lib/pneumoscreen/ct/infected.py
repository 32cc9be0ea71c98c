"""How much of a region is infected, by the candidate network's infection mask (ours)."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..case import Region
from ..images.volume import Volume, box_voxels


def infected_ml(volume: Volume, infection: NDArray[np.bool_], box: NDArray[np.float64]) -> float:
    """Infected millilitres inside a box.

    Args:
        volume: the scan.
        infection: bool [z, y, x], infected voxels of the scan.
        box: [6], index box on its grid.
    """
    voxels = int(np.count_nonzero(infection[box_voxels(box, infection.shape)]))
    return voxels * float(np.prod(volume.spacing_mm)) / 1000.0


def measured(volume: Volume, infection: NDArray[np.bool_], regions: Sequence[Region]) -> tuple[Region, ...]:
    """The regions with the infected volume inside each."""
    return tuple(
        replace(
            region,
            infected_ml=infected_ml(
                volume, infection, volume.box_from_mm(np.array(region.center_mm), np.array(region.size_mm))
            ),
        )
        for region in regions
    )

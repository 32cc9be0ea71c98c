"""What was marked in a scan voxel by voxel."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .volume import Volume


@dataclass(frozen=True)
class Masks:
    """What a screening marked, on the grid of its volume.

    Attributes:
        volume: the scan.
        lungs: [z, y, x], see ``volume.LEFT``.
        infection: [z, y, x], infected voxels.
    """

    volume: Volume
    lungs: NDArray[np.uint8]
    infection: NDArray[np.bool_]

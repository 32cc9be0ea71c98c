"""What the repair of a lung must not take: organs under the diaphragm, and the aorta beside the spine."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...images.volume import LEFT, RIGHT
from .grid import LungGrid
from .morphology import eroded_in_slice

LOOK_BELOW_MM = 60.0
BELOW_SHARE = 0.2
AERATED_HU = -150
AERATED_SHARE = 0.1
AORTA_ASIDE_MM = 45.0
AORTA_FRONT_MM = 55.0
AORTA_REACH_MM = 30.0
SPINE_ASIDE_MM = 15.0


def above_diaphragm(
    grid: LungGrid, labels: NDArray[np.uint8], hu: NDArray[np.int16], fill: NDArray[np.bool_], middle: float
) -> NDArray[np.bool_]:
    """The pieces of a fill that are lung: some lung lies under them, or air is left in them.

    Ours: the mirrored lung shows where lung ought to be, but not how high the diaphragm stands. A liver or a
    spleen has neither lung under it nor air inside.

    Args:
        grid: the reduced grid.
        labels: uint8 [z, y, x], lungs so far.
        hu: int16 [z, y, x], of the same window.
        fill: bool [z, y, x], what is to be added.
        middle: x block of the plane between the two sides.
    """
    pieces, count = ndimage.label(fill)
    if not count:
        return fill
    covered = np.zeros_like(fill)
    for side, columns in ((LEFT, np.arange(fill.shape[2]) > middle), (RIGHT, np.arange(fill.shape[2]) <= middle)):
        covered |= _lung_below(labels == side, round(LOOK_BELOW_MM / grid.spacing[0])) & columns
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    below = np.bincount(pieces[covered], minlength=count + 1)
    inner = eroded_in_slice(fill, 1)
    aerated = np.bincount(pieces[inner & (hu < AERATED_HU)], minlength=count + 1)
    whole = np.bincount(pieces[inner], minlength=count + 1)
    kept = (below > BELOW_SHARE * sizes) | (aerated > AERATED_SHARE * np.maximum(whole, 1))
    kept[0] = False
    return kept[pieces]


def _lung_below(lung: NDArray[np.bool_], slices: int) -> NDArray[np.bool_]:
    """Blocks that have lung in the same column at most so many slices below."""
    counts = np.cumsum(lung, axis=0, dtype=np.int32)
    counts = np.concatenate([np.zeros_like(counts[:1]), counts])
    top = np.arange(len(lung))
    return counts[top] > counts[np.maximum(top - slices, 0)]


def aorta_zone(grid: LungGrid, lung: NDArray[np.uint8], bone: NDArray[np.bool_], middle: float) -> NDArray[np.bool_]:
    """Blocks beside and before the spine that bear air in no slice nearby.

    Ours: the descending aorta runs upright, so that its columns are airless over a long way, while
    consolidation beside it ends after a few centimetres and then shows aerated lung in the same column. Both sides
    are treated alike. Without bone in view the zone is empty.

    Args:
        grid: the reduced grid.
        lung: uint8 [z, y, x], air-bearing lung by side.
        bone: bool [z, y, x].
        middle: x block of the plane between the two sides.
    """
    aside = np.abs(np.arange(lung.shape[2]) - middle) * grid.spacing[2]
    profile = np.count_nonzero(bone[:, :, aside < SPINE_ASIDE_MM], axis=(0, 2)).astype(np.float64)
    lung_rows = np.flatnonzero((lung > 0).any(axis=(0, 2)))
    profile[: (lung_rows[0] + lung_rows[-1]) // 2] = 0
    zone = np.zeros(lung.shape, dtype=bool)
    if not profile.any():
        return zone
    spine = int(ndimage.uniform_filter1d(profile, max(1, int(20 / grid.spacing[1]) | 1)).argmax())
    rows = slice(max(spine - round(AORTA_FRONT_MM / grid.spacing[1]), 0), spine + 1)
    columns = np.flatnonzero(aside < AORTA_ASIDE_MM)
    across = slice(int(columns[0]), int(columns[-1]) + 1)
    reach = 2 * round(AORTA_REACH_MM / grid.spacing[0]) + 1
    near = ndimage.maximum_filter1d(lung[:, rows, across], reach, axis=0, mode="constant")
    zone[:, rows, across] = near == 0
    return zone

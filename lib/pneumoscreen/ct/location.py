"""Relative distance-from-edge: where in its lung a patch lies (Xu et al. 2020, section 2.5.1).

The smallest distance, in the axial slice, from the centre of the patch to the edge of the lung mask,
divided by the diagonal of the smallest upright rectangle around the lungs in that slice. Both in mm, so
that neither the pixel size nor the size of the patient enters.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def relative_distance_from_edge(
    lung: NDArray[np.bool_], spacing_yx_mm: Sequence[float], center_yx: Sequence[float] | NDArray[np.float64]
) -> float | None:
    """Distance of a patch centre from the edge of the lungs, as a share of the lungs' diagonal.

    Ours, where the paper is silent: the edge runs along the sides of the pixels, the border of the image
    included where a lung is cut off by it; a centre outside the mask lies at distance 0; a slice
    without lung has no distance.

    Args:
        lung: bool [y, x], the mask of both lungs in one axial slice.
        spacing_yx_mm: distance of rows and of columns in mm.
        center_yx: continuous index of the patch centre; pixel k covers k - 0.5 to k + 0.5.

    Returns:
        A value in [0, 0.5], or None where the slice holds no lung.
    """
    rows, columns = np.flatnonzero(lung.any(axis=1)), np.flatnonzero(lung.any(axis=0))
    if rows.size == 0:
        return None
    first = np.array([rows[0], columns[0]])
    shape = np.array([rows[-1], columns[-1]]) - first + 1
    spacing = np.asarray(spacing_yx_mm, dtype=np.float64)
    diagonal = float(np.hypot(*(shape * spacing)))
    # One ring of outside around the rectangle stands for all that lies beyond it, the image's border included.
    outside = np.ones(shape + 2, dtype=bool)
    outside[1:-1, 1:-1] = ~lung[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    center = np.asarray(center_yx, dtype=np.float64) - first + 1
    nearest = np.floor(center + 0.5).astype(int)
    if np.any(nearest < 0) or np.any(nearest >= outside.shape) or outside[tuple(nearest)]:
        return 0.0
    down, across = (
        np.maximum(np.abs(np.arange(size) - c) - 0.5, 0.0) * step
        for size, c, step in zip(outside.shape, center, spacing, strict=True)
    )
    squared = down[:, None] ** 2 + across[None, :] ** 2
    return float(np.sqrt(squared[outside].min())) / diagonal

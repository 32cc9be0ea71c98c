"""Boxes: how much two of them share, and which belong together. The only place for it.

A box is [low..., high...]: three lower and three upper bounds (z, y, x) of a CT, or two and two of a picture, in any
coordinates in which sizes can be multiplied. Nothing here knows an image.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

ONE_FOCUS = 0.5
"""Ours: two boxes that share more than this part of the smaller one show one focus."""


def sizes(boxes: ArrayLike) -> NDArray[np.float64]:
    """Volume (or area) [n] of boxes [n, 2d]."""
    a = _rows(boxes)
    dimensions = a.shape[1] // 2
    return np.asarray(np.clip(a[:, dimensions:] - a[:, :dimensions], 0.0, None).prod(axis=1))


def box_around(window: tuple[slice, ...]) -> NDArray[np.float64]:
    """The box around the voxels of a window; voxel k covers k - 0.5 to k + 0.5."""
    return np.array([s.start for s in window] + [s.stop for s in window], dtype=np.float64) - 0.5


def shared(boxes: ArrayLike, others: ArrayLike) -> NDArray[np.float64]:
    """Volume [n, m] that boxes [n, 2d] and others [m, 2d] have in common."""
    a, b = _rows(boxes)[:, None], _rows(others)[None]
    dimensions = max(a.shape[-1], b.shape[-1]) // 2
    sides = np.minimum(a[..., dimensions:], b[..., dimensions:]) - np.maximum(a[..., :dimensions], b[..., :dimensions])
    return np.asarray(np.clip(sides, 0.0, None).prod(axis=-1))


def iou(boxes: ArrayLike, others: ArrayLike) -> NDArray[np.float64]:
    """Intersection over union [n, m]; 0 where both boxes are empty."""
    common = shared(boxes, others)
    together = sizes(boxes)[:, None] + sizes(others)[None] - common
    return np.divide(common, together, out=np.zeros_like(common), where=together > 0)


def share_of_smaller(boxes: ArrayLike, others: ArrayLike) -> NDArray[np.float64]:
    """Intersection over the smaller box [n, m]: 1 where one lies inside the other, whatever their sizes."""
    common = shared(boxes, others)
    smaller = np.minimum(sizes(boxes)[:, None], sizes(others)[None])
    return np.divide(common, smaller, out=np.zeros_like(common), where=smaller > 0)


def distinct(
    boxes: ArrayLike,
    most: float = ONE_FOCUS,
    measure: Callable[[ArrayLike, ArrayLike], NDArray[np.float64]] = share_of_smaller,
) -> NDArray[np.intp]:
    """Rows of boxes [n, 2d], best first, that overlap every better one kept by at most ``most``, as ``measure`` has it.

    With ``iou`` this is non-maximum suppression.
    """
    rows = _rows(boxes)
    overlap = measure(rows, rows)
    kept: list[int] = []
    for i in range(len(rows)):
        if not kept or overlap[i, kept].max() <= most:
            kept.append(i)
    return np.array(kept, dtype=np.intp)


def _rows(boxes: ArrayLike) -> NDArray[np.float64]:
    a = np.asarray(boxes, dtype=np.float64)
    return a.reshape(0, 6) if not a.size else a.reshape(-1, a.shape[-1])

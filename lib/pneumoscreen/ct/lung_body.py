"""The air inside the body: what is neither outside the patient nor in the table."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .lung_grid import LungGrid

TISSUE_HU = -400
TABLE_PLATE_MM = 3.0
POCKET_CM2 = 40.0
LATERAL_CONTACT = 0.4
IN_SLICE = np.zeros((3, 3, 3), dtype=bool)
IN_SLICE[1] = ndimage.generate_binary_structure(2, 1)


def inside_body(grid: LungGrid) -> NDArray[np.bool_]:
    """Blocks that lie within the skin: tissue and everything that tissue encloses in its slice.

    Ours: the body is the largest connected piece of tissue after an opening that cuts off table and clothes.
    Air that reaches the front or the back of the picture is outside. Air that reaches only a
    lateral edge may be a lung cut by the edge of the picture, so it counts as outside only when it runs along
    much of that edge, or is a small pocket under outside air (an arm at the side).

    Returns:
        bool [z, y, x] on the reduced grid.
    """
    tissue = grid.hu > TISSUE_HU
    radius = int(TABLE_PLATE_MM / grid.spacing[1])
    body = _largest(_open_in_slice(tissue, radius))
    if radius:
        # A thin chest wall is as thin as a table's plate: what touches the body comes back.
        body = tissue & _filter_in_slice(body, 6 * radius + 1, ndimage.maximum_filter1d)
    pieces, count = ndimage.label(~body, IN_SLICE)
    if not count:
        return body
    outside = np.zeros(count + 1, dtype=bool)
    outside[pieces[:, [0, -1], :].ravel()] = True
    for edge in (pieces[:, :, 0], pieces[:, :, -1]):
        outside |= np.bincount(edge.ravel(), minlength=count + 1) > LATERAL_CONTACT * body.shape[1]
    outside[0] = False
    areas = np.bincount(pieces.ravel(), minlength=count + 1) * grid.pixel_cm2
    _spread_outside(pieces, outside, areas < POCKET_CM2)
    return ~outside[pieces]


def _spread_outside(pieces: NDArray[np.int32], outside: NDArray[np.bool_], small: NDArray[np.bool_]) -> None:
    """Take small pieces that lie mostly over outside air of the next slice as outside too."""
    depth = len(pieces)
    for order in (range(1, depth), range(depth - 2, -1, -1)):
        step = -1 if order.step == 1 else 1
        for z in order:
            here, next_outside = pieces[z], outside[pieces[z + step]]
            unsettled = small[here] & ~outside[here] & (here > 0)
            if not (unsettled & next_outside).any():
                continue
            names, first = np.unique(here[unsettled], return_inverse=True)
            share = np.bincount(first, weights=next_outside[unsettled]) / np.bincount(first)
            outside[names[share > 0.5]] = True


def _open_in_slice(mask: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    if radius < 1:
        return mask
    size = 2 * radius + 1
    eroded = _filter_in_slice(mask, size, ndimage.minimum_filter1d)
    return _filter_in_slice(eroded, size, ndimage.maximum_filter1d)


def _filter_in_slice(mask: NDArray[np.bool_], size: int, rank: Callable[..., NDArray[np.uint8]]) -> NDArray[np.bool_]:
    rows = rank(mask.view(np.uint8), size, axis=1, mode="nearest")
    return rank(rows, size, axis=2, mode="nearest").astype(bool)


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    pieces, count = ndimage.label(mask)
    if count < 2:
        return mask
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    return pieces == sizes.argmax()

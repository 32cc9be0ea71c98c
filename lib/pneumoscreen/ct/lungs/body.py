"""The air inside the body: what is neither outside the patient nor in the table."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .grid import LungGrid
from .morphology import IN_SLICE, grown_in_slice, shrunk_in_slice

TISSUE_HU = -400
TABLE_PLATE_MM = 3.0
POCKET_CM2 = 40.0
LOWEST_AIR_HU = -1100
LATERAL_CONTACT = 0.4
THIN_WALL_CM2 = 3.0
WITHIN_TRUNK = 0.9


def inside_body(grid: LungGrid) -> NDArray[np.bool_]:
    """Blocks that lie within the skin: tissue and everything that tissue encloses in its slice.

    Ours: the body is the largest connected piece of tissue after an opening that cuts off table and clothes.
    Air that reaches the front or the back of the picture is outside. Air that reaches only a
    lateral edge may be a lung cut by the edge of the picture, so it counts as outside only when it runs along
    much of that edge, or is a small pocket under outside air (an arm at the side). The opening also cuts
    through the chest wall of a thin patient: air that all tissue together encloses is inside as well, where it
    lies within the body's extent in its slice (the hollow of a table does not).

    Returns:
        bool [z, y, x] on the reduced grid.
    """
    tissue = grid.hu > TISSUE_HU
    radius = int(TABLE_PLATE_MM / grid.spacing[1])
    trunk = _largest(grown_in_slice(shrunk_in_slice(tissue, radius), radius))
    body = trunk
    if radius:
        # A thin chest wall is as thin as a table's plate: what touches the body comes back.
        body = tissue & grown_in_slice(trunk, 3 * radius)
    inside = _enclosed(grid, body)
    if radius:
        inside |= _behind_thin_wall(grid, tissue, trunk, inside)
    return inside


def air_reference(grid: LungGrid, inside: NDArray[np.bool_]) -> float:
    """HU of free air in this scan; padding below it is left aside."""
    outside = grid.hu[~inside]
    outside = outside[outside > LOWEST_AIR_HU]
    return float(np.percentile(outside, 25)) if outside.size > 1000 else -1000.0


def _enclosed(grid: LungGrid, body: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The body and the air that it encloses."""
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


def _behind_thin_wall(
    grid: LungGrid, tissue: NDArray[np.bool_], trunk: NDArray[np.bool_], inside: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Air that the unopened tissue encloses within the trunk's extent in its slice, and that is not inside yet."""
    pieces, count = ndimage.label(~tissue, IN_SLICE)
    open_air = np.zeros(count + 1, dtype=bool)
    for edge in (pieces[:, [0, -1], :], pieces[:, :, [0, -1]]):
        open_air[edge.ravel()] = True
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    missed = sizes - np.bincount(pieces[inside], minlength=count + 1)
    candidates = ~open_air & (missed > 0.5 * sizes) & (sizes * grid.pixel_cm2 > THIN_WALL_CM2)
    candidates[0] = False
    within = np.bincount(pieces[_extent(trunk)], minlength=count + 1)
    return (candidates & (within > WITHIN_TRUNK * sizes))[pieces]


def _extent(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The box around the mask in each slice."""
    rows, columns = mask.any(axis=2), mask.any(axis=1)
    spans = []
    for line in (rows, columns):
        forward = np.logical_or.accumulate(line, axis=1)
        backward = np.logical_or.accumulate(line[:, ::-1], axis=1)[:, ::-1]
        spans.append(forward & backward)
    return spans[0][:, :, None] & spans[1][:, None, :]


def _spread_outside(pieces: NDArray[np.int32], outside: NDArray[np.bool_], small: NDArray[np.bool_]) -> None:
    """Take small pieces that lie mostly over outside air of the next slice as outside too."""
    depth = len(pieces)
    candidates = small & ~outside
    candidates[0] = False
    levels = candidates[pieces].any(axis=(1, 2))
    for order in (range(1, depth), range(depth - 2, -1, -1)):
        step = -1 if order.step == 1 else 1
        for z in order:
            if not levels[z]:
                continue
            here, next_outside = pieces[z], outside[pieces[z + step]]
            unsettled = candidates[here] & ~outside[here]
            if not (unsettled & next_outside).any():
                continue
            names, first = np.unique(here[unsettled], return_inverse=True)
            share = np.bincount(first, weights=next_outside[unsettled]) / np.bincount(first)
            outside[names[share > 0.5]] = True


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    pieces, count = ndimage.label(mask)
    if count < 2:
        return mask
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    return pieces == sizes.argmax()

"""Put back what a threshold loses: disease as dense as the chest wall, vessels, nodules at the pleura.

Ours. The thoracic wall is described, slice by slice, by its distance from the middle of the chest in every
direction (a polar map [slice, angle]). Where the aerated lung reaches the wall in neighbouring slices and
directions but not here, the wall is where the neighbours have it, and what lies between is diseased lung.
Where a whole sector is airless, the other lung, mirrored, says how far the lung reaches inwards.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...images.volume import LEFT, RIGHT
from .barriers import above_diaphragm, aorta_zone
from .grid import LungGrid, near_by
from .morphology import IN_SLICE, Window, box_of, opened_in_slice, without_holes
from .sides import BONE_HU, Sides

ANGLES = 180
CLOSING_MM = 7.0
GAP_DEGREES = 50
GAP_MM = 110.0
COSTAL_DEGREES = (35.0, 140.0)
HOLE_CM2 = 6.0
THINNEST_FILL_MM = 4.0
LOST_CONTACT_MM = 7.0
SPINE_HALF_MM = 20.0
REPAIRED_DEGREES = (20.0, 145.0)
MIRRORED_DEGREES = (0.0, 100.0)
NARROWEST_GAP_DEGREES = 8.0
NARROWEST_LOSS_DEGREES = 12.0
AORTA_DEGREES = 28.0
SHALLOW_MM = 30.0
DEEPEST_MM = 60.0
MIRROR_SHARE = 0.92
DIAPHRAGM_MM = 24.0
RIB_SHARE = 0.7
RIB_GAP_MM = 25.0
RIB_SLACK_MM = 4.0
PLEURA_MM = 2.0
RIB_DEPTH_MM = 16.0
RIBBED_DEGREES = (15.0, 110.0)
DORSAL_DEGREES = 75.0
LATERAL_REACH_MM = 55.0
SMALLEST_FILL_ML = 3.0


@dataclass(frozen=True)
class PolarFrame:
    """Directions and distances from the middle of the chest, in every slice alike.

    Attributes:
        rows, columns: block indices [angle, radius] of the sampled rays.
        step_mm: distance between samples.
        angle: index of the direction of each block, [y, x].
        radius: distance of each block from the middle in mm, [y, x].
    """

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    step_mm: float
    angle: NDArray[np.intp]
    radius: NDArray[np.float32]


def repair_lungs(
    grid: LungGrid, sides: Sides, inside: NDArray[np.bool_], barred: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Lung labels with disease, vessels and small gaps put back.

    Args:
        grid: the reduced grid.
        sides: air-bearing lung by side.
        inside: blocks within the skin.
        barred: airways and their walls.

    Returns:
        uint8 [z, y, x] on the reduced grid.
    """
    window = _window(grid, sides.labels)
    part = sides.labels[window]
    hu, bar = grid.hu[window], barred[window]
    middle = sides.middle - window[2].start
    frame = _polar_frame(grid, part, middle)
    bone = _bone(hu)
    barrier = bar | bone | aorta_zone(grid, part, bone, middle)
    labels = closed = _close_sides(grid, part, barrier)
    wall = _wall_map(grid, frame, labels)
    limit = _bone_limit(grid, frame, bone, wall)
    labels = _fill_to_wall(grid, frame, labels, wall, limit, barrier, middle)
    if not sides.single:
        labels = _fill_from_mirror(grid, frame, labels, wall, limit, barrier, middle, hu)
    changed = [side for side in (LEFT, RIGHT) if not np.array_equal(labels == side, closed == side)]
    labels = _close_sides(grid, labels, barrier, changed)
    result = np.zeros_like(sides.labels)
    result[window] = labels
    return result


def _window(grid: LungGrid, labels: NDArray[np.uint8]) -> Window:
    margin = [int(np.ceil(15 / mm)) for mm in grid.spacing]
    box = box_of(labels > 0)
    assert box is not None, "the lungs hold a block"
    starts = [max(s.start - m, 0) for s, m in zip(box, margin, strict=True)]
    stops = [min(s.stop + m, n) for s, m, n in zip(box, margin, labels.shape, strict=True)]
    return slice(starts[0], stops[0]), slice(starts[1], stops[1]), slice(starts[2], stops[2])


def _bone(hu: NDArray[np.int16]) -> NDArray[np.bool_]:
    return hu >= BONE_HU + 60 if hu.max() > 400 else hu >= BONE_HU


def _close_sides(
    grid: LungGrid, labels: NDArray[np.uint8], barrier: NDArray[np.bool_], sides: Sequence[int] = (LEFT, RIGHT)
) -> NDArray[np.uint8]:
    """Close small gaps of each lung by a ball, then fill its holes; both lungs at the same time."""
    closed = labels.copy()
    with ThreadPoolExecutor(max_workers=2) as pool:
        found = list(pool.map(lambda side: _close(grid, labels == side, barrier), sides))
    for side, (window, filled) in zip(sides, found, strict=True):
        target = closed[window]
        target[filled & (target == 0)] = side
    return closed


def _close(
    grid: LungGrid, mask: NDArray[np.bool_], barrier: NDArray[np.bool_]
) -> tuple[tuple[slice, ...], NDArray[np.bool_]]:
    """A window around a lung, and the closed lung in it, outside the barrier."""
    box = box_of(mask)
    if box is None:
        empty = (slice(0, 0),) * 3
        return empty, mask[empty]
    window = tuple(
        slice(max(s.start - m, 0), s.stop + m)
        for s, m in zip(box, [int(CLOSING_MM / mm) + 2 for mm in grid.spacing], strict=True)
    )
    local, blocked = mask[window], barrier[window]
    filled = _ball_closing(local, CLOSING_MM, grid.spacing) & ~blocked
    return window, _fill_holes(filled | local, grid.pixel_cm2) & ~blocked


def _ball_closing(mask: NDArray[np.bool_], radius: float, spacing: tuple[float, ...]) -> NDArray[np.bool_]:
    return ~near_by(~near_by(mask, radius, spacing), radius, spacing)


def _fill_holes(mask: NDArray[np.bool_], pixel_cm2: float) -> NDArray[np.bool_]:
    """Fill what a lung encloses altogether, and small holes of a slice; the dome of the liver is neither."""
    filled = without_holes(mask)
    holes, count = ndimage.label(~filled, IN_SLICE)
    sizes = np.bincount(holes.ravel(), minlength=count + 1) * pixel_cm2
    return filled | (sizes < HOLE_CM2)[holes] & (holes > 0)


def _polar_frame(grid: LungGrid, labels: NDArray[np.uint8], middle: float) -> PolarFrame:
    _, dy, dx = grid.spacing
    height, width = labels.shape[1:]
    profile = (labels > 0).sum(axis=(0, 2))
    center_y = (profile * np.arange(height)).sum() / profile.sum()
    step = min(dy, dx)
    longest = int(np.hypot(height * dy, width * dx) / step)
    turn = 2 * np.pi * (np.arange(ANGLES) + 0.5) / ANGLES
    reach = np.arange(longest) * step
    rows = np.rint(center_y + np.outer(np.cos(turn), reach) / dy).astype(np.intp)
    columns = np.rint(middle + np.outer(np.sin(turn), reach) / dx).astype(np.intp)
    away_y = (np.arange(height) - center_y)[:, None] * dy
    away_x = (np.arange(width) - middle)[None, :] * dx
    angle = np.floor(np.arctan2(away_x, away_y) % (2 * np.pi) * ANGLES / (2 * np.pi)).astype(np.intp) % ANGLES
    return PolarFrame(rows, columns, step, angle, np.hypot(away_y, away_x).astype(np.float32))


def _sample(frame: PolarFrame, array: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Values along the rays, [slice, angle, radius]; False beyond the picture."""
    height, width = array.shape[1:]
    valid = (frame.rows >= 0) & (frame.rows < height) & (frame.columns >= 0) & (frame.columns < width)
    flat = np.where(valid, frame.rows * width + frame.columns, 0)
    return array.reshape(len(array), -1)[:, flat] & valid


def _farthest(rays: NDArray[np.bool_], step: float) -> NDArray[np.float32]:
    last = rays.shape[-1] - 1 - rays[..., ::-1].argmax(axis=-1)
    return np.where(rays.any(axis=-1), last * step, 0).astype(np.float32)


def _wall_map(grid: LungGrid, frame: PolarFrame, labels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Distance of the thoracic wall from the middle in mm, [slice, angle]; 0 where the lungs do not tell.

    A gap between slices is closed in every direction, a gap between directions only where the wall is costal
    and so bulges outwards, and only when it is shallow: below the dome of the diaphragm it is the liver's.
    """
    outer = _farthest(_sample(frame, labels > 0), frame.step_mm)
    angles = int(GAP_DEGREES * ANGLES / 360) | 1
    slices = int(GAP_MM / grid.spacing[0]) | 1
    padded = np.pad(outer, ((slices, slices), (0, 0)))
    above = ndimage.grey_closing(padded, size=(slices, 1), mode="constant")[slices:-slices]
    above[above - outer > DEEPEST_MM] = 0
    around = ndimage.grey_closing(outer, size=(1, angles), mode="wrap")
    around[~_between_degrees(*COSTAL_DEGREES) | (around - outer > SHALLOW_MM)] = 0
    return np.maximum(np.maximum(above, around), outer)


def _bone_limit(
    grid: LungGrid, frame: PolarFrame, bone: NDArray[np.bool_], wall: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Distance of the rib cage in mm, [slice, angle], inf where no rib is near."""
    rays = _sample(frame, bone)
    reach = np.arange(rays.shape[-1]) * frame.step_mm
    rays &= reach > RIB_SHARE * np.maximum(wall, wall[:, ::-1])[..., None]
    first = np.where(rays.any(axis=-1), rays.argmax(axis=-1) * frame.step_mm, np.inf)
    slices = int(RIB_GAP_MM / grid.spacing[0]) | 1
    return ndimage.minimum_filter(first, size=(slices, 3), mode=("nearest", "wrap")) + RIB_SLACK_MM


def _fill_to_wall(
    grid: LungGrid,
    frame: PolarFrame,
    labels: NDArray[np.uint8],
    wall: NDArray[np.float32],
    limit: NDArray[np.float32],
    barrier: NDArray[np.bool_],
    middle: float,
) -> NDArray[np.uint8]:
    """Fill from the outermost aerated block of each ray to the wall, or to the ribs where they are near."""
    outer = _farthest(_sample(frame, labels > 0), frame.step_mm)
    wall = np.minimum(wall, limit)
    pleura = limit - RIB_SLACK_MM - PLEURA_MM
    ribbed = _between_degrees(*RIBBED_DEGREES) & (outer > RIB_SHARE * pleura) & (pleura - outer < RIB_DEPTH_MM)
    wall = np.where(ribbed, np.maximum(wall, pleura), wall)
    gap = (outer > 0) & (wall - outer > THINNEST_FILL_MM) & _between_degrees(*REPAIRED_DEGREES)
    gap = _wide_sectors(gap, NARROWEST_GAP_DEGREES)
    fill = (frame.radius > outer[:, frame.angle]) & (frame.radius <= wall[:, frame.angle]) & gap[:, frame.angle]
    fill &= (labels == 0) & ~barrier & ~_near_spine(grid, labels.shape, middle)
    return _add_fill(grid, labels, fill, middle)


def _fill_from_mirror(
    grid: LungGrid,
    frame: PolarFrame,
    labels: NDArray[np.uint8],
    wall: NDArray[np.float32],
    limit: NDArray[np.float32],
    barrier: NDArray[np.bool_],
    middle: float,
    hu: NDArray[np.int16],
) -> NDArray[np.uint8]:
    """Fill what is lung in the mirrored other side, in directions that lost contact with the wall and in masses.

    The two halves of the diaphragm differ in height, so that the mirrored lung counts only where it goes on
    for another ``DIAPHRAGM_MM`` below.
    """
    outer = _farthest(_sample(frame, labels > 0), frame.step_mm)
    mirrored_outer, mirrored_wall = outer[:, ::-1], wall[:, ::-1]
    expected = np.minimum(np.maximum(wall, MIRROR_SHARE * mirrored_wall), limit)
    contact_there = (mirrored_outer > 0) & (mirrored_outer > mirrored_wall - LOST_CONTACT_MM)
    lost = (outer < expected - LOST_CONTACT_MM) & contact_there & _between_degrees(*MIRRORED_DEGREES)
    lost = _lateral_sectors(lost)
    mirror = _mirror(labels > 0, middle)
    deeper = round(DIAPHRAGM_MM / grid.spacing[0])
    if deeper:
        mirror[deeper:] &= mirror[:-deeper].copy()
        mirror[:deeper] = False
    missing = mirror & (frame.radius <= expected[:, frame.angle]) & (labels == 0) & ~barrier
    missing &= ~_near_spine(grid, labels.shape, middle)
    dorsal = missing & (_directions() < DORSAL_DEGREES)[frame.angle]
    fill = (missing & lost[:, frame.angle]) | _lateral_pieces(grid, dorsal, middle)
    fill = above_diaphragm(grid, labels, hu, fill, middle)
    return _add_fill(grid, labels, fill, middle)


def _lateral_pieces(grid: LungGrid, missing: NDArray[np.bool_], middle: float) -> NDArray[np.bool_]:
    """Pieces of a slice that reach far sideways: a mass in the lung does, the aorta beside the spine does not."""
    thick = opened_in_slice(missing, 2)
    window = box_of(thick)
    if window is None:
        return thick
    pieces, count = ndimage.label(thick[window], IN_SLICE)
    aside = np.abs(np.arange(missing.shape[2]) - middle)[window[2]] * grid.spacing[2]
    kept = np.zeros(count + 1, dtype=bool)
    kept[pieces[:, :, aside > LATERAL_REACH_MM].ravel()] = True
    kept[0] = False
    thick[window] = kept[pieces]
    return thick


def _wide_sectors(sectors: NDArray[np.bool_], degrees: float) -> NDArray[np.bool_]:
    """Only runs of directions [slice, angle] at least that wide."""
    size = int(degrees * ANGLES / 360) | 1
    kept = ndimage.minimum_filter1d(sectors.view(np.uint8), size, axis=1, mode="wrap")
    return ndimage.maximum_filter1d(kept, size, axis=1, mode="wrap").astype(bool)


def _lateral_sectors(lost: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Runs of lost directions that reach sideways past the aorta, which keeps the left lung off the spine."""
    core = _wide_sectors(lost & _between_degrees(AORTA_DEGREES, 180), NARROWEST_LOSS_DEGREES)
    return ndimage.binary_propagation(core, np.ones((1, 3), dtype=bool), mask=lost)


def _mirror(mask: NDArray[np.bool_], middle: float) -> NDArray[np.bool_]:
    width = mask.shape[2]
    source = np.rint(2 * middle - np.arange(width)).astype(np.intp)
    valid = (source >= 0) & (source < width)
    return mask[:, :, np.clip(source, 0, width - 1)] & valid


def _directions() -> NDArray[np.float64]:
    """Degrees away from straight back of each direction."""
    turn = 360 * (np.arange(ANGLES) + 0.5) / ANGLES
    return np.minimum(turn, 360 - turn)


def _between_degrees(low: float, high: float) -> NDArray[np.bool_]:
    return (_directions() > low) & (_directions() < high)


def _near_spine(grid: LungGrid, shape: tuple[int, ...], middle: float) -> NDArray[np.bool_]:
    return np.abs(np.arange(shape[2]) - middle) * grid.spacing[2] < SPINE_HALF_MM


def _add_fill(grid: LungGrid, labels: NDArray[np.uint8], fill: NDArray[np.bool_], middle: float) -> NDArray[np.uint8]:
    """Add the connected pieces of a fill that are large enough, each block to its side of the middle."""
    fill = opened_in_slice(fill, 1)
    window = box_of(fill)
    if window is None:
        return labels
    pieces, count = ndimage.label(fill[window])
    sizes = np.bincount(pieces.ravel(), minlength=count + 1) * grid.voxel_ml
    kept = sizes >= SMALLEST_FILL_ML
    kept[0] = False
    side = np.where(np.arange(labels.shape[2]) > middle, LEFT, RIGHT).astype(np.uint8)
    filled = labels.copy()
    filled[window] = np.where(kept[pieces], side[window[2]], labels[window])
    return filled

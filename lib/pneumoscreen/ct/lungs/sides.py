"""Which air-bearing pieces are lung, and which of the two lungs each belongs to."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...images.volume import LEFT, RIGHT
from .grid import LungGrid
from .morphology import with_neighbours

BONE_HU = 140
MAIN_ML = 60.0
PIECE_ML = 0.5
SECOND_LUNG_SHARE = 0.05
SPLIT_SHARE = 0.12
SPLIT_EROSIONS_MM = (2.0, 3.0, 4.5, 6.0, 8.0, 10.0, 13.0, 16.0)
GAS_ABOVE_AIR_HU = 50
GAS_SHARE = 0.6
GAS_CORE_HU = 80
PIECE_GAP_MM = 6.0


@dataclass(frozen=True)
class Sides:
    """Air-bearing lung before repair.

    Attributes:
        labels: uint8 [z, y, x] on the reduced grid, 1 left, 2 right.
        middle: x block of the plane between the two sides.
        single: the only side seen, or 0.
    """

    labels: NDArray[np.uint8]
    middle: float
    single: int


def assign_sides(
    grid: LungGrid, air: NDArray[np.bool_], airways: NDArray[np.bool_], inside: NDArray[np.bool_], free_air: float
) -> Sides | None:
    """Choose the lungs among the pieces of air inside the body and tell left from right.

    Ours: the lungs are the largest piece and, unless that piece spans both sides, the largest piece of the
    other side. Bowel gas is as thin as the air around the patient almost everywhere, lung is not. A piece that
    spans the trachea is two touching lungs: it is eroded until it falls apart and each block goes to the
    nearer half.

    Args:
        grid: the reduced grid.
        air: air-bearing blocks inside the body, airways out.
        airways: lumen of trachea and main bronchi.
        inside: blocks within the skin.
        free_air: HU of free air around the patient.

    Returns:
        The sides, or None when no piece is large enough to be a lung.
    """
    pieces, count = ndimage.label(air)
    if not count:
        return None
    volumes = np.bincount(pieces.ravel(), minlength=count + 1) * grid.voxel_ml
    volumes[0] = 0
    gas = _gas_pieces(grid, pieces, count, free_air)
    volumes[gas] = 0
    windows = ndimage.find_objects(pieces)
    first = int(volumes.argmax())
    if volumes[first] < MAIN_ML:
        return None
    middle = _middle(grid, airways, inside, pieces == first, windows[first - 1])
    labels = np.zeros(air.shape, dtype=np.uint8)
    halves = _split(grid, pieces == first, windows[first - 1], middle)
    if halves is not None:
        labels[windows[first - 1]] = halves
        chosen = {first}
    else:
        center = _center_x(pieces, first, windows[first - 1])
        labels[pieces == first] = LEFT if center > middle else RIGHT
        chosen = {first}
        second = _second_lung(volumes, pieces, windows, first, middle, center)
        if second:
            labels[pieces == second] = RIGHT if center > middle else LEFT
            chosen.add(second)
    present = [side for side in (LEFT, RIGHT) if (labels == side).any()]
    if len(present) == 2:
        middle = _between(labels, middle)
    _add_pieces(grid, labels, pieces, volumes, windows, chosen, free_air + GAS_CORE_HU)
    return Sides(labels, middle, present[0] if len(present) == 1 else 0)


def _gas_pieces(grid: LungGrid, pieces: NDArray[np.int32], count: int, free_air: float) -> NDArray[np.bool_]:
    """Pieces that are as thin as free air almost throughout, their partly filled rim left aside."""
    core = with_neighbours(with_neighbours(pieces, 1, np.minimum), 2, np.minimum)
    thin = np.bincount(core[grid.hu < free_air + GAS_ABOVE_AIR_HU], minlength=count + 1)
    total = np.bincount(core.ravel(), minlength=count + 1)
    gas = (total > 0) & (thin > GAS_SHARE * total)
    gas[0] = False
    return gas


def _center_x(pieces: NDArray[np.int32], number: int, window: tuple[slice, ...]) -> float:
    profile = (pieces[window] == number).sum(axis=(0, 1))
    return float(window[2].start + (profile * np.arange(len(profile))).sum() / profile.sum())


def _middle(
    grid: LungGrid,
    airways: NDArray[np.bool_],
    inside: NDArray[np.bool_],
    lung: NDArray[np.bool_],
    window: tuple[slice, ...],
) -> float:
    """x of the plane between left and right: the trachea's, or the spine's, or the body's."""
    if airways.any():
        levels = np.flatnonzero(airways.any(axis=(1, 2)))
        upper = airways[levels[len(levels) // 3] :]
        profile = upper.sum(axis=(0, 1))
        return float((profile * np.arange(len(profile))).sum() / profile.sum())
    bone = (grid.hu[window[0]] >= BONE_HU) & inside[window[0]]
    profile = bone.sum(axis=(0, 1)).astype(np.float64)
    reach = max(3, int(30 / grid.spacing[2]) | 1)
    if profile.sum():
        return float(ndimage.uniform_filter1d(profile, reach, mode="constant").argmax())
    profile = inside[window[0]].sum(axis=(0, 1))
    return float((profile * np.arange(len(profile))).sum() / profile.sum())


def _split(
    grid: LungGrid, piece: NDArray[np.bool_], window: tuple[slice, ...], middle: float
) -> NDArray[np.uint8] | None:
    """Labels (in the piece's window) of two lungs that touch, or None when the piece is one lung."""
    local = piece[window]
    columns = np.arange(window[2].start, window[2].stop)
    profile = local.sum(axis=(0, 1))
    total = profile.sum()
    share = profile[columns > middle].sum() / total
    if not SPLIT_SHARE <= share <= 1 - SPLIT_SHARE:
        return None
    depth = ndimage.distance_transform_edt(np.pad(local, 1), sampling=grid.spacing)[1:-1, 1:-1, 1:-1]
    for radius in SPLIT_EROSIONS_MM:
        cores, count = ndimage.label(depth > radius)
        sizes = np.bincount(cores.ravel(), minlength=count + 1)
        sizes[0] = 0
        if count < 2:
            continue
        order = np.argsort(sizes)[::-1]
        one, other = int(order[0]), int(order[1])
        if sizes[other] < SPLIT_SHARE * sizes[one]:
            continue
        centers = [float((columns * (cores == name).sum(axis=(0, 1))).sum() / sizes[name]) for name in (one, other)]
        if (centers[0] - middle) * (centers[1] - middle) >= 0:
            continue
        left = one if centers[0] > centers[1] else other
        right = other if left == one else one
        return _nearer_half(grid, local, cores == left, cores == right, columns)
    halves = np.where(columns > middle, LEFT, RIGHT).astype(np.uint8)
    return local * halves


def _nearer_half(
    grid: LungGrid,
    local: NDArray[np.bool_],
    left: NDArray[np.bool_],
    right: NDArray[np.bool_],
    columns: NDArray[np.intp],
) -> NDArray[np.uint8]:
    """Give each block to the nearer core; away from the zone where the cores come close this is plain."""
    to_left = ndimage.distance_transform_edt(~left, sampling=grid.spacing)
    to_right = ndimage.distance_transform_edt(~right, sampling=grid.spacing)
    return (local * np.where(to_left < to_right, LEFT, RIGHT)).astype(np.uint8)


def _second_lung(
    volumes: NDArray[np.float64],
    pieces: NDArray[np.int32],
    windows: list[tuple[slice, ...]],
    first: int,
    middle: float,
    center: float,
) -> int:
    """The largest piece on the other side of the middle that shares slices with the first lung."""
    levels = windows[first - 1][0]
    for number in np.argsort(volumes)[::-1]:
        if volumes[number] < max(MAIN_ML / 4, SECOND_LUNG_SHARE * volumes[first]):
            return 0
        if number == first:
            continue
        window = windows[number - 1]
        shared = min(levels.stop, window[0].stop) - max(levels.start, window[0].start)
        if shared < 0.5 * (window[0].stop - window[0].start) or window[0].stop <= (levels.start + levels.stop) / 2:
            continue
        if (_center_x(pieces, int(number), window) - middle) * (center - middle) < 0:
            return int(number)
    return 0


def _between(labels: NDArray[np.uint8], fallback: float) -> float:
    """Plane midway between the inner edges of the two lungs' middle thirds."""
    left = np.flatnonzero((labels == LEFT).any(axis=(0, 1)))
    right = np.flatnonzero((labels == RIGHT).any(axis=(0, 1)))
    outer = (left[-1] + right[0]) / 2
    return float((outer + fallback) / 2)


def _add_pieces(
    grid: LungGrid,
    labels: NDArray[np.uint8],
    pieces: NDArray[np.int32],
    volumes: NDArray[np.float64],
    windows: list[tuple[slice, ...]],
    chosen: set[int],
    gas_hu: float,
) -> None:
    """Add smaller pieces close to a lung: aerated remains within consolidation.

    In the lower half of the lungs' height bowel lies near as well: a piece with gas in it stays out there.
    """
    levels = np.flatnonzero(labels.any(axis=(1, 2)))
    low = levels[0] + (levels[-1] - levels[0]) / 2
    margin = [int(np.ceil(PIECE_GAP_MM / mm)) for mm in grid.spacing]
    for number in np.flatnonzero(volumes >= PIECE_ML):
        if int(number) in chosen:
            continue
        window = windows[number - 1]
        if window[0].start < low and np.percentile(grid.hu[window][pieces[window] == number], 10) < gas_hu:
            continue
        wide = tuple(slice(max(w.start - m, 0), w.stop + m) for w, m in zip(window, margin, strict=True))
        counts = np.bincount(labels[wide].ravel(), minlength=3)[1:]
        if counts.sum() * grid.voxel_ml >= volumes[number]:
            part = labels[window]
            part[pieces[window] == number] = LEFT if counts[0] >= counts[1] else RIGHT

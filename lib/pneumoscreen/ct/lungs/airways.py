"""Trachea and main bronchi: air-filled tubes that are no part of the lungs."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .grid import LungGrid
from .morphology import IN_SLICE, box_of

LUMEN_HU = -600
BRONCHUS_HU = -750
LEAST_CONTRAST_HU = 50
MAIN_BRONCHI_MM = 40.0
BRONCHUS_CM2 = 3.5
BELOW_TRUNK_MM = 25.0
SECTION_CM2 = (0.25, 10.0)
SECTION_MM = 50.0
SECTION_FILL = 0.4
SHORTEST_MM = 25.0
LATERAL_PENALTY = 0.3
TRACHEA_ASIDE_MM = 45.0
TRUNK_ASIDE_MM = 16.0
WIDER = 1.7
LONGER = 1.2
WIDE_CM2 = 2.0
GULLET_ASIDE_MM = 18.0
GULLET_DEEP_MM = 25.0


def find_airways(grid: LungGrid, inside: NDArray[np.bool_], free_air: float) -> NDArray[np.bool_]:
    """Lumen of trachea and main bronchi.

    Ours: in each slice an airway is a small, compact island of air between tissue, apart from the lungs.
    Islands that touch from slice to slice make a tube; the longest tube that reaches above the middle of the
    air, and lies near its middle from side to side, is the airway. Where the wall between a wide trachea and
    the lung is too thin for the grid, free air is told from lung tissue instead, and what was taken
    for the airway was the gullet. The main bronchi open into the lung at the first threshold; lower ones tell their
    lumen from lung tissue. Bronchi further from the trachea than ``MAIN_BRONCHI_MM`` are left to the lung.

    Args:
        grid: the reduced grid.
        inside: blocks within the skin.
        free_air: HU of free air around the patient.

    Returns:
        bool [z, y, x]; empty when no airway is seen.
    """
    lumen = inside & (grid.hu < LUMEN_HU)
    if not lumen.any():
        return np.zeros_like(lumen)
    sections = _tube_sections(lumen, grid, SECTION_CM2[1])
    trunk = _best_tube(sections, lumen, grid)
    thinner = _free_air_threshold(grid, free_air, lumen)
    if thinner is not None:
        free = _central(inside & (grid.hu < thinner), lumen, grid)
        free_sections = sections | _tube_sections(free, grid, SECTION_CM2[1])
        free_trunk = _upright_part(_best_tube(free_sections, lumen, grid), grid)
        if _is_better(free_trunk, trunk, grid):
            sections, trunk = free_sections, free_trunk
    if not trunk.any():
        return trunk
    near = _near_trunk(trunk, grid)
    levels = near.any(axis=(1, 2), keepdims=True)
    for threshold in _bronchus_thresholds(grid, trunk, lumen):
        found = _tube_sections(inside & (grid.hu < threshold) & levels, grid, BRONCHUS_CM2)
        sections |= found & near
    return _connected_with(trunk, sections & near) | (sections & _behind_trunk(trunk, grid))


def _connected_with(trunk: NDArray[np.bool_], sections: NDArray[np.bool_]) -> NDArray[np.bool_]:
    found = sections | trunk
    window = box_of(found)
    assert window is not None, "the trunk holds a block"
    tubes, _ = ndimage.label(found[window])
    found[window] &= tubes == tubes[trunk[window]][0]
    return found


def _behind_trunk(trunk: NDArray[np.bool_], grid: LungGrid) -> NDArray[np.bool_]:
    """Where the gullet runs: behind the trachea, at its levels."""
    behind = np.zeros_like(trunk)
    aside, deep = round(GULLET_ASIDE_MM / grid.spacing[2]), round(GULLET_DEEP_MM / grid.spacing[1])
    for z in np.flatnonzero(trunk.any(axis=(1, 2))):
        rows, columns = np.nonzero(trunk[z])
        middle = (columns.min() + columns.max()) / 2
        across = slice(max(int(np.ceil(middle - aside)), 0), int(np.floor(middle + aside)) + 1)
        behind[z, int(rows.mean()) : rows.max() + deep, across] = True
    return behind


def _free_air_threshold(grid: LungGrid, free_air: float, lumen: NDArray[np.bool_]) -> float | None:
    """A threshold between free air and lung tissue, None when these differ too little (emphysema)."""
    tissue = float(np.median(grid.hu[lumen]))
    return None if tissue - free_air < 2 * LEAST_CONTRAST_HU else (free_air + tissue) / 2


def _central(free: NDArray[np.bool_], lumen: NDArray[np.bool_], grid: LungGrid) -> NDArray[np.bool_]:
    """Only the columns in which a trachea can be, by the extent of the air in the body."""
    across = np.flatnonzero(lumen.any(axis=(0, 1)))
    aside = np.abs(np.arange(free.shape[2]) - (across[0] + across[-1]) / 2) * grid.spacing[2]
    return free & (aside <= TRACHEA_ASIDE_MM)


def _is_better(tube: NDArray[np.bool_], other: NDArray[np.bool_], grid: LungGrid) -> bool:
    """Whether a tube is much wider than the other, or about as wide and longer."""
    width, other_width = _section_cm2(tube, grid), _section_cm2(other, grid)
    if width > WIDER * other_width:
        return True
    length, other_length = (np.count_nonzero(mask.any(axis=(1, 2))) for mask in (tube, other))
    return bool(WIDER * width > other_width and length > LONGER * other_length)


def _section_cm2(trunk: NDArray[np.bool_], grid: LungGrid) -> float:
    """Median section of the upper half of a tube; 0.0 without a tube."""
    areas = np.count_nonzero(trunk, axis=(1, 2)) * grid.pixel_cm2
    areas = areas[areas > 0]
    return float(np.median(areas[len(areas) // 2 :])) if len(areas) else 0.0


def _upright_part(tube: NDArray[np.bool_], grid: LungGrid) -> NDArray[np.bool_]:
    """The tube without the bronchi that lead away from the trachea's line."""
    levels = np.flatnonzero(tube.any(axis=(1, 2)))
    if not len(levels):
        return tube
    profile = tube[levels[len(levels) // 2] :].sum(axis=(0, 1))
    axis = (profile * np.arange(len(profile))).sum() / profile.sum()
    straight = np.abs(np.arange(tube.shape[2]) - axis) * grid.spacing[2] <= TRUNK_ASIDE_MM
    pieces, _ = ndimage.label(tube & straight)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    return pieces == sizes.argmax()


def _near_trunk(trunk: NDArray[np.bool_], grid: LungGrid) -> NDArray[np.bool_]:
    """Blocks where a main bronchus can be."""
    window = box_of(trunk)
    assert window is not None, "the trunk holds a block"
    near = np.zeros_like(trunk)
    aside = round(MAIN_BRONCHI_MM / grid.spacing[2])
    below = round(BELOW_TRUNK_MM / grid.spacing[0])
    slices = slice(max(window[0].start - below, 0), window[0].stop)
    near[slices, :, max(window[2].start - aside, 0) : window[2].stop + aside] = True
    return near


def _bronchus_thresholds(grid: LungGrid, trunk: NDArray[np.bool_], lumen: NDArray[np.bool_]) -> list[float]:
    """A fixed threshold, and one between the trachea's air and lung tissue when these differ enough."""
    free_air = float(np.percentile(grid.hu[trunk], 20))
    tissue = float(np.median(grid.hu[lumen]))
    if tissue - free_air < LEAST_CONTRAST_HU:
        return [BRONCHUS_HU]
    return [BRONCHUS_HU, min((free_air + tissue) / 2, BRONCHUS_HU - 50)]


def _tube_sections(lumen: NDArray[np.bool_], grid: LungGrid, largest_cm2: float) -> NDArray[np.bool_]:
    found = np.zeros_like(lumen)
    window = box_of(lumen)
    if window is not None:
        pieces, count = ndimage.label(lumen[window], IN_SLICE)
        found[window] = _sections(pieces, count, grid, largest_cm2)[pieces]
    return found


def _sections(pieces: NDArray[np.int32], count: int, grid: LungGrid, largest_cm2: float) -> NDArray[np.bool_]:
    """Which islands look like a tube cut across."""
    areas = np.bincount(pieces.ravel(), minlength=count + 1) * grid.pixel_cm2
    fits = (areas >= SECTION_CM2[0]) & (areas <= largest_cm2)
    fits[0] = False
    windows = ndimage.find_objects(pieces)
    for number in np.flatnonzero(fits):
        window = windows[number - 1]
        height = (window[1].stop - window[1].start) * grid.spacing[1]
        width = (window[2].stop - window[2].start) * grid.spacing[2]
        fits[number] = max(height, width) <= SECTION_MM and areas[number] * 100 >= SECTION_FILL * height * width
    return fits


def _best_tube(sections: NDArray[np.bool_], lumen: NDArray[np.bool_], grid: LungGrid) -> NDArray[np.bool_]:
    """The best tube that reaches above the level below which half of the air lies: long, near the middle, wide."""
    tubes, _ = ndimage.label(sections)
    profile = np.cumsum(np.count_nonzero(lumen, axis=(1, 2)))
    middle_z = int(np.searchsorted(profile, profile[-1] / 2))
    across = np.flatnonzero(lumen.any(axis=(0, 1)))
    middle_x = (across[0] + across[-1]) / 2
    volumes = np.bincount(tubes.ravel()) * grid.voxel_ml
    best, best_score = 0, 0.0
    for number, window in enumerate(ndimage.find_objects(tubes), start=1):
        length = (window[0].stop - window[0].start) * grid.spacing[0]
        if length < SHORTEST_MM or window[0].stop - 1 < middle_z:
            continue
        off = abs((window[2].start + window[2].stop - 1) / 2 - middle_x) * grid.spacing[2]
        central_length = length - LATERAL_PENALTY * off
        section = volumes[number] * 10 / length
        score = central_length * min(1.0, section / WIDE_CM2)
        if central_length > SHORTEST_MM / 2 and score > best_score:
            best, best_score = number, score
    return tubes == best if best else np.zeros_like(sections)

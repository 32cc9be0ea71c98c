"""Gas of stomach and bowel that hangs on a lung where the diaphragm is thinner than the grid shows."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .grid import LungGrid
from .morphology import beside_in_slice, box_of, shrunk, shrunk_in_slice

GAS_ABOVE_AIR_HU = 60
SMALLEST_CORE_ML = 1.0
SHELL_MM = (5.0, 11.0)
SOFT_HU = -300
SOFT_SHARE = 0.55
LUNG_BELOW_SHARE = 0.25
LOW_SHARE = 0.3
REACH_MM = 25.0
LUNG_CORE_SHARE = 0.05
AIRWAY_ML = 5.0
CROSS = ndimage.generate_binary_structure(3, 1)


def find_gut(grid: LungGrid, air: NDArray[np.bool_], airways: NDArray[np.bool_], free_air: float) -> NDArray[np.bool_]:
    """Air-bearing blocks that are gas of stomach or bowel.

    Ours: gas below the diaphragm is as thin as the trachea's air, has soft tissue around it and no lung under
    it. A bulla or a thin emphysema has lung around it, a cavity lung around its wall, so that it comes back
    with the holes of the lung. Blocks of mixed density between gas and lung go to whichever is reached first.

    Args:
        grid: the reduced grid.
        air: air-bearing blocks inside the body, airways out.
        airways: lumen of trachea and main bronchi.
        free_air: HU of free air around the patient.

    Returns:
        bool [z, y, x], a part of ``air``.
    """
    thin = air & (grid.hu < _gas_reference(grid, airways, free_air) + GAS_ABOVE_AIR_HU)
    cores = shrunk_in_slice(thin, 1)
    names, count = ndimage.label(cores)
    volumes = np.bincount(names.ravel(), minlength=count + 1) * grid.voxel_ml
    windows = ndimage.find_objects(names)
    large = [int(name) for name in np.flatnonzero(volumes[1:] >= SMALLEST_CORE_ML) + 1]
    walled = [name for name in large if _has_soft_wall(grid, names, name, windows[name - 1], air & ~thin)]
    if not walled:
        return np.zeros_like(air)
    lung = _lung_core(air & ~beside_in_slice(_named(names, count, walled)))
    heights = np.cumsum(np.count_nonzero(lung, axis=(1, 2)))
    highest = int(np.searchsorted(heights, LOW_SHARE * heights[-1]))
    under = [name for name in walled if _is_under(names, name, windows[name - 1], lung, highest)]
    return _spread(grid, _named(names, count, under), air, lung) if under else np.zeros_like(air)


def _gas_reference(grid: LungGrid, airways: NDArray[np.bool_], free_air: float) -> float:
    """HU of free air: around the patient or in the trachea, whichever is denser (padding is thinner than air)."""
    if np.count_nonzero(airways) * grid.voxel_ml < AIRWAY_ML:
        return free_air
    return max(free_air, float(np.percentile(grid.hu[airways], 20)))


def _named(names: NDArray[np.int32], count: int, chosen: Sequence[int]) -> NDArray[np.bool_]:
    is_chosen = np.zeros(count + 1, dtype=bool)
    is_chosen[chosen] = True
    return is_chosen[names]


def _has_soft_wall(
    grid: LungGrid, names: NDArray[np.int32], name: int, window: tuple[slice, ...], lung: NDArray[np.bool_]
) -> bool:
    wide = _widen(grid, window, SHELL_MM[1], names.shape)
    far = ndimage.distance_transform_edt(names[wide] != name, sampling=grid.spacing)
    shell = (far > SHELL_MM[0]) & (far <= SHELL_MM[1])
    soft = np.count_nonzero(grid.hu[wide][shell] > SOFT_HU)
    aerated = np.count_nonzero(lung[wide][shell])
    return soft > SOFT_SHARE * (soft + aerated)


def _is_under(
    names: NDArray[np.int32], name: int, window: tuple[slice, ...], lung: NDArray[np.bool_], highest: int
) -> bool:
    """Whether the gas lies in the lower part of the lungs or beneath them, with next to no lung under it."""
    if (window[0].start + window[0].stop) / 2 > highest:
        return False
    columns = (names[window] == name).any(axis=0)
    below = lung[: window[0].start, window[1], window[2]].any(axis=0)
    return np.count_nonzero(below & columns) < LUNG_BELOW_SHARE * np.count_nonzero(columns)


def _spread(
    grid: LungGrid, gut: NDArray[np.bool_], air: NDArray[np.bool_], core: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Gas with its rim: each block of air goes to the gas or to the lung, whichever reaches it first."""
    box = box_of(gut)
    assert box is not None, "some gas is spread"
    window = _widen(grid, box, REACH_MM, gut.shape)
    lung, free, gas = core[window], air[window], gut[window]
    for _ in range(int(REACH_MM / min(grid.spacing))):
        more_lung = ndimage.binary_dilation(lung, CROSS, mask=free & ~gas) | lung
        more_gas = ndimage.binary_dilation(gas, CROSS, mask=free & ~more_lung) | gas
        if np.array_equal(more_gas, gas) and np.array_equal(more_lung, lung):
            break
        lung, gas = more_lung, more_gas
    result = gut.copy()
    result[window] = gas
    return result


def _lung_core(lung: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The inner parts of the larger pieces."""
    eroded = shrunk(shrunk_in_slice(lung, 1), 1, 0)
    pieces, _ = ndimage.label(eroded)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    return (sizes > LUNG_CORE_SHARE * sizes.max())[pieces] & eroded


def _widen(grid: LungGrid, window: Sequence[slice], margin_mm: float, shape: tuple[int, ...]) -> tuple[slice, ...]:
    margins = [int(np.ceil(margin_mm / mm)) + 1 for mm in grid.spacing]
    return tuple(slice(max(s.start - m, 0), min(s.stop + m, n)) for s, m, n in zip(window, margins, shape, strict=True))

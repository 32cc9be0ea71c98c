"""The patches of a region as pictures: what the classifier saw, as a radiologist looks at it."""

from typing import Any

import numpy as np
import slicer.util
import vtk

from ..contract import Patch, Region, lps_to_ras
from .volumes import patient_axes

# As the server cuts and scales its patches.
WINDOW_HU = (-1150.0, 200.0)
MIN_SIDE_MM = 24.0


def patch_picture(volume: Any, region: Region, patch: Patch) -> np.ndarray:
    """The axial slice of a patch, cropped to its region.

    Args:
        volume: vtkMRMLScalarVolumeNode of the case, however it is stored.
        region: the region; at least 24 mm around its centre are shown.
        patch: which of its patches.

    Returns:
        uint8 [row, column] at the scan's own pixels: rows to the patient's back, columns to the left, so that the
        patient's right is on the left of the picture; -1150 HU is 0, 200 HU is 255.
    """
    _, order, signs = patient_axes(volume)
    stored = slicer.util.arrayFromVolume(volume)
    # Array axes are k, j, i; the scan is looked at as [head, back, left].
    turned = stored.transpose([2 - order[axis] for axis in (2, 1, 0)])
    turned = turned[tuple(slice(None, None, int(signs[axis])) for axis in (2, 1, 0))]
    spacing = np.array(volume.GetSpacing())[order]
    center = _index_of(volume, region, order, signs)
    depth = turned.shape[0]
    z = patch.slice if _counts_upwards(region, depth, center[2]) else depth - 1 - patch.slice
    rows = _crop(center[1], region.size_mm[1], spacing[1], turned.shape[1])
    columns = _crop(center[0], region.size_mm[0], spacing[0], turned.shape[2])
    hu = turned[min(max(z, 0), depth - 1), rows, columns].astype(np.float32)
    low, high = WINDOW_HU
    return np.rint(np.clip((hu - low) / (high - low), 0.0, 1.0) * 255.0).astype(np.uint8)


def _index_of(volume: Any, region: Region, order: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """Continuous index (left, back, head) of a region's centre, counted from the right, front and feet."""
    to_ijk = vtk.vtkMatrix4x4()
    volume.GetRASToIJKMatrix(to_ijk)
    ijk = np.array(to_ijk.MultiplyPoint((*lps_to_ras(region.center_mm), 1.0))[:3])[order]
    last = np.array(volume.GetImageData().GetDimensions())[order] - 1
    return np.where(signs > 0, ijk, last - ijk)


def _counts_upwards(region: Region, depth: int, center: float) -> bool:
    """Whether the stored slices are counted from the feet.

    Slicer may turn the slices of a file on loading, so the file's order is found from the patches themselves: they
    lie around the region's centre, the lowest first.
    """
    slices = [patch.slice for patch in region.patches]
    up = sum(abs(z - center) for z in slices)
    down = sum(abs(depth - 1 - z - center) for z in slices)
    return slices == sorted(slices) if abs(up - down) < 0.5 else up < down


def _crop(center: float, size_mm: float, spacing_mm: float, count: int) -> slice:
    half = max(size_mm, MIN_SIDE_MM) / spacing_mm / 2
    low = min(max(int(np.ceil(center - half)), 0), count - 1)
    return slice(low, min(max(int(np.ceil(center + half)), low + 1), count))

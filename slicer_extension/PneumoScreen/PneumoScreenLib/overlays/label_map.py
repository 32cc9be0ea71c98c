"""The part of a label map that holds something: a third of a chest scan, so that all that is made of it is small."""

from dataclasses import dataclass
from typing import Any, List, Optional, Sequence, Tuple

import numpy as np
import slicer
import slicer.util
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

LEFT, RIGHT, INFECTED = 1, 2, 3
"""Values: the patient's left lung, right lung, and what is infected of both."""
SAMPLE_MM = 3.0
"""Distance of samples, ours: fine enough for the outline of a lung and for the side of a box."""

Box = Tuple[slice, slice, slice]


@dataclass(frozen=True)
class LabelMap:
    """Values on a grid.

    Attributes:
        values: uint8 [k, j, i].
        to_ras: [4, 4], from voxel indices (i, j, k, 1) to RAS in mm.
    """

    values: np.ndarray
    to_ras: np.ndarray

    @classmethod
    def of(cls, labels: Any) -> "LabelMap":
        """What a vtkMRMLLabelMapVolumeNode holds, without the empty rim."""
        values = slicer.util.arrayFromVolume(labels)
        box = _extent_of(values)
        part = np.ascontiguousarray(values[box], dtype=np.uint8)
        return cls(part, _moved(grid_of(labels), [each.start for each in box[::-1]]))

    def sampled(self) -> "LabelMap":
        """Every so many voxels of it, ``SAMPLE_MM`` apart or as far as the voxels themselves."""
        spacing = np.linalg.norm(self.to_ras[:3, :3], axis=0)
        steps = np.maximum(np.rint(SAMPLE_MM / spacing), 1).astype(int)
        first = steps // 2
        values = self.values[tuple(slice(f, None, s) for f, s in zip(first[::-1], steps[::-1]))]
        return LabelMap(values, _moved(self.to_ras, first) * [*steps, 1.0])

    def image(self) -> Any:
        """It as the vtkOrientedImageData of a segmentation."""
        image = slicer.vtkOrientedImageData()
        image.SetDimensions(*self.values.shape[::-1])
        image.GetPointData().SetScalars(numpy_to_vtk(self.values.ravel(), deep=1))
        image.SetGeometryFromImageToWorldMatrix(slicer.util.vtkMatrixFromArray(self.to_ras))
        return image


def values_on(image: Any, volume: Any) -> Optional[Tuple[np.ndarray, Box]]:
    """Values of an image where it lies on the very voxels of a volume, whichever way both are stored.

    Args:
        image: vtkOrientedImageData.
        volume: vtkMRMLScalarVolumeNode.

    Returns:
        The values [k, j, i] and the part of the volume's array that they are of; None where the grids differ.
    """
    matrix, scalars = vtk.vtkMatrix4x4(), image.GetPointData().GetScalars()
    image.GetImageToWorldMatrix(matrix)
    between = np.linalg.inv(grid_of(volume)) @ slicer.util.arrayFromVTKMatrix(matrix)
    turn = np.rint(between[:3, :3])
    if scalars is None or not np.allclose(between[:3, :3], turn, atol=1e-4) or (np.abs(turn).sum(axis=0) != 1).any():
        return None
    extent = np.array(image.GetExtent()).reshape(3, 2)
    corners = turn @ extent + between[:3, 3:]
    low = np.rint(corners.min(axis=1)).astype(int)
    high = np.rint(corners.max(axis=1)).astype(int) + 1
    is_inside = (low >= 0).all() and (high <= volume.GetImageData().GetDimensions()).all()
    if not is_inside or not np.allclose(corners.min(axis=1), low, atol=1e-2):
        return None
    values = vtk_to_numpy(scalars).reshape((extent[:, 1] - extent[:, 0] + 1)[::-1])
    # Array axes are k, j, i.
    source = np.abs(turn).argmax(axis=1)
    values = values.transpose([2 - source[axis] for axis in (2, 1, 0)])
    signs = turn.sum(axis=1)
    k, j, i = (slice(int(low[axis]), int(high[axis])) for axis in (2, 1, 0))
    return values[tuple(slice(None, None, int(signs[axis])) for axis in (2, 1, 0))], (k, j, i)


def grid_of(volume: Any) -> np.ndarray:
    """[4, 4] from voxel indices (i, j, k, 1) of a volume to RAS in mm."""
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)  # type: ignore[no-any-return]


def _extent_of(values: np.ndarray) -> Box:
    """The smallest box that holds all that is not 0; all of it where nothing is."""
    box: List[slice] = [slice(0, size) for size in values.shape]
    for axis in range(3):
        part = values[tuple(box)]
        found = np.flatnonzero(part.any(axis=tuple(other for other in range(3) if other != axis)))
        if len(found):
            box[axis] = slice(int(found[0]), int(found[-1]) + 1)
    return box[0], box[1], box[2]


def _moved(to_ras: np.ndarray, first: Sequence[int]) -> np.ndarray:
    """The grid whose index 0 lies at these indices (i, j, k)."""
    moved = to_ras.copy()
    moved[:3, 3] += to_ras[:3, :3] @ np.asarray(first, dtype=float)
    return moved

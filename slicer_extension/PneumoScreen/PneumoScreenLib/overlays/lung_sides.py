"""Which lung a box lies in, by the masks of the screening."""

from typing import Any, List, Optional, Sequence, Tuple

import numpy as np
import slicer.util
import vtk

from ..contract import lps_to_ras

LEFT, RIGHT = 1, 2
"""Values of the label map: the patient's left and right lung."""
MOST_SAMPLES = 128
"""Samples along an axis, ours: 3 mm in a common scan, so that an answer takes milliseconds and little memory."""


class LungSides:
    """Samples of both lungs where they lie in the patient.

    Args:
        labels: vtkMRMLLabelMapVolumeNode: 1 left lung, 2 right lung; what else it has is passed over.
    """

    def __init__(self, labels: Any) -> None:
        values, steps = sampled(labels)
        places = np.argwhere((values == LEFT) | (values == RIGHT))
        self._is_left: np.ndarray = values[tuple(places.T)] == LEFT
        # Array axes are k, j, i.
        ijk = (places * steps + [step // 2 for step in steps])[:, ::-1]
        turn, shift = index_to_ras(labels)
        self._points: np.ndarray = (ijk @ turn.T + shift).astype(np.float32)

    def side_of(self, center_mm: Sequence[float], size_mm: Sequence[float], axes: np.ndarray) -> Optional[str]:
        """The lung that has most of a box; where it touches none, the lung that is nearest to its centre.

        Args:
            center_mm: of the box, LPS.
            size_mm: of its edges.
            axes: [3, 3], columns are the RAS directions of its sides.

        Returns:
            ``left`` or ``right``, the patient's; None where there is no lung at all.
        """
        if not len(self._points):
            return None
        away: np.ndarray = self._points - np.array(lps_to_ras(center_mm), dtype=np.float32)
        inside = (np.abs(away @ axes.astype(np.float32)) <= np.array(size_mm, dtype=np.float32) / 2).all(axis=1)
        if inside.any():
            is_left = 2 * int(self._is_left[inside].sum()) >= int(inside.sum())
        else:
            is_left = bool(self._is_left[np.argmin((away**2).sum(axis=1))])
        return "left" if is_left else "right"


def sampled(labels: Any) -> Tuple[np.ndarray, List[int]]:
    """Every so many voxels of a label map, [k, j, i], and the step along each of these axes; no more than needed."""
    values = slicer.util.arrayFromVolume(labels)
    steps = [-(-size // MOST_SAMPLES) for size in values.shape]
    return values[tuple(slice(step // 2, None, step) for step in steps)], steps


def index_to_ras(volume: Any) -> Tuple[np.ndarray, np.ndarray]:
    """Matrix [3, 3] and shift from voxel indices (i, j, k) to RAS in mm."""
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    values = np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(3)])
    return values[:, :3], values[:, 3]

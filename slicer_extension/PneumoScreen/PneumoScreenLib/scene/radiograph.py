"""A radiograph as a picture for the panel, with the lung boxes that the server found."""

from typing import Any, Mapping, Sequence, Tuple

import numpy as np
import slicer.util

DARKEST, BRIGHTEST = 1.0, 99.0
"""Percentiles between which the grey values are spread; ours."""

BOX_COLOURS = {"left": (90, 200, 250), "right": (255, 170, 60)}
"""RGB of the boxes of the patient's left and right lung."""


def is_radiograph(volume: Any) -> bool:
    """Whether a volume is a single picture."""
    return volume is not None and volume.GetImageData() is not None and volume.GetImageData().GetDimensions()[2] == 1


def radiograph_picture(volume: Any, lung_boxes: Mapping[str, Sequence[float]]) -> np.ndarray:
    """The picture with a frame round each lung.

    Args:
        volume: vtkMRMLVolumeNode of one picture, as stored: a frontal view has the patient's right on its left.
        lung_boxes: x, y, width, height in pixels, by side.

    Returns:
        uint8 [row, column, 3].
    """
    values = np.asarray(slicer.util.arrayFromVolume(volume)[0], dtype=np.float64)
    if values.ndim == 3:
        values = values[..., :3].mean(axis=-1)
    low, high = np.percentile(values, [DARKEST, BRIGHTEST])
    grey = np.clip((values - low) / max(high - low, 1e-9), 0.0, 1.0) * 255.0
    picture = np.repeat(grey.astype(np.uint8)[:, :, None], 3, axis=2)
    for side, box in lung_boxes.items():
        _frame(picture, box, BOX_COLOURS[side])
    return picture


def _frame(picture: np.ndarray, box: Sequence[float], colour: Tuple[int, int, int]) -> None:
    rows, columns = picture.shape[:2]
    width = max(1, round(max(rows, columns) / 250))
    left, top = (int(np.clip(round(value), 0, size - 1)) for value, size in zip(box[:2], (columns, rows)))
    right = int(np.clip(round(box[0] + box[2]), left + 1, columns))
    bottom = int(np.clip(round(box[1] + box[3]), top + 1, rows))
    inside = picture[top:bottom, left:right]
    for edge in (inside[:width], inside[-width:], inside[:, :width], inside[:, -width:]):
        edge[...] = colour

"""A radiograph as a picture for the panel: the lung boxes that the server found, and what spoke for its verdict."""

from typing import Any, Mapping, Optional, Sequence, Tuple

import numpy as np
import slicer.util

DARKEST, BRIGHTEST = 1.0, 99.0
"""Percentiles between which the grey values are spread; ours."""

BOX_COLOURS = {"left": (90, 200, 250), "right": (255, 170, 60)}
"""RGB of the boxes of the patient's left and right lung."""


TAKEN = (0.0, 0.45, 1.0)
"""Share of white that the warmest place takes from red, green and blue at full strength; ours. All of the red stays, so
that the radiograph is seen through it, and bright lung is as warm as it can be."""
STRENGTH = 0.6
"""Of a Grad-CAM, from 0 to 1, before the reader changes it."""


def is_radiograph(volume: Any) -> bool:
    """Whether a volume is a single picture."""
    return volume is not None and volume.GetImageData() is not None and volume.GetImageData().GetDimensions()[2] == 1


def grey_range(volume: Any) -> Tuple[float, float]:
    """The grey values that are shown as black and as white."""
    low, high = np.percentile(slicer.util.arrayFromVolume(volume), [DARKEST, BRIGHTEST])
    return float(low), float(high)


def taken(values: np.ndarray, strength: float) -> np.ndarray:
    """What a Grad-CAM takes from red, green and blue, in shares of white: nothing where nothing spoke.

    The slice views and the panel's picture both take away just this, so that they say the same.

    Args:
        values: Grad-CAM, from 0 to 255.
        strength: from 0 to 1.
    """
    return strength * np.asarray(values, dtype=np.float32)[..., None] / 255.0 * np.array(TAKEN, dtype=np.float32)


def radiograph_picture(
    volume: Any,
    lung_boxes: Mapping[str, Sequence[float]],
    heat: Optional[np.ndarray] = None,
    strength: float = STRENGTH,
) -> np.ndarray:
    """The picture with a frame round each lung, and a Grad-CAM over it.

    Args:
        volume: vtkMRMLVolumeNode of one picture, as stored: a frontal view has the patient's right on its left.
        lung_boxes: x, y, width, height in pixels, by side.
        heat: Grad-CAM of the whole radiograph, uint8 [row, column], of any size.
        strength: of the Grad-CAM, from 0 to 1.

    Returns:
        uint8 [row, column, 3].
    """
    values = np.asarray(slicer.util.arrayFromVolume(volume)[0], dtype=np.float64)
    if values.ndim == 3:
        values = values[..., :3].mean(axis=-1)
    low, high = grey_range(volume)
    grey = np.clip((values - low) / max(high - low, 1e-9), 0.0, 1.0) * 255.0
    picture = np.repeat(grey.astype(np.uint8)[:, :, None], 3, axis=2)
    if heat is not None:
        picture = _overlaid(picture, heat, strength)
    for side, box in lung_boxes.items():
        _frame(picture, box, BOX_COLOURS[side])
    return picture


def _overlaid(picture: np.ndarray, heat: np.ndarray, strength: float) -> np.ndarray:
    # Between the middles of its pixels: a coarse Grad-CAM has no edges that the radiograph lacks.
    for axis in (0, 1):
        count, wanted = heat.shape[axis], picture.shape[axis]
        places = np.clip((np.arange(wanted) + 0.5) * count / wanted - 0.5, 0, count - 1)
        below = np.floor(places).astype(int)
        share = (places - below).reshape((-1, 1) if axis == 0 else (1, -1))
        above = np.minimum(below + 1, count - 1)
        heat = heat.take(below, axis) * (1.0 - share) + heat.take(above, axis) * share
    return np.rint(np.clip(picture - 255.0 * taken(heat, strength), 0.0, 255.0)).astype(np.uint8)


def _frame(picture: np.ndarray, box: Sequence[float], colour: Tuple[int, int, int]) -> None:
    rows, columns = picture.shape[:2]
    width = max(1, round(max(rows, columns) / 250))
    left, top = (int(np.clip(round(value), 0, size - 1)) for value, size in zip(box[:2], (columns, rows)))
    right = int(np.clip(round(box[0] + box[2]), left + 1, columns))
    bottom = int(np.clip(round(box[1] + box[3]), top + 1, rows))
    inside = picture[top:bottom, left:right]
    for edge in (inside[:width], inside[-width:], inside[:, :width], inside[:, -width:]):
        edge[...] = colour

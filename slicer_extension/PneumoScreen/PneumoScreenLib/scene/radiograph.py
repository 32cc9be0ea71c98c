"""A radiograph as a picture for the panel: the lung boxes that the server found, and what spoke for its verdict."""

from typing import Any, Mapping, Optional, Sequence, Tuple

import numpy as np
import slicer.util

DARKEST, BRIGHTEST = 1.0, 99.0
"""Percentiles between which the grey values are spread; ours."""

BOX_COLOURS = {"left": (90, 200, 250), "right": (255, 170, 60)}
"""RGB of the boxes of the patient's left and right lung."""


# Dark red, orange, yellow; ours.
WARM = ((0.0, (0.55, 0.0, 0.05)), (0.5, (0.95, 0.35, 0.05)), (1.0, (1.0, 0.90, 0.20)))
MOST_OPAQUE = 0.55
"""Of a Grad-CAM where it is strongest: the lung is still seen through it."""


def is_radiograph(volume: Any) -> bool:
    """Whether a volume is a single picture."""
    return volume is not None and volume.GetImageData() is not None and volume.GetImageData().GetDimensions()[2] == 1


def grey_range(volume: Any) -> Tuple[float, float]:
    """The grey values that are shown as black and as white."""
    low, high = np.percentile(slicer.util.arrayFromVolume(volume), [DARKEST, BRIGHTEST])
    return float(low), float(high)


def warm(values: np.ndarray) -> np.ndarray:
    """Red, green, blue and opacity in [0, 1] of Grad-CAM values in 0..255; what did not speak is not seen at all."""
    share = np.asarray(values, dtype=np.float32) / 255.0
    stops, colours = [stop for stop, _ in WARM], np.array([colour for _, colour in WARM])
    parts = [np.interp(share, stops, colours[:, part]) for part in range(3)]
    return np.stack([*parts, MOST_OPAQUE * share], axis=-1)


def radiograph_picture(
    volume: Any, lung_boxes: Mapping[str, Sequence[float]], heat: Optional[np.ndarray] = None
) -> np.ndarray:
    """The picture with a frame round each lung, and a Grad-CAM over it.

    Args:
        volume: vtkMRMLVolumeNode of one picture, as stored: a frontal view has the patient's right on its left.
        lung_boxes: x, y, width, height in pixels, by side.
        heat: Grad-CAM of the whole radiograph, uint8 [row, column], of any size.

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
        picture = _overlaid(picture, heat)
    for side, box in lung_boxes.items():
        _frame(picture, box, BOX_COLOURS[side])
    return picture


def _overlaid(picture: np.ndarray, heat: np.ndarray) -> np.ndarray:
    # Between the middles of its pixels: a coarse Grad-CAM has no edges that the radiograph lacks.
    for axis in (0, 1):
        count, wanted = heat.shape[axis], picture.shape[axis]
        places = np.clip((np.arange(wanted) + 0.5) * count / wanted - 0.5, 0, count - 1)
        below = np.floor(places).astype(int)
        share = (places - below).reshape((-1, 1) if axis == 0 else (1, -1))
        above = np.minimum(below + 1, count - 1)
        heat = heat.take(below, axis) * (1.0 - share) + heat.take(above, axis) * share
    colours = warm(heat)
    opacity = colours[..., 3:]
    return np.rint(picture * (1.0 - opacity) + 255.0 * colours[..., :3] * opacity).astype(np.uint8)


def _frame(picture: np.ndarray, box: Sequence[float], colour: Tuple[int, int, int]) -> None:
    rows, columns = picture.shape[:2]
    width = max(1, round(max(rows, columns) / 250))
    left, top = (int(np.clip(round(value), 0, size - 1)) for value, size in zip(box[:2], (columns, rows)))
    right = int(np.clip(round(box[0] + box[2]), left + 1, columns))
    bottom = int(np.clip(round(box[1] + box[3]), top + 1, rows))
    inside = picture[top:bottom, left:right]
    for edge in (inside[:width], inside[-width:], inside[:, :width], inside[:, -width:]):
        edge[...] = colour

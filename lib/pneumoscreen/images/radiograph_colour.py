"""Colour pictures as grey ones, where their colour is no more than noise or a few marks."""

import numpy as np
from numpy.typing import NDArray

from .faults import NotRadiographError

# Differences between the channels of grey JPEGs stay below 20 of 255; a tinted film has about as much (ours).
_CHROMA = 40
# Coloured arrows and letters cover less of a picture (ours).
_COLOUR_PART = 0.05
_MARKS_PART = 0.0005
_ROWS = 1024
# The weights of ITU-R BT.601, as in Pillow.
_WEIGHTS = np.array([0.299, 0.587, 0.114], np.float32)


def rgb_to_grey(name: str, rgb: NDArray[np.uint8]) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Brightness of an RGB picture that is grey in truth.

    Args:
        name: of the file.
        rgb: [y, x, 3], 0 to 255.

    Returns:
        float32 [y, x], 0 to 255, and notes.

    Raises:
        NotRadiographError: if the picture is coloured.
    """
    grey = np.empty(rgb.shape[:2], np.float32)
    coloured = 0
    # By parts: the differences of a whole large picture would take its memory several times over.
    for start in range(0, len(rgb), _ROWS):
        rows = rgb[start : start + _ROWS]
        coloured += int(np.count_nonzero(rows.max(axis=2) - rows.min(axis=2) > _CHROMA))
        grey[start : start + _ROWS] = rows.astype(np.float32) @ _WEIGHTS
    part = coloured / grey.size
    if part > _COLOUR_PART:
        raise NotRadiographError(f"{name} is a colour picture and no X-ray; give the X-ray in grey")
    if part > _MARKS_PART:
        return grey, ("The picture has coloured marks; they were taken as grey.",)
    return grey, ()

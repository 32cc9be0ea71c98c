"""Cutting a part of a radiograph to the size that a network takes."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..case import Vector

_CUBIC = 2.0
"""How far Pillow's cubic filter reaches, in pixels of the result."""


def cut(pixels: NDArray[np.float32], box: Vector, size: tuple[int, int]) -> NDArray[np.float32]:
    """A part of a picture, resized by cubic interpolation (Wang et al. 2020, Discrimination-DL).

    Ours: Pillow's cubic filter takes in all pixels that a smaller one covers, so that a radiograph of 3,000 pixels
    gives the same picture as its copy of 500.

    Args:
        pixels: float32 [y, x] in 0 to 1.
        box: x, y, w, h in pixels; what lies beyond the picture is cut off.
        size: (width, height) of the result.

    Returns:
        float32 [height, width] in 0 to 1.
    """
    height, width = pixels.shape
    x0, y0 = (float(np.clip(v, 0, limit - 1)) for v, limit in zip(box[:2], (width, height), strict=True))
    x1 = float(np.clip(box[0] + box[2], x0 + 1, width))
    y1 = float(np.clip(box[1] + box[3], y0 + 1, height))
    # Pillow copies the picture that it is given: only what the filter reaches.
    reach_x, reach_y = (_CUBIC * max(1.0, (x1 - x0) / size[0]) + 1, _CUBIC * max(1.0, (y1 - y0) / size[1]) + 1)
    left, top = max(0, int(x0 - reach_x)), max(0, int(y0 - reach_y))
    near = np.ascontiguousarray(pixels[top : int(y1 + reach_y) + 1, left : int(x1 + reach_x) + 1])
    box_near = (x0 - left, y0 - top, x1 - left, y1 - top)
    resized = Image.fromarray(near).resize(size, Image.Resampling.BICUBIC, box=box_near)
    return np.clip(np.asarray(resized, dtype=np.float32), 0.0, 1.0)


def equalised(part: NDArray[np.float32]) -> NDArray[np.float32]:
    """A picture [y, x] in 0 to 1 with its 256 greys spread evenly: each becomes the share of pixels that are darker."""
    greys = np.round(part * 255.0).astype(np.uint8)
    counts = np.bincount(greys.ravel(), minlength=256)
    shares = (np.cumsum(counts) - counts / 2.0) / greys.size
    return np.asarray(shares[greys], dtype=np.float32)


def enclosing(boxes: list[Vector]) -> Vector:
    """The smallest x, y, w, h that holds all boxes."""
    x0, y0 = min(box[0] for box in boxes), min(box[1] for box in boxes)
    x1, y1 = max(box[0] + box[2] for box in boxes), max(box[1] + box[3] for box in boxes)
    return (x0, y0, x1 - x0, y1 - y0)


def paste(
    part: NDArray[np.float32],
    box: Vector,
    shape: tuple[int, ...],
    nearest: bool = False,
    over: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """The inverse of ``cut`` on an empty picture [y, x] of this shape: a part back in its place, 0 elsewhere.

    With ``over`` the part is laid over that picture, which is changed; the larger value stays.
    """
    height, width = shape
    x0, y0 = int(np.clip(round(box[0]), 0, width - 1)), int(np.clip(round(box[1]), 0, height - 1))
    x1 = int(np.clip(round(box[0] + box[2]), x0 + 1, width))
    y1 = int(np.clip(round(box[1] + box[3]), y0 + 1, height))
    whole = np.zeros(shape, dtype=np.float32) if over is None else over
    resample = Image.Resampling.NEAREST if nearest else Image.Resampling.BILINEAR
    resized = np.asarray(Image.fromarray(part).resize((x1 - x0, y1 - y0), resample))
    place = whole[y0:y1, x0:x1]
    place[:] = resized if over is None else np.maximum(place, resized)
    return whole

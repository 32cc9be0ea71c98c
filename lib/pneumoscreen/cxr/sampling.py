"""Cutting a part of a radiograph to the size that a network takes."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..case import Vector


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
    resized = Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC, box=(x0, y0, x1, y1))
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


def paste(part: NDArray[np.float32], box: Vector, shape: tuple[int, ...], nearest: bool = False) -> NDArray[np.float32]:
    """The inverse of ``cut`` on an empty picture [y, x] of this shape: a part back in its place, 0 elsewhere."""
    height, width = shape
    x0, y0 = int(np.clip(round(box[0]), 0, width - 1)), int(np.clip(round(box[1]), 0, height - 1))
    x1 = int(np.clip(round(box[0] + box[2]), x0 + 1, width))
    y1 = int(np.clip(round(box[1] + box[3]), y0 + 1, height))
    whole = np.zeros(shape, dtype=np.float32)
    resized = Image.fromarray(part).resize(
        (x1 - x0, y1 - y0), Image.Resampling.NEAREST if nearest else Image.Resampling.BILINEAR
    )
    whole[y0:y1, x0:x1] = np.asarray(resized)
    return whole

"""Where the picture lies inside borders of one grey that a viewer, a scanner or a web page burnt in."""

import numpy as np
from numpy.typing import NDArray

# In parts of the picture's grey range (all ours). JPEG leaves ripples of a few grey levels in an even border;
# a marker's letter or a rib is brighter than its surroundings by far more.
_LEVEL = 0.04
_RIPPLE = 0.10
_RIPPLE_PART = 0.01


def content_box(values: NDArray[np.float32]) -> tuple[int, int, int, int]:
    """The box (x, y, w, h) inside the borders; the whole picture where there are none.

    A border is a run of rows or columns at a side, each even from end to end and all of the grey of the outermost.
    Several borders inside each other are taken off one after the other, such as a white page around a black frame.

    Args:
        values: [y, x] of any scale.
    """
    height, width = values.shape
    scale = _grey_range(values)
    if scale == 0:
        return 0, 0, width, height
    top, bottom, left, right = 0, height, 0, width
    while True:
        before = top, bottom, left, right
        inner = values[top:bottom, left:right]
        above, below = _border(inner, scale), _border(inner[::-1], scale)
        if above + below >= len(inner):
            return 0, 0, width, height
        top, bottom = top + above, bottom - below
        inner = values[top:bottom, left:right].T
        before_x, after_x = _border(inner, scale), _border(inner[::-1], scale)
        if before_x + after_x >= len(inner):
            return 0, 0, width, height
        left, right = left + before_x, right - after_x
        if before == (top, bottom, left, right):
            return left, top, right - left, bottom - top


def _grey_range(values: NDArray[np.float32]) -> float:
    """Span of the grey values without the rarest, in the unit of the values."""
    step = max(1, int(np.sqrt(values.size / 1e6)))
    sample = values[::step, ::step]
    low, high = np.percentile(sample, (0.5, 99.5))
    # A picture small against its border has no part in the percentiles.
    return float(high - low) or float(values.max() - values.min())


def _border(lines: NDArray[np.float32], scale: float) -> int:
    """How many lines [n, length], from the first on, are even and of the first one's grey."""
    level = float(np.median(lines[0]))
    for number, line in enumerate(lines):
        off = np.abs(line - level)
        if off.max() > _RIPPLE * scale or np.count_nonzero(off > _LEVEL * scale) > _RIPPLE_PART * len(line):
            return number
    return len(lines)

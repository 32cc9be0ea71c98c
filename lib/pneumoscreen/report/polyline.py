"""Lines of fewer points: Douglas and Peucker's method.

Ours in place of scikit-image's, which draws the same: all spans of a round are looked at together, which takes a
fraction of the time, and importing it brings all of SciPy's signal package, a fifth of what a screening imports.
"""

import numpy as np
from numpy.typing import NDArray


def simplified(points: NDArray[np.float64], tolerance: float) -> NDArray[np.float64]:
    """The points [n, 2] of a line, open or closed, without those that lie within the tolerance of what remains.

    Args:
        points: at least one; the first and the last stay.
        tolerance: largest distance of a point left out from the line, in the unit of the points.
    """
    kept = np.zeros(len(points), dtype=bool)
    kept[[0, -1]] = True
    starts, ends = np.array([0]), np.array([len(points) - 1])
    while True:
        long = ends - starts > 1
        starts, ends = starts[long], ends[long]
        if not len(starts):
            return points[kept]
        # The points between the ends of all spans, one span after the other.
        counts = ends - starts - 1
        firsts = np.cumsum(counts) - counts
        span = np.repeat(np.arange(len(starts)), counts)
        between = np.arange(len(span)) + (starts + 1 - firsts)[span]
        distances = _distances(points, between, starts, ends, span)
        farthest = np.maximum.reduceat(distances, firsts)
        _, first_hits = np.unique(span[distances == farthest[span]], return_index=True)
        middles = between[distances == farthest[span]][first_hits]
        split = farthest > tolerance
        middles = middles[split]
        kept[middles] = True
        starts, ends = np.concatenate([starts[split], middles]), np.concatenate([middles, ends[split]])


def _distances(
    points: NDArray[np.float64],
    between: NDArray[np.intp],
    starts: NDArray[np.intp],
    ends: NDArray[np.intp],
    span: NDArray[np.intp],
) -> NDArray[np.float64]:
    """Distance of each point from its span; beside the span, from the nearer end.

    Args:
        points: of the whole line, [n, 2].
        between: indices of the points asked for.
        starts, ends: indices of the ends of each span.
        span: number of the span of each point asked for.
    """
    along = points[ends] - points[starts]
    angle = -np.arctan2(along[:, 0], along[:, 1])
    sine, cosine = np.sin(angle), np.cos(angle)
    offset = points[starts, 1] * sine + points[starts, 0] * cosine
    here = points[between]
    beside = np.abs(here[:, 0] * cosine[span] + here[:, 1] * sine[span] - offset[span])
    from_start, from_end = here - points[starts][span], here - points[ends][span]
    nearer = np.minimum(np.hypot(*from_start.T), np.hypot(*from_end.T))
    direction = along[span]
    within = ((from_start * direction).sum(axis=1) > 0) & ((from_end * direction).sum(axis=1) < 0)
    return np.where(within, beside, nearer)

"""One lesion, one region: proposals and infected voxels that show the same focus become one candidate.

Ours. The region-proposal network says one lesion several times, small boxes inside large ones, and Noisy-OR would
multiply them as if they were separate foci. A connected piece of the infection map is a focus, and the proposals that
overlap it are its witnesses; what no infected voxel bears out stays a candidate of its own.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...geometry import ONE_FOCUS, distinct, share_of_smaller
from ..lungs.morphology import box_of
from .proposals import SelectionSettings

WITNESS = 0.2
"""A proposal that shares more than this part of the smaller with an infected piece speaks for it, and not for itself:
boxes of proposals are loose, and a second region on the border of a focus is no second lesion."""


@dataclass(frozen=True)
class Foci:
    """Candidates: boxes float64 [n, 6] in edge coordinates of the working grid, scores float64 [n], best first."""

    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]


def find_foci(
    boxes: NDArray[np.float64],
    scores: NDArray[np.float64],
    probability: NDArray[np.float32],
    sides: NDArray[np.uint8],
    voxel_ml: float,
    selection: SelectionSettings,
) -> Foci:
    """Cluster proposals and infected voxels into foci.

    Args:
        boxes: proposals [n, 6], edge coordinates of the working grid, best first.
        scores: of the proposals [n].
        probability: of infection [z, y, x] on the working grid.
        sides: uint8 [z, y, x], which lung a voxel belongs to: a focus lies in one lung.
        voxel_ml: volume of a voxel.
        selection: thresholds.
    """
    pieces, mean = _infected_pieces(probability, sides, voxel_ml, selection)
    pieces, mean = _merged(pieces, mean)
    own = np.zeros(len(boxes), dtype=bool)
    best = mean.copy()
    if len(pieces) and len(boxes):
        together = share_of_smaller(boxes, pieces) > WITNESS
        own = together.any(axis=1)
        best = np.maximum(mean, np.where(together, scores[:, None], 0.0).max(axis=0))
    free = np.flatnonzero(~own & (scores >= selection.free_score))
    free = free[distinct(boxes[free])]
    order_boxes, order_scores = np.concatenate([pieces, boxes[free]]), np.concatenate([best, scores[free]])
    order = np.argsort(-order_scores, kind="stable")[: selection.most]
    return Foci(order_boxes[order].reshape(-1, 6), order_scores[order])


def _infected_pieces(
    probability: NDArray[np.float32], sides: NDArray[np.uint8], voxel_ml: float, selection: SelectionSettings
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Boxes [n, 6] of the connected infected pieces of each lung that are large enough, and their mean probability."""
    boxes, means = [], []
    for side in np.unique(sides[sides > 0]):
        infected = (probability > selection.infection) & (sides == side)
        box = box_of(infected)
        if box is None:
            continue
        pieces, _ = ndimage.label(infected[box])
        low = np.array([s.start for s in box] * 2)
        for number, window in enumerate(ndimage.find_objects(pieces), start=1):
            inside = probability[box][window][pieces[window] == number]
            if inside.size * voxel_ml >= selection.component_ml:
                boxes.append(low + np.array([*(s.start for s in window), *(s.stop for s in window)]))
                means.append(float(inside.mean()))
    return np.array(boxes, dtype=np.float64).reshape(-1, 6), np.array(means, dtype=np.float64)


def _merged(boxes: NDArray[np.float64], scores: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pieces whose boxes share more than half of the smaller, joined until none do."""
    while len(boxes) > 1:
        overlap = share_of_smaller(boxes, boxes)
        np.fill_diagonal(overlap, 0.0)
        one, other = (int(i) for i in np.unravel_index(int(overlap.argmax()), overlap.shape))
        if overlap[one, other] <= ONE_FOCUS:
            break
        joined = np.concatenate(
            [np.minimum(boxes[one, :3], boxes[other, :3]), np.maximum(boxes[one, 3:], boxes[other, 3:])]
        )
        kept = [i for i in range(len(boxes)) if i not in (one, other)]
        boxes = np.concatenate([boxes[kept], joined[None]])
        scores = np.append(scores[kept], max(scores[one], scores[other]))
    return boxes, scores

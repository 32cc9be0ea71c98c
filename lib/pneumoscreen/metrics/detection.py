"""How many lesions the candidate regions find, and at what price in regions that are none."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..geometry import ONE_FOCUS, iou, share_of_smaller
from .bootstrap import Interval, bootstrap_of_sums, ratio

HIT_IOU = 0.1
"""Ours: overlap from which a region counts as having found a lesion; low, because classification needs only that
the lesion is in the region, and lesions have no sharp border."""

FROC_RATES = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Ours: false regions a case at which recall is given; those of lung-nodule challenges, without the rates below 1,
since the threshold is low on purpose and a classifier sorts the regions afterwards."""

FROC_THRESHOLDS = 300
"""Ours: thresholds that the draws of an interval look at; the curve itself looks at every score."""


@dataclass(frozen=True)
class Detection:
    """Lesions and candidate regions of one case, matched.

    Attributes:
        first_hits: for each lesion the score of the best region that hits it, or -inf where none does.
        scores: of every region, float64 [n].
        hits: whether a region hits any lesion, bool [n].
        holders: for each lesion, how many regions hold it, int64 [m]: of each, the overlap takes more than half of
            the smaller of the two boxes. Ours: one lesion should be one region.
    """

    first_hits: NDArray[np.float64]
    scores: NDArray[np.float64]
    hits: NDArray[np.bool_]
    holders: NDArray[np.int64]

    @property
    def found(self) -> int:
        """Number of lesions that some region hits."""
        return int(np.isfinite(self.first_hits).sum())

    @property
    def held_once(self) -> int:
        """Number of lesions that exactly one region holds."""
        return int((self.holders == 1).sum())


@dataclass(frozen=True)
class FrocPoint:
    """One operating point: score threshold, lesion recall and false regions a case."""

    threshold: float
    recall: float
    false_regions_per_case: float


def hits(regions: ArrayLike, lesions: ArrayLike) -> NDArray[np.bool_]:
    """Which region [n] hits which lesion [m].

    Ours: a hit is an IoU of at least ``HIT_IOU``, or each box holds the other's centre, which lets a small
    lesion be found by a larger region about it, but not by one so large that it finds everything.
    """
    a = np.asarray(regions, dtype=np.float64).reshape(-1, 6)
    b = np.asarray(lesions, dtype=np.float64).reshape(-1, 6)
    mutual = _holds_center(a, b) & _holds_center(b, a).T
    return np.asarray((iou(a, b) >= HIT_IOU) | mutual)


def _holds_center(boxes: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which box [n] holds the centre of which other [m]."""
    centers = (others[:, :3] + others[:, 3:]) / 2
    held = (centers[None] >= boxes[:, None, :3]) & (centers[None] <= boxes[:, None, 3:])
    return np.asarray(held.all(axis=-1))


def match(regions: ArrayLike, scores: ArrayLike, lesions: ArrayLike) -> Detection:
    """Match the regions of a case to its lesions.

    Args:
        regions: index boxes [n, 6].
        scores: of each region [n].
        lesions: index boxes [m, 6].

    Raises:
        ValueError: if there is not one score a region.
    """
    found = hits(regions, lesions)
    values = np.asarray(scores, dtype=np.float64).reshape(-1)
    if len(values) != len(found):
        raise ValueError(f"{len(found)} regions have {len(values)} scores")
    first = np.where(found, values[:, None], -np.inf).max(axis=0, initial=-np.inf)
    held = share_of_smaller(*(np.asarray(a, dtype=np.float64).reshape(-1, 6) for a in (regions, lesions))) > ONE_FOCUS
    return Detection(first, values, found.any(axis=1), held.sum(axis=0))


def lesion_recall(detections: Sequence[Detection]) -> float:
    """Share of all lesions that some region hits; NaN where there is no lesion."""
    lesions = sum(len(d.first_hits) for d in detections)
    return sum(d.found for d in detections) / lesions if lesions else float("nan")


def froc(detections: Sequence[Detection]) -> list[FrocPoint]:
    """Free-response curve over all score thresholds, from the highest threshold to the lowest.

    Raises:
        ValueError: if there is no case or no lesion.
    """
    firsts = np.concatenate([d.first_hits for d in detections]) if detections else np.empty(0)
    if not firsts.size:
        raise ValueError("a free-response curve needs at least one lesion")
    false = np.concatenate([d.scores[~d.hits] for d in detections])
    thresholds = np.unique(np.concatenate([d.scores for d in detections]))[::-1]
    return [
        FrocPoint(float(t), float((firsts >= t).mean()), float((false >= t).sum() / len(detections)))
        for t in thresholds
    ]


def recall_at_rates(
    detections: Sequence[Detection], patients: NDArray[np.int64], rates: Sequence[float] = FROC_RATES
) -> list[Interval]:
    """Highest lesion recall with at most so many false regions a case, with intervals over patients.

    Args:
        detections: one a case.
        patients: int64 [cases], from 0: whose each case is.
        rates: false regions a case.

    Raises:
        ValueError: if there is no case.
    """
    scores = np.unique(np.concatenate([d.scores for d in detections]))
    count = min(len(scores), FROC_THRESHOLDS)
    thresholds = np.quantile(scores, np.linspace(0.0, 1.0, count)) if count else scores
    sums = np.zeros((int(patients.max(initial=-1)) + 1, 2 * count + 2))
    for patient, d in zip(patients, detections, strict=True):
        found = (d.first_hits[:, None] >= thresholds).sum(axis=0)
        false = (d.scores[~d.hits][:, None] >= thresholds).sum(axis=0)
        sums[patient] += np.concatenate([found, false, [len(d.first_hits), 1.0]])

    def recalls(drawn: NDArray[Any]) -> NDArray[np.float64]:
        lesions, cases = drawn[:, -2:-1], drawn[:, -1:]
        recall = ratio(drawn[:, :count], lesions)
        false = drawn[:, count:-2] / np.maximum(cases, 1.0)
        return np.stack([np.where(false <= rate, recall, 0.0).max(axis=1, initial=0.0) for rate in rates], axis=1)

    return bootstrap_of_sums(sums, recalls)

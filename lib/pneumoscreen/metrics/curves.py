"""Receiver operating characteristic and precision-recall curves, one class against the rest.

The curves are scikit-learn's. Their areas carry intervals over patients; for these the items are sorted once and
every draw weighs them anew, which gives scikit-learn's areas a thousand times faster.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_curve

from .bootstrap import Interval, cluster_weights, percentile_interval

POINTS = 400
"""Ours: points of a curve that are kept for drawing; the areas use all."""

DRAWS_AT_ONCE = 100


@dataclass(frozen=True)
class Curves:
    """How well a score tells one class from the rest.

    Attributes:
        label: the class.
        positives: number of items of the class.
        negatives: number of the others.
        roc: float64 [n, 2], false positive rate and recall.
        precision_recall: float64 [n, 2], recall and precision.
        auc: area under the ROC curve; .5 is chance. NaN without positives or without negatives.
        average_precision: area under the precision-recall curve; the share of positives is chance.
    """

    label: str
    positives: int
    negatives: int
    roc: NDArray[np.float64]
    precision_recall: NDArray[np.float64]
    auc: Interval
    average_precision: Interval

    @property
    def defined(self) -> bool:
        """Whether there are both positives and negatives."""
        return self.positives > 0 and self.negatives > 0

    def to_dict(self) -> dict[str, Any]:
        """Figures and points as plain JSON types."""
        return {
            "label": self.label,
            "positives": self.positives,
            "negatives": self.negatives,
            "auc": self.auc.to_dict(),
            "average_precision": self.average_precision.to_dict(),
            "roc": self.roc.round(6).tolist(),
            "precision_recall": self.precision_recall.round(6).tolist(),
        }


def draw_curves(
    label: str, scores: NDArray[np.float64], positive: NDArray[np.bool_], patients: NDArray[np.int64]
) -> Curves:
    """The curves of one class.

    Args:
        label: the class.
        scores: float64 [n], larger for items of the class.
        positive: bool [n], whether an item is of the class.
        patients: int64 [n], from 0: whose an item is.
    """
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if not positives or not negatives:
        nothing = Interval(float("nan"), float("nan"), float("nan"))
        return Curves(label, positives, negatives, np.zeros((0, 2)), np.zeros((0, 2)), nothing, nothing)
    false, true, _ = roc_curve(positive, scores)
    precision, recall, _ = precision_recall_curve(positive, scores, drop_intermediate=True)
    clusters = int(patients.max()) + 1
    areas = areas_of_draws(scores, positive, patients, np.ones((1, clusters)))[0]
    # One patient drawn again and again is always the same: that is no certainty.
    weights = cluster_weights(clusters) if clusters > 1 else np.zeros((1, 1))
    drawn = areas_of_draws(scores, positive, patients, weights)
    auc, average_precision = (percentile_interval(float(areas[i]), drawn[:, i]) for i in range(2))
    return Curves(
        label=label,
        positives=positives,
        negatives=negatives,
        roc=_thinned(np.stack([false, true], axis=1)),
        precision_recall=_thinned(np.stack([recall, precision], axis=1)),
        auc=auc,
        average_precision=average_precision,
    )


def areas_of_draws(
    scores: NDArray[np.float64], positive: NDArray[np.bool_], patients: NDArray[np.int64], weights: NDArray[Any]
) -> NDArray[np.float64]:
    """AUC and average precision [draws, 2] of weighted patients; NaN where a draw lacks one of the two kinds.

    Args:
        scores: float64 [n].
        positive: bool [n].
        patients: int64 [n], from 0: whose an item is.
        weights: [draws, patients], how often each patient counts.
    """
    order = np.argsort(-scores, kind="stable")
    # Items of the same score pass a threshold together.
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    hits, owner = positive[order], patients[order]
    found = [
        _areas(weights[start : start + DRAWS_AT_ONCE, owner].astype(np.float64), hits, ends)
        for start in range(0, len(weights), DRAWS_AT_ONCE)
    ]
    return np.concatenate(found)


def one_against_rest(
    labels: Sequence[str], scores: NDArray[np.float64], truth: NDArray[np.int64], patients: NDArray[np.int64]
) -> list[Curves]:
    """The curves of each class against all others.

    Args:
        labels: the classes with a score.
        scores: float64 [n, classes].
        truth: int64 [n]; an index past the last class belongs to none of them.
        patients: int64 [n].
    """
    return [draw_curves(label, scores[:, i], truth == i, patients) for i, label in enumerate(labels)]


def _areas(weights: NDArray[np.float64], hits: NDArray[np.bool_], ends: NDArray[np.int64]) -> NDArray[np.float64]:
    true = np.cumsum(weights * hits, axis=1)[:, ends]
    false = np.cumsum(weights * ~hits, axis=1)[:, ends]
    positives, negatives = true[:, -1], false[:, -1]
    origin = np.zeros((len(weights), 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        auc = np.trapz(np.hstack([origin, true]), np.hstack([origin, false]), axis=1) / (positives * negatives)
        precision = np.divide(true, true + false, out=np.zeros_like(true), where=true + false > 0)
        average = (np.diff(true, axis=1, prepend=0.0) * precision).sum(axis=1) / positives
    average[negatives == 0] = np.nan
    return np.stack([auc, average], axis=1)


def _thinned(points: NDArray[np.float64]) -> NDArray[np.float64]:
    if len(points) <= POINTS:
        return points
    return points[np.linspace(0, len(points) - 1, POINTS).round().astype(np.int64)]

"""How well the classes of radiographs are told apart: counts, figures and areas with intervals over patients.

Each class is judged against the rest. Sensitivity of a class is the share of its pictures that were taken for it,
specificity the share of the others that were taken for another class. A picture that could not be screened is right
for nobody: it is missed by its own class and no true negative of the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...case import CXR_CLASSES
from ...metrics.bootstrap import Interval, bootstrap_of_sums, cluster_weights, percentile_interval, ratio
from ...metrics.calibration import Judged, ReliabilityBin
from ...metrics.confusion import ConfusionMatrix, f1_scores, mean_of_defined
from ...metrics.curves import Curves, areas_of_draws, one_against_rest
from .outcome import RadiographOutcome, patients_of, summed_by_patient

OF_A_CLASS = ("sensitivity", "specificity", "precision", "f1")
SIZE = len(CXR_CLASSES)


@dataclass(frozen=True)
class ClassFigures:
    """The figures of the classes.

    Attributes:
        count: number of pictures, those that could not be screened included.
        unscreened: number of those.
        matrix: counts of the screened pictures, rows actual, columns predicted.
        accuracy: share of right pictures.
        majority: accuracy of always stating the commonest class of these pictures.
        by_class: ``OF_A_CLASS`` of each class of ``CXR_CLASSES``.
        macro: their means over the classes for which they are defined: f1 for those that have pictures (as everywhere
            else, see ``confusion.mean_f1``), precision for those that are predicted.
        curves: of each class against the rest.
        macro_auc: mean area over the classes.
        calibration: ``calibration.FIGURES`` of the likeliest class.
        bins: of the reliability diagram.
    """

    count: int
    unscreened: int
    matrix: ConfusionMatrix
    accuracy: Interval
    majority: float
    by_class: dict[str, dict[str, Interval]]
    macro: dict[str, Interval]
    curves: tuple[Curves, ...]
    macro_auc: Interval
    calibration: dict[str, Interval]
    bins: tuple[ReliabilityBin, ...]

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain JSON types."""
        by_class = {
            label: {
                **{name: value.to_dict() for name, value in self.by_class[label].items()},
                "auc": self.curves[number].auc.to_dict(),
            }
            for number, label in enumerate(CXR_CLASSES)
        }
        return {
            "pictures": self.count,
            "unscreened": self.unscreened,
            "confusion": self.matrix.to_dict(),
            "accuracy": self.accuracy.to_dict(),
            "majority_accuracy": self.majority,
            "by_class": by_class,
            "macro": {
                **{name: value.to_dict() for name, value in self.macro.items()},
                "auc": self.macro_auc.to_dict(),
            },
            "calibration": {name: value.to_dict() for name, value in self.calibration.items()},
            "reliability": [{k: None if np.isnan(v) else v for k, v in vars(b).items()} for b in self.bins],
            "curves": [curve.to_dict() for curve in self.curves],
        }


def class_figures(outcomes: Sequence[RadiographOutcome]) -> ClassFigures | None:
    """The figures of the classes; None where no picture was screened for its class."""
    outcomes = [outcome for outcome in outcomes if outcome.has_class]
    screened = [outcome for outcome in outcomes if outcome.probabilities]
    if not screened:
        return None
    counts = counts_of(outcomes)
    found = bootstrap_of_sums(summed_by_patient(counts, patients_of(outcomes)), figures_of)
    probabilities = np.array([outcome.probabilities for outcome in screened], dtype=np.float64)
    truth = np.array([CXR_CLASSES.index(outcome.label) for outcome in screened], dtype=np.int64)
    owner = patients_of(screened)
    judged = Judged.of_classes(probabilities, truth)
    total = counts.sum(axis=0)
    return ClassFigures(
        count=len(outcomes),
        unscreened=len(outcomes) - len(screened),
        matrix=ConfusionMatrix(CXR_CLASSES, total[:, :SIZE]),
        accuracy=found[-1],
        majority=float(total.sum(axis=1).max() / total.sum()),
        by_class={
            label: {name: found[SIZE * k + i] for k, name in enumerate(OF_A_CLASS)}
            for i, label in enumerate(CXR_CLASSES)
        },
        macro={name: found[SIZE * len(OF_A_CLASS) + k] for k, name in enumerate(OF_A_CLASS)},
        curves=tuple(one_against_rest(CXR_CLASSES, probabilities, truth, owner)),
        macro_auc=_macro_auc(probabilities, truth, owner),
        calibration=judged.intervals(owner),
        bins=tuple(judged.reliability()),
    )


def counts_of(outcomes: Sequence[RadiographOutcome]) -> NDArray[np.int64]:
    """[n, classes, classes + 1] of each outcome: its row actual, its column predicted, the last one "not screened"."""
    counts = np.zeros((len(outcomes), SIZE, SIZE + 1), dtype=np.int64)
    for number, outcome in enumerate(outcomes):
        column = SIZE if outcome.verdict is None else CXR_CLASSES.index(outcome.verdict)
        counts[number, CXR_CLASSES.index(outcome.label), column] = 1
    return counts


def figures_of(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Every figure of many matrices at once.

    Args:
        counts: [n, classes, classes + 1], as ``counts_of`` makes them.

    Returns:
        [n, 4 * classes + 4 + 1]: ``OF_A_CLASS`` of each class, their means, and the accuracy; NaN where not defined.
    """
    hits = np.einsum("nii->ni", counts[:, :, :SIZE])
    actual, predicted = counts.sum(axis=2), counts[:, :, :SIZE].sum(axis=1)
    screened = counts[:, :, :SIZE].sum(axis=(1, 2))[:, None]
    total = actual.sum(axis=1, keepdims=True)
    # Of the pictures of other classes, those that were screened and not taken for this one.
    rejected = screened - counts[:, :, :SIZE].sum(axis=2) - (predicted - hits)
    by_class = [
        ratio(hits, actual),
        ratio(rejected, total - actual),
        ratio(hits, predicted),
        f1_scores(counts),
    ]
    means = [mean_of_defined(values)[:, None] for values in by_class]
    return np.concatenate([*by_class, *means, ratio(hits.sum(axis=1, keepdims=True), total)], axis=1)


def _macro_auc(probabilities: NDArray[np.float64], truth: NDArray[np.int64], owner: NDArray[np.int64]) -> Interval:
    clusters = int(owner.max()) + 1
    weights = np.concatenate([np.ones((1, clusters)), cluster_weights(clusters)])
    areas = [areas_of_draws(probabilities[:, i], truth == i, owner, weights)[:, :1] for i in range(SIZE)]
    means = mean_of_defined(np.concatenate(areas, axis=1))
    # One patient drawn again and again is always the same: that is no certainty.
    return percentile_interval(float(means[0]), means[1:] if clusters > 1 else np.full(1, np.nan))

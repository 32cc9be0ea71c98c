"""The figures of the paper's Tables 2, 4 and 6 with confidence intervals over patients."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bootstrap import Interval, bootstrap_of_sums
from .confusion import ConfusionMatrix, figures_of


@dataclass(frozen=True)
class TableFigures:
    """One classifier at one level: its confusion matrix and what follows from it.

    Attributes:
        matrix: over all patients.
        recall: of each class.
        precision: of each class.
        f1: of each class.
        mean_f1: over the classes that have items.
        accuracy: share of items labelled right.
    """

    matrix: ConfusionMatrix
    recall: tuple[Interval, ...]
    precision: tuple[Interval, ...]
    f1: tuple[Interval, ...]
    mean_f1: Interval
    accuracy: Interval

    def to_dict(self) -> dict[str, Any]:
        """Counts and figures as plain JSON types."""
        intervals = {
            "recall": [interval.to_dict() for interval in self.recall],
            "precision": [interval.to_dict() for interval in self.precision],
            "f1": [interval.to_dict() for interval in self.f1],
            "mean_f1": self.mean_f1.to_dict(),
            "accuracy": self.accuracy.to_dict(),
        }
        return {**self.matrix.to_dict(), "intervals": intervals}


def table_figures(counts: NDArray[np.int64], labels: tuple[str, ...]) -> TableFigures:
    """The figures of the patients' counts.

    Args:
        counts: [patients, classes, classes], rows actual, columns predicted; a further column holds items that were
            not screened.
        labels: the classes.

    Raises:
        ValueError: if there is no patient.
    """
    found = bootstrap_of_sums(counts, figures_of)
    size = len(labels)
    return TableFigures(
        matrix=ConfusionMatrix.of_columns(labels, counts.sum(axis=0)),
        recall=tuple(found[:size]),
        precision=tuple(found[size : 2 * size]),
        f1=tuple(found[2 * size : 3 * size]),
        mean_f1=found[-2],
        accuracy=found[-1],
    )


def mean_f1_gain(counts: NDArray[np.int64], others: NDArray[np.int64]) -> Interval:
    """Mean f1 of the second classifier less that of the first, over the same draws of patients.

    Args:
        counts: [patients, classes, classes] of the first.
        others: the same of the second.

    Raises:
        ValueError: if there is no patient.
    """

    def gain(drawn: NDArray[Any]) -> NDArray[np.float64]:
        return figures_of(drawn[:, 1])[:, -2:-1] - figures_of(drawn[:, 0])[:, -2:-1]

    return bootstrap_of_sums(np.stack([counts, others], axis=1), gain)[0]

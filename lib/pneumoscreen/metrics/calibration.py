"""Whether a probability means what it says: reliability, calibration error, likelihood and Brier score.

Probabilities are float64 [n, classes] with rows that sum to 1; labels are int64 [n], the true column of each row.
The Noisy-OR of a case multiplies over-confidence, so that a screening that is right but too sure of its patches is
far too sure of its cases.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bootstrap import Interval, bootstrap_of_sums, ratio

BINS = 15
"""Ours: the bins of Guo et al. 2017, so that the error can be set beside theirs."""

SMALLEST = 1e-12
"""Ours: a probability of 0 for what was true would make the mean likelihood infinite by one patch."""

FIGURES = ("expected_calibration_error", "negative_log_likelihood", "brier", "confidence", "accuracy")


@dataclass(frozen=True)
class ReliabilityBin:
    """The items whose confidence lies in [low, high) (the last bin holds 1 as well).

    Attributes:
        low: lower edge.
        high: upper edge.
        count: number of items.
        confidence: their mean confidence; NaN for none.
        accuracy: share of them that is right; NaN for none.
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Judged:
    """Statements and what became of them: what every figure of calibration follows from.

    Attributes:
        confidence: float64 [n], what was claimed.
        right: bool [n], whether it came true.
        loss: float64 [n], -ln of the probability of what was true.
        squared: float64 [n], squared distance to the truth.
    """

    confidence: NDArray[np.float64]
    right: NDArray[np.bool_]
    loss: NDArray[np.float64]
    squared: NDArray[np.float64]

    @classmethod
    def of_classes(cls, probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> "Judged":
        """The likeliest class of each item as the statement; Brier (1950) summed over the classes, 0 to 2.

        Raises:
            ValueError: if probabilities and labels do not belong together.
        """
        if probabilities.ndim != 2 or len(probabilities) != len(labels) or probabilities.shape[1] < 2:
            raise ValueError(f"probabilities {probabilities.shape} do not fit {len(labels)} labels")
        if len(labels) and not (labels.min() >= 0 and labels.max() < probabilities.shape[1]):
            raise ValueError(f"a label lies outside the {probabilities.shape[1]} classes")
        of_truth = probabilities[np.arange(len(labels)), labels]
        return cls(
            confidence=probabilities.max(axis=1, initial=0.0),
            right=probabilities.argmax(axis=1) == labels,
            loss=-np.log(np.maximum(of_truth, SMALLEST)),
            squared=((probabilities - np.eye(probabilities.shape[1])[labels]) ** 2).sum(axis=1),
        )

    @classmethod
    def of_events(cls, probability: NDArray[np.float64], happened: NDArray[np.bool_]) -> "Judged":
        """Each probability [n] as the statement that its event happened; Brier of the event alone, 0 to 1.

        Raises:
            ValueError: if there is not one probability an event.
        """
        if probability.shape != happened.shape or probability.ndim != 1:
            raise ValueError(f"{probability.shape} probabilities do not fit {happened.shape} events")
        of_truth = np.where(happened, probability, 1.0 - probability)
        loss = -np.log(np.maximum(of_truth, SMALLEST))
        return cls(probability, happened.astype(bool), loss, (probability - happened) ** 2)

    def __len__(self) -> int:
        return len(self.confidence)

    def reliability(self, bins: int = BINS) -> list[ReliabilityBin]:
        """What was claimed against what came true, in bins of equal width.

        Raises:
            ValueError: if there is no bin.
        """
        edges = np.linspace(0.0, 1.0, bins + 1)
        sums = self._sums(np.zeros(len(self), dtype=np.int64), 1, bins)[0]
        found = []
        for i in range(bins):
            count, claimed, true = sums[3 * i : 3 * i + 3]
            means = (float(claimed / count), float(true / count)) if count else (float("nan"), float("nan"))
            found.append(ReliabilityBin(float(edges[i]), float(edges[i + 1]), int(count), *means))
        return found

    def figures(self, bins: int = BINS) -> dict[str, float]:
        """``FIGURES`` by name; NaN where there is no item.

        Raises:
            ValueError: if there is no bin.
        """
        sums = self._sums(np.zeros(len(self), dtype=np.int64), 1, bins)
        return dict(zip(FIGURES, map(float, _figures(sums)[0]), strict=True))

    def intervals(self, patients: NDArray[np.int64], bins: int = BINS) -> dict[str, Interval]:
        """``FIGURES`` by name with intervals over patients.

        Args:
            patients: int64 [n], from 0 without gaps: whose each item is.
            bins: of the calibration error.

        Raises:
            ValueError: if there is no item or no bin.
        """
        sums = self._sums(patients, int(patients.max(initial=-1)) + 1, bins)
        return dict(zip(FIGURES, bootstrap_of_sums(sums, _figures), strict=True))

    def _sums(self, clusters: NDArray[np.int64], count: int, bins: int) -> NDArray[np.float64]:
        """[clusters, 3 * bins + 2]: items, confidence and right ones of each bin, then loss and squared distance."""
        if bins < 1:
            raise ValueError(f"a reliability diagram needs at least one bin, got {bins}")
        place = 3 * np.minimum((self.confidence * bins).astype(np.int64), bins - 1)
        sums = np.zeros((count, 3 * bins + 2))
        terms: list[tuple[Any, Any]] = [(place, 1.0), (place + 1, self.confidence), (place + 2, self.right)]
        for column, values in (*terms, (3 * bins, self.loss), (3 * bins + 1, self.squared)):
            np.add.at(sums, (clusters, column), values)
        return sums


def reliability(
    probabilities: NDArray[np.float64], labels: NDArray[np.int64], bins: int = BINS
) -> list[ReliabilityBin]:
    """Confidence in the likeliest class against accuracy, in bins of equal width.

    Raises:
        ValueError: if probabilities and labels do not belong together, or there is no bin.
    """
    return Judged.of_classes(probabilities, labels).reliability(bins)


def expected_calibration_error(
    probabilities: NDArray[np.float64], labels: NDArray[np.int64], bins: int = BINS
) -> float:
    """Mean distance of confidence and accuracy over the bins of ``reliability``, weighted by their items; NaN for none.

    Raises:
        ValueError: as ``reliability``.
    """
    return Judged.of_classes(probabilities, labels).figures(bins)["expected_calibration_error"]


def negative_log_likelihood(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Mean of -ln(probability of the true class); probabilities below ``SMALLEST`` count as that; NaN for no items.

    Raises:
        ValueError: if probabilities and labels do not belong together.
    """
    return Judged.of_classes(probabilities, labels).figures()["negative_log_likelihood"]


def _figures(sums: NDArray[Any]) -> NDArray[np.float64]:
    """``FIGURES`` [draws, 5] of the sums of ``Judged``."""
    count, confidence, right = (sums[:, i:-2:3] for i in range(3))
    parts = np.stack(
        [
            np.abs(confidence - right).sum(axis=1),
            sums[:, -2],
            sums[:, -1],
            confidence.sum(axis=1),
            right.sum(axis=1),
        ],
        axis=1,
    )
    total = count.sum(axis=1, keepdims=True)
    return ratio(parts, total)

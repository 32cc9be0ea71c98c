"""Confusion matrices and the tables that the paper prints of them (Xu et al. 2020, Tables 1 to 6)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import confusion_matrix

from .bootstrap import ratio

SHORT_NAMES = {
    "covid19": "COVID-19",
    "influenza_a": "IAVP",
    "irrelevant": "ITI",
    "no_infection_found": "NIF",
}
"""The paper's abbreviations; a site's own class shows under its own name."""

UNSCREENED = "not screened"


@dataclass(frozen=True)
class ConfusionMatrix:
    """Counts of actual against predicted labels.

    Attributes:
        labels: the classes, in the order of rows and columns.
        counts: int64 [class, class], rows actual, columns predicted.
        unscreened: of each class, items that got no label because their case could not be screened; they are missed
            by their own class and right for none. Empty where there is none of any class.
    """

    labels: tuple[str, ...]
    counts: NDArray[np.int64]
    unscreened: tuple[int, ...] = ()

    @classmethod
    def from_counts(cls, labels: Sequence[str], counts: ArrayLike) -> "ConfusionMatrix":
        """A matrix from its counts.

        Raises:
            ValueError: if the counts are not a square of whole numbers, one row a label.
        """
        given = np.asarray(counts)
        if given.shape != (len(labels), len(labels)) or (given < 0).any() or (given != np.floor(given)).any():
            raise ValueError(f"counts of {len(labels)} classes must be that many rows and columns of whole numbers")
        return cls(tuple(labels), given.astype(np.int64))

    @classmethod
    def from_labels(cls, labels: Sequence[str], actual: Sequence[str], predicted: Sequence[str]) -> "ConfusionMatrix":
        """A matrix from the actual and the predicted label of each item.

        Raises:
            ValueError: if the two differ in length or hold a label that is not in the list.
        """
        unknown = sorted({*actual, *predicted} - set(labels))
        if unknown or len(actual) != len(predicted):
            reason = f"unknown labels {unknown}" if unknown else f"{len(actual)} actual, {len(predicted)} predicted"
            raise ValueError(f"cannot count a confusion matrix: {reason}")
        if not actual:
            return cls.from_counts(labels, np.zeros((len(labels), len(labels)), dtype=np.int64))
        return cls(tuple(labels), confusion_matrix(actual, predicted, labels=list(labels)).astype(np.int64))

    def __add__(self, other: "ConfusionMatrix") -> "ConfusionMatrix":
        if self.labels != other.labels:
            raise ValueError(f"matrices of {self.labels} and {other.labels} cannot be added")
        return ConfusionMatrix.of_columns(self.labels, self.columns + other.columns)

    @classmethod
    def of_columns(cls, labels: tuple[str, ...], columns: NDArray[np.int64]) -> "ConfusionMatrix":
        """A matrix from its counts [class, class + 1], the last column "not screened"; without it from [class, class].

        Args:
            labels: the classes.
            columns: int64, rows actual.
        """
        size = len(labels)
        unscreened = tuple(int(count) for count in columns[:, size:].sum(axis=1))
        return cls(labels, columns[:, :size], unscreened if any(unscreened) else ())

    @property
    def total(self) -> int:
        """Number of items, those that were not screened included."""
        return int(self.columns.sum())

    @property
    def recall(self) -> NDArray[np.float64]:
        """Of each class, the share of its items that was found; NaN where it has none."""
        return self._figures(0)

    @property
    def precision(self) -> NDArray[np.float64]:
        """Of each class, the share of its predictions that was right; NaN where it was never predicted."""
        return self._figures(1)

    @property
    def f1(self) -> NDArray[np.float64]:
        """Harmonic mean of recall and precision of each class; NaN where it has no item."""
        return self._figures(2)

    @property
    def mean_f1(self) -> float:
        """See the function ``mean_f1``; NaN for no items."""
        return float(mean_f1(self.columns))

    @property
    def accuracy(self) -> float:
        """Share of items that was labelled right; NaN for no items."""
        return float(figures_of(self.columns[None])[0, -1])

    @property
    def columns(self) -> NDArray[np.int64]:
        """Counts [class, class + 1], the last column "not screened"."""
        return np.column_stack([self.counts, np.array(self.unscreened or (0,) * len(self.labels), dtype=np.int64)])

    def _figures(self, number: int) -> NDArray[np.float64]:
        size = len(self.labels)
        return figures_of(self.columns[None])[0, number * size : (number + 1) * size]

    def to_dict(self) -> dict[str, object]:
        """Counts and figures as plain JSON types; NaN as null."""
        return {
            "labels": list(self.labels),
            "counts": self.counts.tolist(),
            **({"unscreened": list(self.unscreened)} if self.unscreened else {}),
            "recall": _plain(self.recall),
            "precision": _plain(self.precision),
            "f1": _plain(self.f1),
            "mean_f1": _plain(np.array([self.mean_f1]))[0],
            "accuracy": _plain(np.array([self.accuracy]))[0],
        }


def f1_scores(counts: NDArray[Any]) -> NDArray[np.float64]:
    """f1 of each class: 2 hits / (items of the class + items taken for it).

    Ours: NaN for a class without items, whatever was taken for it; there is nothing of it to be found. What was
    taken for it falsely lowers the recall of the class that the item is of.

    Args:
        counts: [..., classes, classes], rows actual, columns predicted; a further column holds items without a label.

    Returns:
        [..., classes].
    """
    hits, actual, predicted = _sums(counts)
    return np.where(actual > 0, ratio(2 * hits, actual + predicted), np.nan)


def mean_f1(counts: NDArray[Any]) -> NDArray[np.float64]:
    """The mean f1, everywhere in the program: the mean of ``f1_scores`` over the classes that have items.

    Ours. The paper's cohorts hold every class, where all definitions agree. Over a few patients one item taken for a
    class that nobody has would cost a third of the figure if that class counted as one of f1 0.

    Args:
        counts: as of ``f1_scores``.

    Returns:
        [...]; NaN without items.
    """
    return mean_of_defined(f1_scores(counts))


def mean_of_defined(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means [...] of [..., classes] over the classes for which the figure is defined; NaN where it is for none."""
    defined = ~np.isnan(values)
    return ratio(np.where(defined, values, 0.0).sum(axis=-1), defined.sum(axis=-1))


def figures_of(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Every figure of many matrices at once.

    Args:
        counts: [n, classes, classes], rows actual, columns predicted; a further column holds items without a label.

    Returns:
        [n, 3 * classes + 2]: recall, precision and f1 of each class, mean f1 and accuracy; NaN where not defined.
    """
    hits, actual, predicted = _sums(counts)
    accuracy = ratio(hits.sum(axis=1, keepdims=True), actual.sum(axis=1, keepdims=True))
    means = mean_f1(counts)[:, None]
    return np.concatenate([ratio(hits, actual), ratio(hits, predicted), f1_scores(counts), means, accuracy], axis=1)


def counts_table(matrices: Sequence[ConfusionMatrix]) -> str:
    """Counts in the form of Tables 1, 3 and 5: rows actual, columns predicted, models side by side as ``M1/M2``.

    A last column tells of items that were not screened, where there are any.

    Raises:
        ValueError: if the matrices do not share their labels, or there is none.
    """
    labels = _shared_labels(matrices)
    names = [SHORT_NAMES.get(label, label) for label in labels]
    header = [*names, *([UNSCREENED] if any(matrix.unscreened for matrix in matrices) else [])]
    columns = [matrix.columns for matrix in matrices]
    rows = [
        [name, *("/".join(str(counts[i, j]) for counts in columns) for j in range(len(header)))]
        for i, name in enumerate(names)
    ]
    return _layout(["actual \\ predicted", *header], rows)


def figures_table(matrices: Sequence[ConfusionMatrix]) -> str:
    """Recall, precision and f1 in the form of Tables 2, 4 and 6, with mean f1 and accuracy below.

    Raises:
        ValueError: if the matrices do not share their labels, or there is none.
    """
    labels = _shared_labels(matrices)
    rows = [
        [SHORT_NAMES.get(label, label), *("/".join(figure(v[i]) for v in values) for values in _figures(matrices))]
        for i, label in enumerate(labels)
    ]
    table = _layout(["", "recall", "precision", "f1-score"], rows)
    mean = "/".join(figure(m.mean_f1) for m in matrices)
    accuracy = "/".join(figure(m.accuracy) for m in matrices)
    return f"{table}\nmean f1 {mean}, accuracy {accuracy}, n = {'/'.join(str(m.total) for m in matrices)}"


def figure(value: float) -> str:
    """A figure with the paper's three digits; a dash where it is not defined."""
    return "-" if np.isnan(value) else f"{value:.3f}"


def _figures(matrices: Sequence[ConfusionMatrix]) -> list[list[NDArray[np.float64]]]:
    return [[m.recall for m in matrices], [m.precision for m in matrices], [m.f1 for m in matrices]]


def _shared_labels(matrices: Sequence[ConfusionMatrix]) -> tuple[str, ...]:
    if not matrices or len({m.labels for m in matrices}) != 1:
        raise ValueError("models are compared side by side only over the same classes")
    return matrices[0].labels


def _layout(header: list[str], rows: list[list[str]]) -> str:
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in [header, *rows]
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def _sums(counts: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Hits, items and predictions [..., classes] of each class."""
    labelled = counts[..., : counts.shape[-2]]
    return np.einsum("...ii->...i", labelled), counts.sum(axis=-1), labelled.sum(axis=-2)


def _plain(values: NDArray[np.float64]) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]

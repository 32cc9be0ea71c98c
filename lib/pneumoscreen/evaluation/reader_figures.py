"""The figures of a reader study: time, and agreement with the truth, the model and each other, with and without it.

Intervals draw whole patients: what several readers said of one patient is not independent.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..metrics.agreement import MODEL, Agreement, agreement_of, marks_and_votes, matched_regions
from ..metrics.bootstrap import Interval, cluster_weights, percentile_interval
from ..verdict import Classes
from .reader_study import Condition, ReadingsFound, StudyReading, first_readings

TRUTH = "truth"
EVERYBODY = "all readers"


@dataclass(frozen=True)
class ReadingTime:
    """Seconds of some readings.

    Attributes:
        count: readings that say how long they took.
        median: with its interval.
        first_quartile: a quarter took no longer.
        third_quartile: a quarter took at least as long.
    """

    count: int
    median: Interval
    first_quartile: float
    third_quartile: float

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {**vars(self), "median": self.median.to_dict()}


@dataclass(frozen=True)
class ReaderRow:
    """One reader, or everybody, in one condition.

    Attributes:
        reader: the name, or ``EVERYBODY``.
        condition: whether the model was shown.
        readings: how many.
        cases: of how many cases.
        patients: of how many patients.
        time: None where no reading says it.
        with_truth: agreement with the truth by case; None where it is not known.
        with_model: likewise with the model's verdict.
    """

    reader: str
    condition: Condition
    readings: int
    cases: int
    patients: int
    time: ReadingTime | None
    with_truth: Agreement | None
    with_model: Agreement | None

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types."""
        parts = {name: getattr(self, name) for name in ("time", "with_truth", "with_model")}
        return {**vars(self), **{name: None if part is None else part.to_dict() for name, part in parts.items()}}


@dataclass(frozen=True)
class Difference:
    """What the model changes: the figure with it less the figure without it.

    Attributes:
        reader: the name, or ``EVERYBODY``.
        pairs: cases that one reader read in both conditions.
        seconds: difference of the medians; None where one of them is not known.
        truth: difference of the shares that agree with the truth; likewise.
    """

    reader: str
    pairs: int
    seconds: Interval | None
    truth: Interval | None

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types."""
        parts = {"seconds": self.seconds, "truth": self.truth}
        return {**vars(self), **{name: None if part is None else part.to_dict() for name, part in parts.items()}}


@dataclass(frozen=True)
class Between:
    """Two readers who read the same cases in one condition; ``condition`` None: their first readings, whichever."""

    condition: Condition | None
    agreement: Agreement

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {"condition": self.condition, **self.agreement.to_dict()}


def reader_rows(found: ReadingsFound) -> list[ReaderRow]:
    """A row for each reader and condition; everybody last where there are several readers."""
    return [
        _row(name, condition, chosen, found.labels)
        for name, readings in _by_reader(found.readings).items()
        for condition in Condition
        if (chosen := [reading for reading in readings if reading.condition is condition])
    ]


def differences(found: ReadingsFound) -> list[Difference]:
    """For each reader who read with and without the model; everybody last where there are several readers."""
    both = {Condition.WITH, Condition.WITHOUT}
    return [
        _difference(name, readings)
        for name, readings in _by_reader(found.readings).items()
        if both <= {reading.condition for reading in readings}
    ]


def between_readers(found: ReadingsFound) -> list[Between]:
    """Every two readers: by case in each condition, then by case and by region over their first readings."""
    rows: list[Between] = []
    firsts = first_readings(found.readings)
    names = sorted({reading.reader for reading in found.readings})
    for first, second in combinations(names, 2):
        for condition in Condition:
            shared = _shared([r for r in found.readings if r.condition is condition], first, second)
            rows += _rows(condition, _by_case(first, second, shared, found.labels))
        shared = _shared(firsts, first, second)
        rows += _rows(None, _by_case(first, second, shared, found.labels))
        rows += _rows(None, _by_region(first, second, shared, found.classes))
    return rows


def regions_with_model(found: ReadingsFound) -> list[Agreement]:
    """Each reader's marks beside the model's votes, over the first readings; none for X-rays."""
    rows = []
    for name, readings in _by_reader(first_readings(found.readings)).items():
        marked = [(reading, marks_and_votes(reading.document, reading.reader)) for reading in readings]
        rows.append(agreement_of(name, MODEL, "regions", marked, found.classes.patch_labels))
    return [row for row in rows if row is not None]


def _by_reader(readings: Sequence[StudyReading]) -> dict[str, list[StudyReading]]:
    names = sorted({reading.reader for reading in readings})
    found = {name: [reading for reading in readings if reading.reader == name] for name in names}
    return {**found, EVERYBODY: list(readings)} if len(names) > 1 else found


def _row(name: str, condition: Condition, readings: Sequence[StudyReading], labels: tuple[str, ...]) -> ReaderRow:
    true = [(reading, [(reading.said, reading.truth)]) for reading in readings if reading.truth is not None]
    by_model = [(reading, [(reading.said, reading.model)]) for reading in readings if reading.model is not None]
    return ReaderRow(
        reader=name,
        condition=condition,
        readings=len(readings),
        cases=len({reading.case_id for reading in readings}),
        patients=len({reading.patient for reading in readings}),
        time=_time([reading for reading in readings if reading.seconds is not None]),
        with_truth=agreement_of(name, TRUTH, "cases", true, labels),
        with_model=agreement_of(name, MODEL, "cases", by_model, labels),
    )


def _time(readings: Sequence[StudyReading]) -> ReadingTime | None:
    if not readings:
        return None
    seconds = np.array([reading.seconds for reading in readings], dtype=np.float64)
    first, third = np.quantile(seconds, [0.25, 0.75])
    median = _patient_interval(readings, lambda chosen: float(np.median(seconds[chosen])))
    return ReadingTime(len(seconds), median, float(first), float(third))


def _difference(name: str, readings: Sequence[StudyReading]) -> Difference:
    compared = [reading for reading in readings if reading.condition is not Condition.NOT_TOLD]
    conditions: dict[tuple[str, str], set[Condition]] = {}
    for reading in compared:
        conditions.setdefault((reading.case_id, reading.reader), set()).add(reading.condition)
    timed = [reading for reading in compared if reading.seconds is not None]
    judged = [reading for reading in compared if reading.truth is not None]
    seconds = [reading.seconds or 0.0 for reading in timed]
    right = [float(reading.said == reading.truth) for reading in judged]
    return Difference(
        name,
        sum(len(found) == 2 for found in conditions.values()),
        _less(timed, np.array(seconds), np.median),
        _less(judged, np.array(right), np.mean),
    )


def _less(
    readings: Sequence[StudyReading], values: NDArray[np.float64], figure: Callable[[NDArray[np.float64]], Any]
) -> Interval | None:
    """The figure of the values with the model less that of those without; None where one of them has none."""
    aided = np.array([reading.condition is Condition.WITH for reading in readings], dtype=bool)
    if aided.all() or not aided.any():
        return None

    def less(chosen: NDArray[np.int64]) -> float:
        ours, others = values[chosen][aided[chosen]], values[chosen][~aided[chosen]]
        return float(figure(ours) - figure(others)) if len(ours) and len(others) else float("nan")

    return _patient_interval(readings, less)


def _patient_interval(readings: Sequence[StudyReading], figure: Callable[[NDArray[np.int64]], float]) -> Interval:
    """A figure of chosen readings, by their places, and its interval over draws of patients."""
    order = {patient: i for i, patient in enumerate(dict.fromkeys(reading.patient for reading in readings))}
    places = np.array([order[reading.patient] for reading in readings])
    everything = np.arange(len(readings))
    estimate = figure(everything)
    if len(order) == 1:  # one patient drawn again and again is no certainty
        return Interval(estimate, float("nan"), float("nan"))
    weights = cluster_weights(len(order))
    drawn = np.array([figure(np.repeat(everything, weight[places])) for weight in weights], dtype=np.float64)
    return percentile_interval(estimate, drawn)


def _shared(readings: Sequence[StudyReading], first: str, second: str) -> list[tuple[StudyReading, StudyReading]]:
    by_case = {name: {r.case_id: r for r in readings if r.reader == name} for name in (first, second)}
    return [(one, by_case[second][case_id]) for case_id, one in by_case[first].items() if case_id in by_case[second]]


def _by_case(
    first: str, second: str, shared: Sequence[tuple[StudyReading, StudyReading]], labels: tuple[str, ...]
) -> Agreement | None:
    return agreement_of(first, second, "cases", [(one, [(one.said, other.said)]) for one, other in shared], labels)


def _by_region(
    first: str, second: str, shared: Sequence[tuple[StudyReading, StudyReading]], classes: Classes
) -> Agreement | None:
    matched = [(one, matched_regions(one.document, other.document)) for one, other in shared]
    rated = [(one, pairs) for one, (pairs, _) in matched]
    alone = sum(count for _, (_, count) in matched)
    return agreement_of(first, second, "regions", rated, classes.patch_labels, alone)


def _rows(condition: Condition | None, agreement: Agreement | None) -> list[Between]:
    return [] if agreement is None else [Between(condition, agreement)]

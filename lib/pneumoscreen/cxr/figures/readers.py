"""What readers said of radiographs, out of a CSV: their operating points on the ROC curves (Wang et al. 2020, fig. 3).

Columns ``case``, ``reader`` and ``label``; a reader's points are counted over the cases that he or she read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...case import CXR_CLASSES
from ...csv_table import read_rows
from ...errors import PneumoScreenError
from .outcome import RadiographOutcome

_COLUMNS = ("case", "reader", "label")


@dataclass(frozen=True)
class OperatingPoint:
    """Where a reader stands on the ROC curve of one class.

    Attributes:
        reader: the name.
        label: the class.
        count: pictures read.
        sensitivity: share of the class's pictures that the reader took for it; None where there was none.
        specificity: share of the others that the reader did not take for it; None where there was none.
    """

    reader: str
    label: str
    count: int
    sensitivity: float | None
    specificity: float | None

    def to_dict(self) -> dict[str, Any]:
        """The point as plain JSON types."""
        return dict(vars(self))


def read_readers(path: Path) -> dict[str, dict[str, str]]:
    """The label of each case by reader.

    Raises:
        PneumoScreenError: if the file cannot be read, lacks a column, names no class of ours, or lets a reader label
            a case twice.
    """
    found: dict[str, dict[str, str]] = {}
    for line, (case, reader, label) in read_rows(path, _COLUMNS):
        if not case or not reader:
            raise PneumoScreenError(f"{path} line {line} lacks a case or a reader; fill it in or remove it")
        if label not in CXR_CLASSES:
            raise PneumoScreenError(
                f"{path} line {line}: label {label!r} is not one of {', '.join(CXR_CLASSES)}; correct it"
            )
        if found.setdefault(reader, {}).setdefault(case, label) != label:
            raise PneumoScreenError(
                f"{path} line {line}: {reader} labels case {case} a second time; keep one of the two"
            )
    return found


def operating_points(
    readings: Mapping[str, Mapping[str, str]], outcomes: Sequence[RadiographOutcome]
) -> list[OperatingPoint]:
    """The points of every reader for every class, over the pictures of the cohort that the reader read."""
    truth = {outcome.case_id: outcome.label for outcome in outcomes if outcome.has_class}
    found = []
    for reader, labels in readings.items():
        read = [(truth[case], said) for case, said in labels.items() if case in truth]
        for label in CXR_CLASSES if read else ():
            own = [said == label for true, said in read if true == label]
            others = [said != label for true, said in read if true != label]
            found.append(OperatingPoint(reader, label, len(read), _share(own), _share(others)))
    return found


def _share(values: Sequence[bool]) -> float | None:
    return sum(values) / len(values) if values else None

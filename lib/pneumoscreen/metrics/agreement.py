"""How far readers agree with the model and with each other: Cohen's kappa of regions and of cases.

Against the model a region counts where the reader left a mark beside the model's vote; a region that was let stand
may simply not have been looked at. Between two readers counts what each of them signed: the mark where there is one,
else the vote that was let stand. The verdict of a case is in both respects that of the whole document.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ..case import Case, opinions
from ..geometry import iou
from ..verdict import Classes, decide
from .bootstrap import Interval, bootstrap_of_sums
from .confusion import ConfusionMatrix
from .detection import HIT_IOU

MODEL = "model"

AgreementLevel = Literal["regions", "cases"]
Pairs = list[tuple[str, str]]


class Rated(Protocol):
    """What was rated: a case, and whose it is."""

    @property
    def case_id(self) -> str:
        """Name of the case."""

    @property
    def patient(self) -> str:
        """Whose scan it is."""


@dataclass(frozen=True)
class ReadCase:
    """A case with what each of its readers signed.

    Attributes:
        case_id: its name.
        patient: whose scan it is.
        documents: the newest document of each reader, by the reader's name.
    """

    case_id: str
    patient: str
    documents: Mapping[str, Case]


@dataclass(frozen=True)
class Agreement:
    """Two raters over the same items.

    Attributes:
        first: a reader.
        second: another reader, or ``MODEL``.
        level: what the items are.
        matrix: rows the first rater's labels, columns the second's.
        kappa: Cohen's kappa: 1 full agreement, 0 that of chance; NaN where both give one and the same label only.
        observed: share of items on which they agree.
        cases: number of cases with such items.
        patients: number of their patients.
        alone: regions that only one of two readers has; they count for nothing.
    """

    first: str
    second: str
    level: AgreementLevel
    matrix: ConfusionMatrix
    kappa: Interval
    observed: Interval
    cases: int
    patients: int
    alone: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Counts and figures as plain JSON types."""
        return {
            "first": self.first,
            "second": self.second,
            "level": self.level,
            "labels": list(self.matrix.labels),
            "counts": self.matrix.counts.tolist(),
            "kappa": self.kappa.to_dict(),
            "observed": self.observed.to_dict(),
            "items": self.matrix.total,
            "cases": self.cases,
            "patients": self.patients,
            "alone": self.alone,
        }


def kappa_of(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Cohen's kappa and the observed agreement [n, 2] of matrices [n, classes, classes]; NaN where not defined."""
    total = counts.sum(axis=(1, 2)).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        observed = np.einsum("nii->n", counts) / total
        expected = (counts.sum(axis=1) * counts.sum(axis=2)).sum(axis=1) / total**2
        # Rounding leaves a trace of 1 - expected where both raters have one label only.
        kappa = np.where(1.0 - expected > 1e-12, (observed - expected) / (1.0 - expected), np.nan)
    return np.stack([kappa, observed], axis=1)


def model_agreements(cases: Sequence[ReadCase], classes: Classes) -> list[Agreement]:
    """Each reader against the model's votes and verdicts in the documents that were read."""
    readers = sorted({reader for case in cases for reader in case.documents})
    found = []
    for reader in readers:
        read = [(case, case.documents[reader]) for case in cases if reader in case.documents]
        marked = [(case, marks_and_votes(document, reader)) for case, document in read]
        verdicts = [(case, _verdicts(document, classes)) for case, document in read]
        found.append(agreement_of(reader, MODEL, "regions", marked, classes.patch_labels))
        found.append(agreement_of(reader, MODEL, "cases", verdicts, classes.case_labels))
    return [agreement for agreement in found if agreement is not None]


def reader_agreements(cases: Sequence[ReadCase], classes: Classes) -> list[Agreement]:
    """Every two readers who signed the same cases."""
    shared: dict[tuple[str, str], list[ReadCase]] = defaultdict(list)
    for case in cases:
        for pair in combinations(sorted(case.documents), 2):
            shared[pair].append(case)
    found = []
    for (first, second), read in sorted(shared.items()):
        matched = [(case, matched_regions(case.documents[first], case.documents[second])) for case in read]
        verdicts = [
            (case, [(signed_label(case.documents[first], classes), signed_label(case.documents[second], classes))])
            for case in read
        ]
        regions = [(case, pairs) for case, (pairs, _) in matched]
        alone = sum(count for _, (_, count) in matched)
        found.append(agreement_of(first, second, "regions", regions, classes.patch_labels, alone))
        found.append(agreement_of(first, second, "cases", verdicts, classes.case_labels))
    return [agreement for agreement in found if agreement is not None]


def agreement_of(
    first: str,
    second: str,
    level: AgreementLevel,
    rated: Sequence[tuple[Rated, Pairs]],
    labels: tuple[str, ...],
    alone: int = 0,
) -> Agreement | None:
    """Agreement over the cases with items; None where there are none.

    Args:
        first: a reader.
        second: another reader, or what else is compared.
        level: what the items are.
        rated: items of each case, as both label them.
        labels: those that there are.
        alone: see ``Agreement``.
    """
    rated = [(case, pairs) for case, pairs in rated if pairs]
    if not rated:
        return None
    patients = {patient: i for i, patient in enumerate(dict.fromkeys(case.patient for case, _ in rated))}
    counts = np.zeros((len(patients), len(labels), len(labels)), dtype=np.int64)
    items = [(patients[case.patient], one, other) for case, pairs in rated for one, other in pairs]
    owners, ones, others = zip(*items, strict=True)
    matrix = ConfusionMatrix.from_labels(labels, ones, others)
    np.add.at(counts, (list(owners), [labels.index(one) for one in ones], [labels.index(other) for other in others]), 1)
    kappa, observed = bootstrap_of_sums(counts, kappa_of)
    cases = len({case.case_id for case, _ in rated})
    return Agreement(first, second, level, matrix, kappa, observed, cases, len(patients), alone)


def marks_and_votes(document: Case, reader: str) -> Pairs:
    """The label of each region that the reader marked beside the model's vote."""
    return [
        (region.reader.label, region.label)
        for region in document.regions
        if region.reader is not None and region.reader.name == reader and region.label is not None
    ]


def _verdicts(document: Case, classes: Classes) -> Pairs:
    """The signed verdict and the model's; none where no model has seen the case."""
    by_model = voted_label(document, classes)
    return [] if by_model is None else [(signed_label(document, classes), by_model)]


def voted_label(document: Case, classes: Classes) -> str | None:
    """The model's verdict by its votes; None where no model has seen the case."""
    votes = [(r.label, r.confidence) for r in document.regions if r.label is not None and r.confidence is not None]
    return decide(votes, classes).label if votes or document.models else None


def signed_label(document: Case, classes: Classes) -> str:
    """The verdict by what the reader signed: the mark of a region where there is one, else the vote."""
    return decide(opinions(document.regions), classes).label


def matched_regions(first: Case, second: Case) -> tuple[Pairs, int]:
    """Labels of the regions that overlap best, one to one, and how many regions only one of the two has."""
    one, other = _labelled_boxes(first), _labelled_boxes(second)
    overlap = iou([box for box, _ in one], [box for box, _ in other])
    rows, columns = linear_sum_assignment(overlap, maximize=True)
    pairs = [(one[i][1], other[j][1]) for i, j in zip(rows, columns, strict=True) if overlap[i, j] >= HIT_IOU]
    return pairs, len(one) + len(other) - 2 * len(pairs)


def _labelled_boxes(document: Case) -> list[tuple[list[float], str]]:
    found = []
    for region in document.regions:
        if region.opinion is not None:
            center, half = np.asarray(region.center_mm), np.asarray(region.size_mm) / 2
            found.append(([*(center - half), *(center + half)], region.opinion[0]))
    return found

"""How far readers agree with the model, and what they correct: by period, by models, by reader."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import fisher_exact

from ..evaluation.figures import Share
from ..evaluation.reader_study import Condition
from ..metrics.agreement import MODEL, Agreement, agreement_of
from .corrections import Corrections, corrections_of
from .records import CT, LastWord, Records, Submission
from .shares import shares_of

READERS = "readers"
VERDICT, INFECTION, SIDE = "verdict", "infection", "side"
ACCEPTED, RELABELLED, DELETED, MOVED, ADDED, BOXES = "accepted", "relabelled", "deleted", "moved", "added", "boxes"
FIGURES = {
    VERDICT: "cases with the model's label",
    INFECTION: "cases with the model's yes or no to an infection",
    SIDE: "X-rays with the model's affected side",
    ACCEPTED: "marked regions whose label the reader left",
    RELABELLED: "marked regions that the reader gave another label",
    DELETED: "regions of the model that the reader deleted",
    MOVED: "regions of the model that the reader moved",
    ADDED: "regions that the reader added, a case",
    BOXES: "lung boxes that the reader placed",
}
"""What is counted, in words."""
_OF_CT = (VERDICT, INFECTION, ACCEPTED, RELABELLED, DELETED, MOVED, ADDED)
_OF_OTHERS = (VERDICT, INFECTION, SIDE, BOXES)


@dataclass(frozen=True)
class AgreementRow:
    """Some submissions beside the model.

    Attributes:
        name: a period, models, a reader or a condition.
        submissions: how many.
        judged: of these, how many have a verdict to compare and the model's to compare it with.
        patients: of how many patients.
        shares: by ``FIGURES``; those that the modality has.
    """

    name: str
    submissions: int
    judged: int
    patients: int
    shares: dict[str, Share]

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {**vars(self), "shares": {name: share.to_dict() for name, share in self.shares.items()}}


@dataclass(frozen=True)
class Change:
    """Agreement in the newest cases beside that in those before, under the same models; one case a patient.

    Attributes:
        before: agreed and all, of the cases before.
        newest: likewise of the newest.
        p: two-sided, by Fisher's exact test.
    """

    before: tuple[int, int]
    newest: tuple[int, int]
    p: float

    @property
    def drop(self) -> float:
        """By how much the share of agreement has fallen; below 0 where it has risen."""
        return self.before[0] / self.before[1] - self.newest[0] / self.newest[1]

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {"before": list(self.before), "newest": list(self.newest), "p": self.p, "drop": self.drop}


def rows_by(
    records: Records, submissions: Sequence[Submission], name_of: Callable[[Submission], str]
) -> list[AgreementRow]:
    """A row for each name, in the order in which the names come first."""
    groups: dict[str, list[Submission]] = {}
    for submission in submissions:
        groups.setdefault(name_of(submission), []).append(submission)
    return [row_of(name, records, group) for name, group in groups.items()]


def row_of(name: str, records: Records, submissions: Sequence[Submission]) -> AgreementRow:
    """One row over some submissions."""
    kinds = _OF_CT if records.modality == CT else _OF_OTHERS
    found = [_counts(records, one, corrections_of(one)) for one in submissions]
    counts = [[each[kind] for kind in kinds] for each in found]
    patients = [submission.patient for submission in submissions]
    shares = shares_of(np.array(counts, dtype=np.int64).reshape(-1, len(kinds), 2), patients)
    return AgreementRow(
        name=name,
        submissions=len(submissions),
        judged=sum(map(is_judged, submissions)),
        patients=len(set(patients)),
        shares=dict(zip(kinds, shares, strict=True)),
    )


def periods_of(submissions: Sequence[Submission], cases: int | None) -> Callable[[Submission], str]:
    """The name of the period of each submission.

    Args:
        submissions: oldest first.
        cases: submissions a period; None takes months.
    """
    if cases is None:
        return lambda submission: submission.at[:7]
    places = {id(submission): place for place, submission in enumerate(submissions)}
    last = len(submissions)

    def name(submission: Submission) -> str:
        first = places[id(submission)] // cases * cases
        return f"{first + 1} to {min(first + cases, last)}"

    return name


def is_judged(submission: Submission) -> bool:
    """Whether there is a reader's label and one of the model."""
    return submission.said is not None and submission.by_model is not None


def seen(submissions: Sequence[Submission], has_seen: bool) -> list[Submission]:
    """The submissions whose readers had, or had not, seen the model; what is not told counts as seen."""
    return [one for one in submissions if (one.condition is not Condition.WITHOUT) == has_seen]


def labels_changed(records: Records, submissions: Sequence[Submission]) -> Agreement | None:
    """Readers' labels of cases beside the model's: counts, kappa and agreement; None where nothing can be compared."""
    pairs = [(one, [(one.said, one.by_model)]) for one in submissions if one.said and one.by_model]
    return agreement_of(READERS, MODEL, "cases", pairs, records.labels)


def relabelled(submissions: Sequence[Submission]) -> dict[tuple[str, str], int]:
    """How many regions went from which label of the model to which of a reader; the most frequent first."""
    found: Counter[tuple[str, str]] = Counter()
    for submission in submissions:
        found.update(corrections_of(submission).relabelled)
    return dict(found.most_common())


def sides_changed(submissions: Sequence[Submission]) -> dict[tuple[str, str], int]:
    """How many X-rays went from which affected side of the model to which of a reader; the most frequent first."""
    sides = [corrections_of(submission).side for submission in submissions]
    return dict(Counter(side for side in sides if side is not None and side[0] != side[1]).most_common())


def settled_share(last_words: Sequence[LastWord]) -> Share:
    """The adjudicated cases that were settled as the model had said."""
    settled = [word for word in last_words if word.is_settled and word.by_model is not None]
    counts = [[[int(word.label == word.by_model), 1]] for word in settled]
    return shares_of(np.array(counts, dtype=np.int64).reshape(-1, 1, 2), [word.patient for word in settled])[0]


def change_of(submissions: Sequence[Submission], models: str, newest: int, least: int) -> Change | None:
    """Whether agreement with the models in use has changed; None where there are too few cases on either side.

    Args:
        submissions: oldest first.
        models: in use.
        newest: cases that count as the newest.
        least: cases that each side needs.
    """
    by_patient = {one.patient: one for one in submissions if one.models == models and is_judged(one)}
    agreed = [one.said == one.by_model for one in sorted(by_patient.values(), key=lambda one: one.at)]
    newest = min(newest, len(agreed) // 2)
    if newest < least:
        return None
    before, after = agreed[:-newest], agreed[-newest:]
    table = [[sum(group), len(group) - sum(group)] for group in (before, after)]
    return Change((sum(before), len(before)), (sum(after), newest), float(fisher_exact(table).pvalue))


def _counts(records: Records, submission: Submission, found: Corrections) -> dict[str, tuple[int, int]]:
    """What a submission adds to part and whole of each figure."""
    said, by_model = submission.said, submission.by_model
    judged = int(is_judged(submission))
    same = said is not None and by_model is not None and records.is_infection(said) == records.is_infection(by_model)
    changed = sum(found.relabelled.values())
    return {
        VERDICT: (int(judged and said == by_model), judged),
        INFECTION: (int(judged and same), judged),
        SIDE: (0, 0) if found.side is None else (int(found.side[0] == found.side[1]), 1),
        ACCEPTED: (found.accepted, found.accepted + changed),
        RELABELLED: (changed, found.accepted + changed),
        DELETED: (found.deleted, found.found),
        MOVED: (found.moved, found.found),
        ADDED: (found.added, 1),
        BOXES: (found.moved_boxes, found.boxes),
    }

"""The whole pipeline on a cohort of cases with known truth, judged as the paper judges its 90 test cases."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import NoLungsError, PneumoScreenError
from ...evaluation.figures import LeftOut
from ...evaluation.screener_work import ScreenerWork
from ...metrics.bootstrap import Interval, bootstrap_of_sums, ratio
from ...metrics.confusion import ConfusionMatrix
from ...metrics.detection import FrocPoint, froc
from ...metrics.tables import TableFigures, mean_f1_gain, table_figures
from ...models.store import ModelStore
from ...verdict import Classes
from ...workers.here import Here
from ...workers.pool import Pool
from ...workers.results import results_of
from ..screening import Screener
from .cases import LabelledCase
from .items import CaseItems, InfectionItems, PatchItems
from .outcome import CaseOutcome, Level, judge_case
from .outcome_folder import OutcomeFolder

LEVELS: tuple[Level, ...] = ("patches", "regions", "cases")
"""Of the paper's Tables 1 and 2, 3 and 4, 5 and 6."""


class Failure(NamedTuple):
    """A case that could not be screened, such as one whose lungs are not found; it keeps its diagnosis and counts.

    Ours: nobody was told anything, so that it is right for nobody: an infection was missed, and that there is none
    was not said either. It is a wrong verdict, and stands in the case table in a column of its own.
    """

    case_id: str
    reason: str
    patient: str
    diagnosis: str

    def counts_as(self, classes: Classes) -> str:
        """What it counts as, for a reader."""
        return "not cleared" if self.diagnosis == classes.none_found else "a missed infection"


@dataclass(frozen=True)
class CohortResult:
    """Outcomes of a cohort and the figures that follow from them; intervals draw patients.

    Attributes:
        outcomes: one a screened case.
        failures: cases that could not be screened; each counts as a wrong verdict of its diagnosis.
        classes: the class list.
        head: the classifier that gives the verdicts, ``m2`` where the weights hold it.
        left_out: cases whose scan or labels cannot be used; they count for nothing.
    """

    outcomes: tuple[CaseOutcome, ...]
    failures: tuple[Failure, ...]
    classes: Classes
    head: str
    left_out: tuple[LeftOut, ...] = ()

    @property
    def heads(self) -> tuple[str, ...]:
        """The classifiers compared, in the order M1, M2."""
        return tuple(sorted(self.outcomes[0].heads)) if self.outcomes else ()

    @cached_property
    def patients(self) -> tuple[str, ...]:
        """Every patient once, in the order of the cases."""
        return tuple(dict.fromkeys(self._patients_of_cases()))

    def patches(self, head: str) -> ConfusionMatrix:
        """Patches of all cases (the paper's Table 1)."""
        return self._matrix("patches", head)

    def regions(self, head: str | None = None) -> ConfusionMatrix:
        """Regions of all cases, after the vote (Table 3)."""
        return self._matrix("regions", head or self.head)

    def cases(self, head: str | None = None) -> ConfusionMatrix:
        """All cases (Table 5), those that could not be screened in a column of their own."""
        return self._matrix("cases", head or self.head)

    def table(self, level: Level, head: str) -> TableFigures:
        """Counts and figures of one level under one classifier, with intervals."""
        return table_figures(self._counts(level, head), self._labels(level))

    def gain(self, level: Level) -> Interval | None:
        """Mean f1 of M2 less that of M1 at one level; None where there is one classifier."""
        if self.heads != ("m1", "m2"):
            return None
        return mean_f1_gain(self._counts(level, "m1"), self._counts(level, "m2"))

    def accuracy(self, head: str | None = None) -> Interval:
        """Share of right verdicts; a case that could not be screened counts as wrong."""
        return self._share(lambda diagnosis: True, lambda diagnosis, verdict: diagnosis == verdict, head)

    def sensitivity(self, head: str | None = None) -> Interval:
        """Share of the infected cases, of whatever type, that are taken for infected ones."""
        none = self.classes.none_found
        return self._share(lambda diagnosis: diagnosis != none, lambda _, verdict: verdict != none, head)

    def specificity(self, head: str | None = None) -> Interval:
        """Share of the cases without infection in which none is found."""
        none = self.classes.none_found
        return self._share(lambda diagnosis: diagnosis == none, lambda _, verdict: verdict == none, head)

    def lesion_recall(self) -> Interval:
        """Share of infection lesions that a candidate region hits, before any classification."""
        found = [(outcome.detection.found, len(outcome.detection.first_hits)) for outcome in self.outcomes]
        return self._ratio(found, [outcome.patient for outcome in self.outcomes])

    def held_once(self) -> Interval:
        """Share of infection lesions that exactly one candidate region holds."""
        found = [(outcome.detection.held_once, len(outcome.detection.holders)) for outcome in self.outcomes]
        return self._ratio(found, [outcome.patient for outcome in self.outcomes])

    def froc(self) -> list[FrocPoint]:
        """Free-response curve of the candidate regions; empty where the cohort holds no lesion."""
        with_lesions = any(len(outcome.detection.first_hits) for outcome in self.outcomes)
        return froc([outcome.detection for outcome in self.outcomes]) if with_lesions else []

    def patch_items(self, head: str) -> PatchItems:
        """Patches with their probabilities under a classifier."""
        labels = [self.classes.patch_labels.index(name) for o in self.outcomes for name in o.true_patches]
        return PatchItems(
            probabilities=np.concatenate([outcome.heads[head].probabilities for outcome in self.outcomes]),
            labels=np.array(labels, dtype=np.int64),
            patients=np.repeat(self._places(), [len(outcome.true_patches) for outcome in self.outcomes]),
        )

    def case_items(self, head: str) -> CaseItems:
        """Cases with their Noisy-OR P under a classifier."""
        rows = [[outcome.heads[head].noisy_or[t] for t in self.classes.infections] for outcome in self.outcomes]
        labels = [self.classes.case_labels.index(outcome.diagnosis) for outcome in self.outcomes]
        return CaseItems(np.array(rows, dtype=np.float64), np.array(labels, dtype=np.int64), self._places())

    def infection_items(self) -> InfectionItems:
        """The screened cases whose document gives the probability of an infection."""
        known = [i for i, outcome in enumerate(self.outcomes) if outcome.infection is not None]
        none = self.classes.none_found
        return InfectionItems(
            probability=np.array([self.outcomes[i].infection for i in known], dtype=np.float64),
            infected=np.array([self.outcomes[i].diagnosis != none for i in known], dtype=bool),
            patients=self._places()[known],
        )

    def under(self, temperatures: Mapping[str, float]) -> "CohortResult":
        """The same cohort judged under other temperatures."""
        return replace(self, outcomes=tuple(outcome.under(temperatures, self.classes) for outcome in self.outcomes))

    def _patients_of_cases(self) -> list[str]:
        return [outcome.patient for outcome in self.outcomes] + [failure.patient for failure in self.failures]

    def _labels(self, level: Level) -> tuple[str, ...]:
        return self.classes.case_labels if level == "cases" else self.classes.patch_labels

    def _matrix(self, level: Level, head: str) -> ConfusionMatrix:
        return ConfusionMatrix.of_columns(self._labels(level), self._counts(level, head).sum(axis=0))

    def _counts(self, level: Level, head: str) -> NDArray[np.int64]:
        """[patients, classes, classes + 1], the last column "not screened"; it is empty but for cases."""
        labels = self._labels(level)
        counts = np.zeros((len(self.patients), len(labels), len(labels) + 1), dtype=np.int64)
        place = {label: i for i, label in enumerate(labels)}
        for patient, outcome in zip(self._places(), self.outcomes, strict=True):
            for true, found in zip(*outcome.labels(level, head), strict=True):
                counts[patient, place[true], place[found]] += 1
        if level == "cases":
            for failure in self.failures:
                counts[self.patients.index(failure.patient), place[failure.diagnosis], -1] += 1
        return counts

    def _places(self) -> NDArray[np.int64]:
        place = {patient: i for i, patient in enumerate(self.patients)}
        return np.array([place[outcome.patient] for outcome in self.outcomes], dtype=np.int64)

    def _share(self, counted: Callable[[str], bool], right: Callable[[str, str], bool], head: str | None) -> Interval:
        """Share of right ones among the cases whose diagnosis is counted; one that was not screened is not right."""
        head = head or self.head
        found = [
            (int(right(o.diagnosis, o.heads[head].verdict)) if counted(o.diagnosis) else 0, int(counted(o.diagnosis)))
            for o in self.outcomes
        ]
        failed = [(0, int(counted(failure.diagnosis))) for failure in self.failures]
        return self._ratio(found + failed, self._patients_of_cases())

    def _ratio(self, found: Sequence[tuple[int, int]], patients: Sequence[str]) -> Interval:
        place = {patient: i for i, patient in enumerate(self.patients)}
        sums = np.zeros((len(self.patients), 2), dtype=np.int64)
        for part_and_whole, patient in zip(found, patients, strict=True):
            sums[place[patient]] += part_and_whole
        return bootstrap_of_sums(sums, lambda drawn: ratio(drawn[:, :1], drawn[:, 1:]))[0]


Progress = Callable[[int, str], None]
"""Told of each case done: how many so far, and a line on it."""


Judged = CaseOutcome | Failure | LeftOut


class JudgeWork(ScreenerWork[Screener, LabelledCase, Judged]):
    """Screens a case and judges the result."""

    def __call__(self, case: LabelledCase, out: Path) -> Judged:
        """What came of a case."""
        del out
        return _judge(case, self.screener)

    def name(self, job: LabelledCase) -> str:
        """The case's name."""
        return job.case_id


def evaluate_cases(
    cases: Iterable[LabelledCase],
    screener: Screener,
    progress: Progress | None = None,
    kept: OutcomeFolder | None = None,
    pool: Pool[LabelledCase, Judged] | None = None,
) -> CohortResult:
    """Screen every case of a cohort and judge the results.

    Args:
        cases: scans with their truth; each worker reads one at a time.
        screener: the networks to judge.
        progress: told of each case done.
        kept: outcomes of an evaluation that was interrupted; those of this one are added.
        pool: who works, with a ``JudgeWork`` of the same networks; None takes this process.

    Raises:
        PneumoScreenError: if not a single case could be screened.
    """
    head = screener.head or screener.classifier.head

    def tell(done: int, found: Judged) -> None:
        if progress is not None:
            progress(done, _line(found, head))

    def keep(case: LabelledCase, found: Judged) -> None:
        if isinstance(found, CaseOutcome) and kept is not None:
            kept.keep(case, found)

    if pool is None:
        pool = Here(JudgeWork(screener, Screener.from_store, ModelStore()), Path(), "cpu")
    judged = results_of(list(cases), pool, tell, kept.find if kept else lambda case: None, keep)
    outcomes = tuple(found for found in judged if isinstance(found, CaseOutcome))
    failures = tuple(found for found in judged if isinstance(found, Failure))
    left_out = tuple(found for found in judged if isinstance(found, LeftOut))
    if not outcomes:
        reasons = [failure.reason for failure in failures] + [case.reason for case in left_out]
        raise PneumoScreenError(f"no case of the cohort could be screened: {reasons[0] if reasons else 'no case'}")
    return CohortResult(outcomes, failures, screener.classes, head, left_out)


def _judge(case: LabelledCase, screener: Screener) -> CaseOutcome | Failure | LeftOut:
    try:
        try:
            truth = case.load()
        except NoLungsError as error:  # screening fails on it as well
            return Failure(case.case_id, str(error), case.patient, case.diagnose())
    except PneumoScreenError as error:
        return LeftOut(case.case_id, str(error))
    try:
        return judge_case(truth, screener, case.patient)
    except PneumoScreenError as error:
        return Failure(case.case_id, str(error), case.patient, truth.diagnosis)


def _line(found: CaseOutcome | Failure | LeftOut, head: str) -> str:
    if isinstance(found, CaseOutcome):
        return f"{found.case_id}: {found.diagnosis} taken for {found.heads[head].verdict}"
    what = "left out" if isinstance(found, LeftOut) else f"{found.diagnosis} not screened"
    return f"{found.case_id}: {what}: {found.reason}"

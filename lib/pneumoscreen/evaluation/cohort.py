"""The whole pipeline on a cohort of cases with known truth, judged as the paper judges its 90 test cases.

``python -m pneumoscreen.evaluation.cohort --cases 90 --seed 100000 --out DIR`` runs it on phantoms.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..ct.screening import Screener
from ..errors import PneumoScreenError
from ..models.store import ModelStore
from ..phantoms.phantom import Phantom, PhantomSpec, generate_phantom
from ..verdict import DEFAULT_CLASSES, Classes
from .bootstrap import Interval, cluster_bootstrap
from .confusion import ConfusionMatrix, counts_table, figures_table
from .detection import FrocPoint, froc, lesion_recall
from .outcome import CaseOutcome, judge_case
from .published import CASES, PATCHES_M1, PATCHES_M2, REGIONS
from .truth import TrueCase

DEFAULT_SEED = 100_000
"""Far from the seeds of training: no phantom of a cohort has been seen."""

Matrix = Callable[[CaseOutcome], ConfusionMatrix]


@dataclass(frozen=True)
class CohortResult:
    """Outcomes of a cohort and every figure that follows from them.

    Attributes:
        outcomes: one a screened case.
        failures: case id and reason of each case that could not be screened; each counts as a wrong verdict.
        classes: the class list.
        head: the classifier that gives the verdicts, ``m2`` where the weights hold it.
    """

    outcomes: tuple[CaseOutcome, ...]
    failures: tuple[tuple[str, str], ...]
    classes: Classes
    head: str

    @property
    def heads(self) -> tuple[str, ...]:
        """The classifiers compared, in the order M1, M2."""
        return tuple(sorted(self.outcomes[0].heads)) if self.outcomes else ()

    def patches(self, head: str) -> ConfusionMatrix:
        """Patches of all cases (the paper's Table 1)."""
        return _sum(self.outcomes, lambda outcome: outcome.patch_matrix(head, self.classes))

    def regions(self, head: str | None = None) -> ConfusionMatrix:
        """Regions of all cases, after the vote (Table 3)."""
        return _sum(self.outcomes, lambda outcome: outcome.region_matrix(head or self.head, self.classes))

    def cases(self, head: str | None = None) -> ConfusionMatrix:
        """All screened cases (Table 5)."""
        return _sum(self.outcomes, lambda outcome: outcome.case_matrix(head or self.head, self.classes))

    def accuracy(self) -> Interval:
        """Share of right verdicts; a case that could not be screened counts as wrong."""
        right = [float(outcome.heads[self.head].verdict == outcome.diagnosis) for outcome in self.outcomes]
        return cluster_bootstrap(right + [0.0] * len(self.failures), lambda cases: float(np.mean(cases)))

    def patch_f1(self, head: str) -> Interval:
        """Mean f1 of the patches under one classifier."""
        return self._mean_f1([outcome.patch_matrix(head, self.classes) for outcome in self.outcomes])

    def region_f1(self) -> Interval:
        """Mean f1 of the regions after the vote."""
        return self._mean_f1([outcome.region_matrix(self.head, self.classes) for outcome in self.outcomes])

    def patch_f1_gain(self) -> Interval | None:
        """Patch mean f1 of M2 less that of M1, over the same draws of cases; None where there is one classifier."""
        if self.heads != ("m1", "m2"):
            return None
        pairs = [
            (outcome.patch_matrix("m1", self.classes), outcome.patch_matrix("m2", self.classes))
            for outcome in self.outcomes
        ]
        return cluster_bootstrap(
            pairs, lambda drawn: _add([b for _, b in drawn]).mean_f1 - _add([a for a, _ in drawn]).mean_f1
        )

    def lesion_recall(self) -> Interval:
        """Share of infection lesions that a candidate region hits, before any classification."""
        return cluster_bootstrap([outcome.detection for outcome in self.outcomes], lesion_recall)

    def froc(self) -> list[FrocPoint]:
        """Free-response curve of the candidate regions; empty where the cohort holds no lesion."""
        with_lesions = any(len(outcome.detection.first_hits) for outcome in self.outcomes)
        return froc([outcome.detection for outcome in self.outcomes]) if with_lesions else []

    def to_dict(self) -> dict[str, Any]:
        """Every figure and every outcome as plain JSON types."""
        gain = self.patch_f1_gain()
        return {
            "cases": len(self.outcomes) + len(self.failures),
            "failures": [{"case_id": name, "reason": reason} for name, reason in self.failures],
            "head": self.head,
            "lesion_recall": _interval(self.lesion_recall()),
            "regions_per_case": _spread([float(len(outcome.true_regions)) for outcome in self.outcomes]),
            "patches": {
                head: {**self.patches(head).to_dict(), "mean_f1_interval": _interval(self.patch_f1(head))}
                for head in self.heads
            },
            "patch_mean_f1_gain": _interval(gain) if gain else None,
            "regions": {**self.regions().to_dict(), "mean_f1_interval": _interval(self.region_f1())},
            "verdicts": {**self.cases().to_dict(), "accuracy_interval": _interval(self.accuracy())},
            "lung_dice": _spread([outcome.lung_dice for outcome in self.outcomes]),
            "affected_error": _spread([outcome.affected_error for outcome in self.outcomes]),
            "seconds": {
                stage: _spread([outcome.timings_s[stage] for outcome in self.outcomes if stage in outcome.timings_s])
                for stage in (self.outcomes[0].timings_s if self.outcomes else ())
            },
            "froc": [vars(point) for point in self.froc()],
            "outcomes": [outcome.to_dict() for outcome in self.outcomes],
        }

    def to_text(self) -> str:
        """The figures in the form of the paper's Tables 1 to 6, with intervals and the paper's own for comparison."""
        patches = [self.patches(head) for head in self.heads]
        names = "/".join(head.upper() for head in self.heads)
        count = len(self.outcomes) + len(self.failures)
        sizes = _spread([float(len(outcome.true_regions)) for outcome in self.outcomes])
        gain = self.patch_f1_gain()
        published = f"paper: mean f1 {PATCHES_M1.mean_f1:.3f}/{PATCHES_M2.mean_f1:.3f}"
        parts = [
            f"{count} cases; intervals: 95 %, bootstrap over cases",
            f"Candidates: lesion recall {self.lesion_recall()} with {sizes['mean']:.1f} regions a case "
            f"(at most {sizes['max']:.0f})",
            f"Patches, {names} (Tables 1 and 2; {published})",
            counts_table(patches),
            figures_table(patches),
            *(f"{head.upper()} patch mean f1 {self.patch_f1(head)}" for head in self.heads),
            *([f"M2 - M1 patch mean f1 {gain}"] if gain else []),
            f"Regions after the vote, {self.head.upper()} (Tables 3 and 4; paper: mean f1 {REGIONS.mean_f1:.3f})",
            counts_table([self.regions()]),
            figures_table([self.regions()]),
            f"region mean f1 {self.region_f1()}",
            f"Cases after Noisy-OR, {self.head.upper()} (Tables 5 and 6; paper: accuracy {CASES.accuracy:.3f})",
            counts_table([self.cases()]),
            figures_table([self.cases()]),
            f"case accuracy {self.accuracy()}",
            self._measures(),
            *(f"not screened: {name}: {reason}" for name, reason in self.failures),
        ]
        return "\n\n".join(parts) + "\n"

    def write(self, out: Path) -> None:
        """Write ``cohort.json`` and ``cohort.txt`` into a folder, which is made if it is missing.

        Raises:
            PneumoScreenError: if the folder cannot be written.
        """
        try:
            out.mkdir(parents=True, exist_ok=True)
            (out / "cohort.json").write_text(json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n", "utf-8")
            (out / "cohort.txt").write_text(self.to_text(), "utf-8")
        except OSError as error:
            raise PneumoScreenError(f"{out}: the figures cannot be written here ({error.strerror or error})") from None

    def _measures(self) -> str:
        dice = _spread([outcome.lung_dice for outcome in self.outcomes])
        affected = np.abs([outcome.affected_error for outcome in self.outcomes])
        seconds = _spread([outcome.timings_s.get("total", 0.0) for outcome in self.outcomes])
        return (
            f"Lungs: Dice {dice['mean']:.3f} (lowest {dice['min']:.3f}); affected share off by "
            f"{affected.mean():.1f} percentage points on average; {seconds['median']:.1f} s a case (median)"
        )

    def _mean_f1(self, matrices: Sequence[ConfusionMatrix]) -> Interval:
        return cluster_bootstrap(matrices, lambda drawn: _add(drawn).mean_f1)


def evaluate_cohort(
    cases: Iterable[TrueCase],
    screener: Screener,
    progress: Callable[[int, str], None] | None = None,
) -> CohortResult:
    """Screen every case of a cohort and judge the results.

    Args:
        cases: scans with their truth; taken one at a time, so that a generator keeps memory small.
        screener: the networks to judge.
        progress: told of each case done: how many so far, and a line on it.

    Raises:
        PneumoScreenError: if not a single case could be screened.
    """
    outcomes: list[CaseOutcome] = []
    failures: list[tuple[str, str]] = []
    for number, case in enumerate(cases, start=1):
        try:
            outcome = judge_case(case, screener)
        except PneumoScreenError as error:
            failures.append((case.volume.case_id, str(error)))
            line = f"{case.volume.case_id}: not screened: {error}"
        else:
            outcomes.append(outcome)
            verdict = outcome.heads[screener.head or screener.classifier.head].verdict
            line = f"{outcome.case_id}: {outcome.diagnosis} taken for {verdict}"
        if progress is not None:
            progress(number, line)
    if not outcomes:
        raise PneumoScreenError(f"no case of the cohort could be screened: {failures[0][1] if failures else 'no case'}")
    head = screener.head or screener.classifier.head
    return CohortResult(tuple(outcomes), tuple(failures), screener.classes, head)


def phantom_cohort(
    count: int, seed: int, classes: Classes = DEFAULT_CLASSES, spec: PhantomSpec | None = None
) -> Iterator[Phantom]:
    """Unseen phantoms, the diagnoses in turn: 90 are 30 of each, as in the paper."""
    for number in range(count):
        yield generate_phantom(seed + number, classes.case_labels[number % len(classes.case_labels)], spec)


def main(arguments: Sequence[str] | None = None) -> int:
    """Evaluate on phantoms and print the tables; 2 with a line on standard error for a user's mistake."""
    parser = argparse.ArgumentParser(prog="python -m pneumoscreen.evaluation.cohort", description=__doc__)
    parser.add_argument("--cases", type=int, default=90, help="number of phantoms")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="seed of the first phantom")
    parser.add_argument("--models", type=Path, default=None, help="folder of published models")
    parser.add_argument("--device", default=None, help="cpu or cuda; default: the GPU where there is one")
    parser.add_argument("--out", type=Path, default=None, help="folder for cohort.json and cohort.txt")
    options = parser.parse_args(arguments)
    if options.cases < 1:
        parser.error("--cases must be at least 1")
    try:
        screener = Screener.from_store(ModelStore(options.models), options.device)
        result = evaluate_cohort(
            phantom_cohort(options.cases, options.seed),
            screener,
            lambda done, line: print(f"{done}/{options.cases} {line}", file=sys.stderr, flush=True),
        )
        if options.out is not None:
            result.write(options.out)
    except PneumoScreenError as error:
        print(error, file=sys.stderr)
        return 2
    print(result.to_text(), end="")
    return 0


def _sum(outcomes: Sequence[CaseOutcome], matrix: Matrix) -> ConfusionMatrix:
    return _add([matrix(outcome) for outcome in outcomes])


def _add(matrices: Sequence[ConfusionMatrix]) -> ConfusionMatrix:
    return ConfusionMatrix(matrices[0].labels, np.sum([matrix.counts for matrix in matrices], axis=0))


def _interval(interval: Interval) -> dict[str, float | None]:
    return {name: None if np.isnan(value) else value for name, value in vars(interval).items()}


def _spread(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {}
    return {
        "mean": float(np.mean(values)),
        "median": float(np.median(values)),
        "min": float(np.min(values)),
        "max": float(np.max(values)),
    }


if __name__ == "__main__":
    sys.exit(main())

"""The folds of all set-ups, each a job of its own."""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ...errors import ConfigError
from ...models.store import ModelStore
from ...models.weights import WEIGHTS_FILE, Weights, read_weights
from ...studies.cases import Study
from ...training.device import find_workplace
from ...training.warm_start import follow, state_for
from ...workers.pool import Ask, Pool, Work, work_off
from ..figures.outcome import RadiographOutcome
from ..learning.data import PictureSet
from ..learning.items import gather
from ..learning.run import outputs_of, train_lesson
from ..lung_boxes import MODEL_NAME, LungBoxModel
from .arms import Arm
from .cohort import Cohort, Entry, LungBoxFinder, cut_key, prepare_cohort
from .folds import Fold, make_folds
from .ledger import FoldRecord, Ledger
from .tasks import TASKS, Say

_FORMAT = 1
_FREE = {"dropout", "temperature"}
"""Settings of a network that its weights do not depend on."""


@dataclass(frozen=True)
class ArmResult:
    """What came of a set-up."""

    arm: Arm
    folds: tuple[FoldRecord, ...]

    @property
    def outcomes(self) -> tuple[RadiographOutcome, ...]:
        """Those of all folds: each X-ray once, judged by a network that never saw it."""
        return tuple(outcome for fold in self.folds for outcome in fold.outcomes)


def box_finder(store: ModelStore, device: str) -> LungBoxFinder | None:
    """The lung-box network in use; None where the store has none.

    Raises:
        ModelError: if it is damaged.
    """
    if store.current(MODEL_NAME) is None:
        return None
    weights = store.load(MODEL_NAME)
    return LungBoxFinder(LungBoxModel.load(weights, device), weights.sha256)


def prepare(studies: Sequence[Study], arms: Sequence[Arm], out: Path, finder: LungBoxFinder | None, say: Say) -> Cohort:
    """Cut what the networks of all set-ups look at.

    Raises:
        PneumoScreenError: if there is nothing to cut, or boxes are missing and nobody can find them.
    """
    return prepare_cohort(
        studies,
        {cut_of(arm): _cutter(arm) for arm in arms},
        out,
        needs_boxes=any(_needs_boxes(arm) for arm in arms),
        finder=finder,
        say=say,
    )


def cut_of(arm: Arm) -> str:
    """The key of what a set-up looks at."""
    return cut_key(arm.task, TASKS[arm.task].cut_of(_network(arm)))


def begin_from(arm: Arm, path: Path) -> tuple[Arm, Weights]:
    """The set-up with what its options leave open of the network as it is in a weights file, and these weights.

    Args:
        arm: the set-up.
        path: ``model.safetensors`` of a version in a model store, its card beside it.

    Raises:
        PneumoScreenError: if the file cannot be used.
    """
    if path.name != WEIGHTS_FILE:
        raise ConfigError(f"--initial {path}: name a file {WEIGHTS_FILE} with its card beside it")
    weights = read_weights(path.parent, str(path.parent))
    network = follow(_network(arm), weights.card.get("network"))
    if "temperature" in type(network).model_fields:
        network = network.model_copy(update={"temperature": 1.0})
    return replace(arm, training=arm.training.model_copy(update={"network": network})), weights


@dataclass(frozen=True)
class Division:
    """The X-rays of a set-up, and its folds over them."""

    entries: tuple[Entry, ...]
    folds: tuple[Fold, ...]


def divide(arm: Arm, cohort: Cohort, folds: int, seed: int) -> Division:
    """Divide the X-rays that a set-up can use.

    Raises:
        ConfigError: if there are none, or too few.
    """
    task = TASKS[arm.task]
    entries = [entry for entry in cohort.entries if task.usable(entry)]
    if not entries:
        raise ConfigError(f"{arm.title}: no X-ray says what it needs (affected side or lung boxes); label some")
    found = make_folds(
        [entry.case_id for entry in entries],
        [entry.patient for entry in entries],
        [task.stratum(entry) for entry in entries],
        by=arm.by,
        folds=folds,
        seed=seed,
    )
    return Division(tuple(entries), tuple(found))


@dataclass(frozen=True)
class FoldJob:
    """A fold to train and test.

    Attributes:
        place: of its set-up among those of the run.
        number: from 1.
    """

    place: int
    number: int


class FoldWork(Work[FoldJob, FoldRecord]):
    """Trains and tests folds.

    Args:
        divided: the set-ups with their X-rays.
        cohort: what was cut of these, in a folder that every worker sees.
        ledgers: of the set-ups.
        initial: weights from which every fold begins, as ``begin_from`` reads them; None takes random ones.
        say: takes lines of progress where the work is done; must be pickled.
    """

    def __init__(
        self,
        divided: Sequence[tuple[Arm, Division]],
        cohort: Cohort,
        ledgers: Sequence[Ledger],
        initial: Path | None,
        say: Say,
    ) -> None:
        self.shared = cohort.folder
        self._divided, self._cohort, self._ledgers, self._initial, self._say = divided, cohort, ledgers, initial, say

    def begin(self, device: str, ask: Ask | None) -> None:
        """Read the weights that folds begin from."""
        del ask
        self._device = device
        self._weights = None if self._initial is None else begin_from(self._divided[0][0], self._initial)[1]

    def name(self, job: FoldJob) -> str:
        """Set-up and fold."""
        arm, division = self._divided[job.place]
        return f"{arm.title}, fold {job.number}/{len(division.folds)}"

    def __call__(self, job: FoldJob, out: Path) -> FoldRecord:
        """What came of a fold.

        Raises:
            PneumoScreenError: if the weights do not fit.
        """
        del out
        (arm, division), began = self._divided[job.place], time.monotonic()
        fold, entries = division.folds[job.number - 1], division.entries
        task, cut, weights = TASKS[arm.task], cut_of(arm), self._weights

        def say(line: str) -> None:
            self._say(f"{self.name(job)}: {line}")

        def pictures(rows: NDArray[Any]) -> PictureSet:
            return gather((entries[row].patient, self._cohort.items(entries[row], cut)) for row in rows)

        training, validation, test = (pictures(rows) for rows in (fold.training, fold.validation, fold.test))
        lesson = task.lesson(arm.training, training, anew=weights is None)
        state = state_for(_network(arm), weights, _FREE) if weights is not None else None
        trained = train_lesson(
            lesson,
            training,
            validation,
            arm.training,
            self._ledgers[job.place].checkpoints(job.number),
            self._device,
            say=say,
            initial_state=state,
        )
        temperature = task.temperature(trained.output, validation, say)
        workplace = find_workplace(self._device)
        try:
            output = outputs_of(lesson, test, workplace, arm.training.batch)
        finally:
            workplace.close()
        outcomes = task.outcomes([entries[row] for row in fold.test], output, test, lesson, temperature)
        facts = {
            **trained.figures,
            "test_pictures": len(test),
            "test_patients": test.patients_count,
            "temperature": temperature,
            "seconds": round(time.monotonic() - began, 1),
        }
        return FoldRecord(job.number, tuple(outcomes), facts)


def run_arms(
    divided: Sequence[tuple[Arm, Division]],
    cohort: Cohort,
    out: Path,
    pool_of: Callable[[FoldWork], Pool[FoldJob, FoldRecord]],
    *,
    seed: int,
    initial: Path | None = None,
    weights: Weights | None = None,
    say: Say,
) -> list[ArmResult]:
    """Train and test every fold of all set-ups that is not done.

    Args:
        divided: the set-ups with their X-rays, see ``divide``.
        cohort: the X-rays.
        out: folder of the cross-validation.
        pool_of: gives the workers.
        seed: of the division; weights and order have their own in the settings.
        initial: file of the weights from which every fold begins; None takes random ones.
        weights: what it holds.
        say: takes lines of progress.

    Raises:
        PneumoScreenError: if the weights do not fit, or the folder holds other results.
    """
    ledgers = [Ledger(out / arm.name, _key(arm, division, seed, weights)) for arm, division in divided]
    jobs = [FoldJob(i, n) for i, (_, division) in enumerate(divided) for n in range(1, len(division.folds) + 1)]
    records = {job: record for job in jobs if (record := ledgers[job.place].find(job.number)) is not None}
    work = FoldWork(divided, cohort, ledgers, initial, say)

    def done(job: FoldJob, record: FoldRecord) -> Sequence[FoldJob]:
        ledger = ledgers[job.place]
        ledger.keep(record)
        shutil.rmtree(ledger.checkpoints(job.number), ignore_errors=True)
        say(f"{work.name(job)}: done in {record.facts['seconds']} s")
        records[job] = record
        return ()

    work_off(pool_of(work), [job for job in jobs if job not in records], done)
    return [
        ArmResult(arm, tuple(records[job] for job in jobs if job.place == place))
        for place, (arm, _) in enumerate(divided)
    ]


def _network(arm: Arm) -> Any:
    return arm.training.network  # type: ignore[attr-defined]


def _needs_boxes(arm: Arm) -> bool:
    if not TASKS[arm.task].needs_boxes:
        return False
    return arm.task != "classes" or _network(arm).view != "whole"


def _cutter(arm: Arm) -> Callable[..., Any]:
    task, network = TASKS[arm.task], _network(arm)
    return lambda labelled: task.items(labelled, network)


def _key(arm: Arm, division: Division, seed: int, weights: Weights | None) -> str:
    parts: Mapping[str, Any] = {
        "format": _FORMAT,
        "settings": arm.training.fingerprint(),
        "cut": cut_of(arm),
        "by": arm.by,
        "folds": len(division.folds),
        "seed": seed,
        "initial": weights.sha256 if weights else None,
        "entries": [entry.to_dict() for entry in division.entries],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

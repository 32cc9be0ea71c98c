"""One set-up after the other, fold by fold."""

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


def run_arm(
    arm: Arm,
    cohort: Cohort,
    division: Division,
    out: Path,
    *,
    seed: int,
    device: str = "auto",
    weights: Weights | None = None,
    say: Say,
) -> ArmResult:
    """Train and test every fold that is not done.

    Args:
        arm: the set-up.
        cohort: the X-rays.
        division: those of the set-up, see ``divide``.
        out: folder of the cross-validation.
        seed: of the division; weights and order have their own in the settings.
        device: where the networks run.
        weights: from which every fold begins, as ``begin_from`` read them; None takes random ones.
        say: takes lines of progress.

    Raises:
        PneumoScreenError: if the weights do not fit, or the folder holds other results.
    """
    entries, divided = division.entries, division.folds
    folds = len(divided)
    ledger = Ledger(out / arm.name, _key(arm, entries, folds, seed, weights))
    records = []
    for number, fold in enumerate(divided, start=1):
        record = ledger.find(number)
        if record is None:

            def tell(line: str, number: int = number) -> None:
                say(f"{arm.title}, fold {number}/{folds}: {line}")

            record = _run_fold(arm, cohort, entries, fold, number, ledger, device, weights, tell)
            ledger.keep(record)
            shutil.rmtree(ledger.checkpoints(number), ignore_errors=True)
        records.append(record)
    return ArmResult(arm, tuple(records))


def _run_fold(
    arm: Arm,
    cohort: Cohort,
    entries: Sequence[Entry],
    fold: Fold,
    number: int,
    ledger: Ledger,
    device: str,
    weights: Weights | None,
    say: Say,
) -> FoldRecord:
    task, began, cut = TASKS[arm.task], time.monotonic(), cut_of(arm)

    def pictures(rows: NDArray[Any]) -> PictureSet:
        return gather((entries[row].patient, cohort.items(entries[row], cut)) for row in rows)

    training, validation, test = (pictures(rows) for rows in (fold.training, fold.validation, fold.test))
    lesson = task.lesson(arm.training, training, anew=weights is None)
    state = state_for(arm.training.network, weights, _FREE) if weights is not None else None  # type: ignore[attr-defined]
    trained = train_lesson(
        lesson,
        training,
        validation,
        arm.training,
        ledger.checkpoints(number),
        device,
        say=say,
        initial_state=state,
    )
    temperature = task.temperature(trained.output, validation, say)
    workplace = find_workplace(device)
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
    return FoldRecord(number, tuple(outcomes), facts)


def _network(arm: Arm) -> Any:
    return arm.training.network  # type: ignore[attr-defined]


def _needs_boxes(arm: Arm) -> bool:
    if not TASKS[arm.task].needs_boxes:
        return False
    return arm.task != "classes" or _network(arm).view != "whole"


def _cutter(arm: Arm) -> Callable[..., Any]:
    task, network = TASKS[arm.task], _network(arm)
    return lambda labelled: task.items(labelled, network)


def _key(arm: Arm, entries: Sequence[Entry], folds: int, seed: int, weights: Weights | None) -> str:
    parts: Mapping[str, Any] = {
        "format": _FORMAT,
        "settings": arm.training.fingerprint(),
        "cut": cut_of(arm),
        "by": arm.by,
        "folds": folds,
        "seed": seed,
        "initial": weights.sha256 if weights else None,
        "entries": [entry.to_dict() for entry in entries],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

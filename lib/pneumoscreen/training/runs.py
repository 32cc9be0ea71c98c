"""One training from a studies folder to a published or kept model, the same for command line and server.

A run lives in a folder: its plan, checkpoints and status, and the prepared cases, which later runs use again. It can
be killed at any moment and resumed. With several processes (``torchrun``) the first one prepares, writes, measures
and offers; the others train along.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..errors import Cancelled, ConfigError, PneumoScreenError
from ..models.atomic_files import replace_durably
from ..models.store import ModelStore
from ..studies.audit import utc_text
from ..studies.cases import find_studies
from ..studies.folder_split import folder_split, keep_split
from ..studies.split import Side, SplitSettings
from ..workers.asked import UNASKED, Workers
from .checkpoints import CheckpointFolder
from .device import Workplace, workplace_of
from .plan import (
    CHECKPOINTS,
    FREE_SETTINGS,
    PUBLICATION_FILE,
    PlannedCase,
    Prepared,
    TrainingPlan,
    UsedModel,
    choose_cases,
    clear_run,
    planned_studies,
    request_of,
    require_both_sides,
)
from .preparation import prepare_cases
from .progress import TrainingObserver, say_on_stderr
from .publishing import Publication
from .recipes import Recipe, asked_split, shares_of
from .status import StatusReporter, TrainingState, TrainStatus, read_status

LICENCE = "not stated; whoever trained it decides"
LOCK_FILE = ".lock"
_LOCK_WAIT_S = 5.0

Say = Callable[[str], None]


def run_training(
    recipe_type: type[Recipe],
    studies: Path,
    settings: Any,
    out: Path,
    store: ModelStore,
    *,
    device: str = "auto",
    resume: bool = False,
    pretrained: bool = True,
    status: Callable[[TrainStatus], None] | None = None,
    say: Say = say_on_stderr,
    observers: tuple[TrainingObserver, ...] = (),
    command: str = "",
    workers: Workers = UNASKED,
) -> Publication:
    """Train one network on the labelled cases of a folder and offer it for publication.

    Args:
        recipe_type: the training; see ``methods.recipe_for``.
        studies: the studies folder.
        settings: of the recipe's ``settings_type``.
        out: folder of the run; made where missing.
        store: where the model goes, and where the one in use lies.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        resume: go on with the run in ``out``, with the labels that it began with; without one there, begin.
        pretrained: begin with the weights in use where their network is that of the settings.
        status: called in the first process with what ``status.json`` says; may raise ``Cancelled``.
        say: takes a line every few seconds.
        observers: told of every step and every figure, in the first process.
        command: by which the run was started, for the card.
        workers: who prepares the cases.

    Raises:
        PneumoScreenError: if studies, settings, folder or device cannot be used, or another training runs in ``out``.
        Cancelled: if a callback raised it; the run can be resumed.
    """
    task = recipe_type.task
    with workplace_of(device) as place:
        out.mkdir(parents=True, exist_ok=True)
        with _alone(out) if place.is_first else nullcontext():
            run = _Run(recipe_type, studies, settings, out, store, place, say, observers, command, workers)
            reporter = (
                StatusReporter(task, out, status, read_status(out) if resume else None) if place.is_first else None
            )
            with _reported(reporter):
                return run.go(resume, pretrained, reporter)


def can_resume(task: str, settings: Any, out: Path, pretrained: bool = True) -> bool:
    """Whether ``out`` holds a run of the same request that has not come to its end."""
    try:
        plan = TrainingPlan.load(out)
    except ConfigError:
        return False
    is_over = (out / PUBLICATION_FILE).exists()
    return plan is not None and not is_over and (plan.task, plan.request) == (task, request_of(settings, pretrained))


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Keep other trainings out of the folder; one that is just being ended is waited for."""
    try:
        with FileLock(out / LOCK_FILE, timeout=_LOCK_WAIT_S):
            yield
    except Timeout:
        raise ConfigError(f"{out}: another training runs in this folder; wait for its end or name another") from None


@contextmanager
def _reported(reporter: StatusReporter | None) -> Iterator[None]:
    """Let the status say how a run ended that did not come to its end."""
    try:
        yield
    except (Cancelled, KeyboardInterrupt):
        _end(reporter, TrainingState.CANCELLED, "cancelled; the run can be resumed")
        raise
    except PneumoScreenError as error:
        _end(reporter, TrainingState.FAILED, str(error))
        raise
    except Exception as error:
        _end(reporter, TrainingState.FAILED, f"the training failed ({type(error).__name__}); its log has the reason")
        raise


def _end(reporter: StatusReporter | None, state: TrainingState, message: str) -> None:
    if reporter is not None:
        reporter.finish(state, message)


class _Run:
    """One process's part of a run."""

    def __init__(
        self,
        recipe_type: type[Recipe],
        studies: Path,
        settings: Any,
        out: Path,
        store: ModelStore,
        place: Workplace,
        say: Say,
        observers: tuple[TrainingObserver, ...],
        command: str,
        workers: Workers,
    ) -> None:
        self.recipe_type, self.studies, self.settings, self.out = recipe_type, studies, settings, out
        self.store, self.place, self.say, self.observers = store, place, say, observers
        self.command, self.workers = command, workers

    def go(self, resume: bool, pretrained: bool, reporter: StatusReporter | None) -> Publication:
        """From the plan to the publication."""
        if reporter is not None:
            reporter.enter(TrainingState.PREPARING, "looking for labelled cases")
            recipe = self._recipe(self._plan(resume, pretrained, reporter))
            cases = self._prepare(recipe, reporter)
            self.place.wait()
        else:
            self.place.wait()
            recipe = self._recipe(TrainingPlan.load(self.out))
            cases = self._prepared(recipe.plan, Prepared.load(self.out))
        if reporter is not None:
            reporter.enter(TrainingState.TRAINING, f"training on {_counted(cases)}")
        watching = (reporter, *self.observers) if reporter is not None else ()
        recipe.train(cases, watching, self.say)
        return self.place.tell(self._offer(recipe, cases, reporter) if reporter is not None else None)

    def _plan(self, resume: bool, pretrained: bool, reporter: StatusReporter) -> TrainingPlan:
        """The plan that is resumed, or a new one."""
        request = request_of(self.settings, pretrained)
        plan = TrainingPlan.load(self.out)
        if plan is None and not CheckpointFolder(self.out / CHECKPOINTS).steps():
            return self._new_plan(request, pretrained, reporter)
        if plan is None or not resume:
            raise ConfigError(f"{self.out}: holds checkpoints of an earlier run; add --resume or name another folder")
        if (plan.task, plan.request) != (self.recipe_type.task, request):
            raise ConfigError(f"{self.out}: the run there has other settings; give another folder, or do not resume")
        self._keep_split(folder_split(self.studies, SplitSettings.model_validate(plan.settings["split"])), reporter)
        reporter.note(f"resumed: labels and models as they were at {plan.created}")
        return plan

    def _new_plan(self, request: str, pretrained: bool, reporter: StatusReporter) -> TrainingPlan:
        def say(sentence: str) -> None:
            self._note(reporter, sentence)

        clear_run(self.out)
        studies = find_studies(self.studies, say, self.recipe_type.modality)
        shares = folder_split(self.studies, asked_split(self.settings))
        settings = self.recipe_type.settled(self.settings, self.store).model_copy(update={"split": shares})
        cases, test_cases = choose_cases(studies, shares, self.out)
        self._keep_split(shares, reporter)
        plan = TrainingPlan(
            task=self.recipe_type.task,
            created=utc_text(datetime.now(UTC)),
            request=request,
            settings=settings.model_dump(mode="json"),
            starts_from=self._start(settings, say) if pretrained else None,
            candidates=self.recipe_type.other_model(self.store),
            test_cases=test_cases,
            cases=tuple(cases),
        )
        plan.save(self.out)
        return plan

    def _keep_split(self, shares: SplitSettings, reporter: StatusReporter) -> None:
        """Before anything is learnt: from here on every evaluation of the folder goes by these shares."""
        keep_split(self.studies, shares, lambda sentence: self._note(reporter, sentence))

    def _start(self, settings: Any, say: Say) -> UsedModel | None:
        """The weights in use, if a training of these settings can begin with them."""
        task = self.recipe_type.task
        if self.store.current(task) is None:
            say(f"{task} begins with random weights: none are in use")
            return None
        try:
            weights = self.store.load(task)
            self.recipe_type.state_of(settings, weights)
        except PneumoScreenError as error:
            say(f"{task} begins with random weights: {error}")
            return None
        return UsedModel(weights.version, weights.sha256)

    def _recipe(self, plan: TrainingPlan | None) -> Recipe:
        assert plan is not None
        kept = self.recipe_type.settings_type.model_validate(plan.settings)
        free = {name: getattr(self.settings, name) for name in FREE_SETTINGS if hasattr(self.settings, name)}
        return self.recipe_type(plan, kept.model_copy(update=free), self.out, self.store, self.place)

    def _prepare(self, recipe: Recipe, reporter: StatusReporter) -> list[PlannedCase]:
        """Prepare every case once; one that cannot be used is named and left out."""
        plan, done = recipe.plan, Prepared.load(self.out)
        wanted = plan.cases if done is None else self._prepared(plan, done)
        left_out = {} if done is None else dict(done.left_out)
        missing = [case for case in wanted if not recipe.file_of(case).is_file()]
        found = planned_studies(plan, self.studies, self.out) if missing else {}

        def tell(number: int, case: PlannedCase, reason: str | None) -> None:
            if reason is None:
                self.say(f"prepared {number}/{len(missing)}")
            elif done is not None:
                raise ConfigError(f"{self.out}: {case.case_id} was trained on and {reason}; train anew")
            else:
                left_out[case.case_id] = reason
            if number < len(missing):
                reporter.enter(TrainingState.PREPARING, f"preparing case {number + 1} of {len(missing)}")

        if missing:
            reporter.enter(TrainingState.PREPARING, f"preparing case 1 of {len(missing)}")
        prepare_cases(recipe, missing, found, self.workers, tell)
        left_out = {case.case_id: left_out[case.case_id] for case in plan.cases if case.case_id in left_out}
        for case_id, reason in left_out.items():
            self._note(reporter, f"{case_id} is left out: {reason}")
        cases = [case for case in wanted if case.case_id not in left_out]
        require_both_sides(cases, shares_of(recipe.settings))
        recipe.finish_preparation(cases)
        Prepared(tuple(case.case_id for case in cases), left_out).save(self.out)
        return cases

    @staticmethod
    def _prepared(plan: TrainingPlan, prepared: Prepared | None) -> list[PlannedCase]:
        assert prepared is not None
        usable = set(prepared.case_ids)
        return [case for case in plan.cases if case.case_id in usable]

    def _offer(self, recipe: Recipe, cases: list[PlannedCase], reporter: StatusReporter) -> Publication:
        reporter.enter(TrainingState.COMPARING, "comparing with the model in use", time_left_s=None)

        def progress(task: str, fraction: float) -> None:
            reporter.say(f"comparing with the model in use: {fraction:.0%}")

        publication = recipe.offer(self._origin(recipe.plan, cases), lambda line: self._note(reporter, line), progress)
        content = json.dumps(publication.to_dict(), indent=1, allow_nan=False) + "\n"
        replace_durably(self.out / PUBLICATION_FILE, content.encode())
        reporter.finish(TrainingState.DONE, publication.sentence, publication.to_dict())
        return publication

    def _origin(self, plan: TrainingPlan, cases: list[PlannedCase]) -> Mapping[str, Any]:
        """What the card tells of where the model comes from."""
        start = "random weights" if plan.starts_from is None else f"version {plan.starts_from.version}"
        left_out = f", {len(plan.cases) - len(cases)} left out" if len(cases) < len(plan.cases) else ""
        return {
            "data": f"{_counted(cases)} of studies folder {self.studies.resolve().name}, labels of {plan.created}"
            f"{left_out}; {plan.test_cases} test cases untouched; began with {start}",
            "split": plan.settings["split"],
            "command": self.command or f"run_training {plan.task}",
            "licence": LICENCE,
            "training_settings": plan.settings,
        }

    def _note(self, reporter: StatusReporter, sentence: str) -> None:
        self.say(sentence)
        reporter.note(sentence)


def _counted(cases: list[PlannedCase]) -> str:
    """Cases and patients of both sides in words."""
    parts = []
    for side in (Side.TRAINING, Side.VALIDATION):
        chosen = [case for case in cases if case.side is side]
        parts.append(f"{len(chosen)} {side.value} cases ({len({case.patient for case in chosen})} patients)")
    return " and ".join(parts)

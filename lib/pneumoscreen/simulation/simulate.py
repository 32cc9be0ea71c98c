"""A whole simulation: cases prepared, rounds played; what is done already is not done again."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from ..ct.candidates.finding import CandidateModel
from ..errors import ConfigError
from ..models.store import ModelStore
from ..training.progress import TrainingProgress
from ..workers.asked import UNASKED, Workers
from ..workers.pool import Ask, Done, Work, work_off
from .cases import CaseFolder
from .ledger import START, Ledger, Turn
from .pool import Recipe, draw_cohort
from .rounds import Rehearsal
from .settings import Plan, SimulationSettings

CANDIDATES = "ct_candidates"
EVERY_S = 10.0
"""Seconds between two lines on the progress."""

TaskT = TypeVar("TaskT")


class _Preparation(Work[Recipe, None]):
    """Prepares cases."""

    def __init__(self, cases: CaseFolder, store: ModelStore) -> None:
        self.shared = cases.folder
        self._cases, self._store = cases, store

    def begin(self, device: str, ask: Ask | None) -> None:
        del ask
        self._network = CandidateModel.load(self._store.load(CANDIDATES), device)

    def __call__(self, recipe: Recipe, out: Path) -> None:
        del out
        self._cases.prepare(recipe, self._network)


def run_simulation(
    plan: Plan,
    settings: SimulationSettings,
    out: Path,
    store: ModelStore,
    *,
    cases: Path | None = None,
    device: str = "cpu",
    workers: Workers = UNASKED,
    resume: bool = False,
    say: Callable[[str], None] | None = None,
) -> Ledger:
    """Play all rounds of all strategies and seeds.

    Args:
        plan: how far it goes.
        settings: what it is made of.
        out: folder for the results.
        store: holds the candidate network.
        cases: folder for the prepared cases; default ``out/cases``. Several simulations may share one.
        device: where the networks run.
        workers: who works; each with one thread, so that results do not depend on their number.
        resume: go on with what is in ``out``.
        say: takes a line every few seconds; by default they go to standard error.

    Returns:
        The results of every turn.

    Raises:
        PneumoScreenError: if the pool is too small, the candidate network cannot be loaded, or ``out`` holds another
            simulation.
    """
    if plan.labels[-1] > plan.pool:
        raise ConfigError(
            f"a pool of {plan.pool} cases cannot give {plan.labels[-1]} labels ({plan.start} to start with, "
            f"{plan.rounds} rounds of {plan.per_round}); enlarge the pool"
        )
    weights = store.load(CANDIDATES)
    ledger = Ledger(out)
    ledger.open(settings, plan, weights.sha256, resume)
    folder = CaseFolder(cases or out / "cases", settings, weights.sha256)
    recipes = [r for r in draw_cohort(settings, plan.pool, plan.test).cases if not folder.holds(r)]

    def do(work: Work[TaskT, None], tasks: Sequence[TaskT], done: Done[TaskT, None]) -> None:
        work_off(workers.pool(work, out, device, threads=1), tasks, done)

    preparation = _Preparation(folder, store)
    do(preparation, recipes, _counted("simulate: cases", len(recipes), lambda recipe: (), say))

    turns = [turn for turn in all_turns(plan, settings) if not ledger.holds(turn)]
    ready = [turn for turn in turns if turn.strategy == START or ledger.holds(turn.before)]

    def following(turn: Turn) -> list[Turn]:
        return [later for later in turns if later.strategy != START and later.before == turn]

    do(Rehearsal(settings, plan, folder, out), ready, _counted("simulate: trainings", len(turns), following, say))
    return ledger


def all_turns(plan: Plan, settings: SimulationSettings) -> list[Turn]:
    """Every turn of a simulation, seed by seed."""
    rounds = range(1, plan.rounds + 1)
    return [
        turn
        for seed in plan.seeds_from(settings.first_seed)
        for turn in (Turn.start(seed), *(Turn(seed, name, done) for done in rounds for name in plan.strategies))
    ]


def _counted(
    name: str, count: int, following: Callable[[TaskT], Sequence[TaskT]], say: Callable[[str], None] | None
) -> Done[TaskT, None]:
    """``following``, which also tells how many tasks are done and how much time is left."""
    progress = TrainingProgress(name, count, every_s=EVERY_S, say=say)
    done = 0

    def tell(task: TaskT, _: None) -> Sequence[TaskT]:
        nonlocal done
        done += 1
        progress.step(done, {})
        return following(task)

    return tell

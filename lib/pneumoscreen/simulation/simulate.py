"""A whole simulation: cases prepared, rounds played; what is done already is not done again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ..errors import ConfigError
from ..training.progress import TrainingProgress
from .crew import work_off
from .ledger import START, Ledger, Turn
from .pool import Recipe, draw_cohort
from .rounds import Rehearsal
from .settings import Plan, SimulationSettings
from .subject import CaseFolder, Check, Subject

EVERY_S = 10.0
"""Seconds between two lines on the progress."""

TaskT = TypeVar("TaskT")


@dataclass(frozen=True)
class _Preparation:
    """Prepares cases, in any process."""

    cases: CaseFolder

    def __call__(self, recipe: Recipe, check: Check) -> None:
        self.cases.prepare(recipe, check)


def run_simulation(
    plan: Plan,
    subject: Subject,
    out: Path,
    *,
    cases: Path | None = None,
    jobs: int = 1,
    resume: bool = False,
    say: Callable[[str], None] | None = None,
) -> Ledger:
    """Play all rounds of all strategies and seeds.

    Args:
        plan: how far it goes.
        subject: what is rehearsed.
        out: folder for the results.
        cases: folder for the prepared cases; default ``out/cases``. Several simulations may share one.
        jobs: processes.
        resume: go on with what is in ``out``.
        say: takes a line every few seconds; by default they go to standard error.

    Returns:
        The results of every turn.

    Raises:
        PneumoScreenError: if the pool is too small, or ``out`` holds another simulation.
    """
    if plan.labels[-1] > plan.pool:
        raise ConfigError(
            f"a pool of {plan.pool} cases cannot give {plan.labels[-1]} labels ({plan.start} to start with, "
            f"{plan.rounds} rounds of {plan.per_round}); enlarge the pool"
        )
    settings, ledger = subject.settings, Ledger(out)
    ledger.open(settings, plan, subject.network_sha256, resume)
    folder = CaseFolder(cases or out / "cases", subject)
    recipes = [r for r in draw_cohort(settings, plan.pool, plan.test).cases if not folder.holds(r)]
    work_off(_Preparation(folder), recipes, jobs, _counted("simulate: cases", len(recipes), lambda recipe: (), say))

    turns = [turn for turn in all_turns(plan, settings) if not ledger.holds(turn)]
    ready = [turn for turn in turns if turn.strategy == START or ledger.holds(turn.before)]

    def following(turn: Turn) -> list[Turn]:
        return [later for later in turns if later.strategy != START and later.before == turn]

    work_off(
        Rehearsal(subject, plan, folder, out), ready, jobs, _counted("simulate: trainings", len(turns), following, say)
    )
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
) -> Callable[[TaskT], Sequence[TaskT]]:
    """``following``, which also tells how many tasks are done and how much time is left."""
    progress = TrainingProgress(name, count, every_s=EVERY_S, say=say)
    done = 0

    def tell(task: TaskT) -> Sequence[TaskT]:
        nonlocal done
        done += 1
        progress.step(done, {})
        return following(task)

    return tell

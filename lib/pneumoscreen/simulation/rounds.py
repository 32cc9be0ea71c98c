"""The rounds of a simulation: choose cases, label them, train, measure, and score the pool for the next choice."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from ..active_learning.scores import CaseScore
from ..active_learning.strategies import choose
from .ledger import START, Ledger, Record, Turn
from .pool import Recipe, draw_cohort
from .settings import Plan
from .subject import CaseFolder, Check, PreparedCase, Subject

_SEEDS_APART = 1_000
_ARRIVAL, _CHOICE = 1, 2


@dataclass(frozen=True)
class _Cases:
    """The prepared cases, by their place in the split."""

    pool: dict[str, PreparedCase]
    validation: list[PreparedCase]
    test: list[PreparedCase]


@dataclass(frozen=True)
class Rehearsal:
    """A simulation whose cases are prepared; plays its turns one by one, in any process.

    Attributes:
        subject: what is rehearsed.
        plan: of the simulation.
        cases: where the prepared cases lie.
        out: folder of the simulation.
    """

    subject: Subject
    plan: Plan
    cases: CaseFolder
    out: Path

    @cached_property
    def _loaded(self) -> _Cases:
        cohort = draw_cohort(self.subject.settings, self.plan.pool, self.plan.test)

        def load(recipes: Sequence[Recipe]) -> list[PreparedCase]:
            return [self.cases.load(recipe) for recipe in recipes]

        pool = {case.case_id: case for case in load(cohort.pool)}
        return _Cases(pool, load(cohort.validation), load(cohort.test))

    def __call__(self, turn: Turn, check: Check) -> None:
        """Do one turn and write it down; the one before must be done.

        Args:
            turn: which.
            check: called at every step of the training; may raise ``Cancelled``.
        """
        begun = time.monotonic()
        cases, ledger = self._loaded, Ledger(self.out)
        arrived = arrival(list(cases.pool), turn.seed)
        if turn.strategy == START:
            diagnoses = {name: case.diagnosis for name, case in cases.pool.items()}
            labelled = start_cases(arrived, diagnoses, self.subject.settings.labels, self.plan.start)
        else:
            read = ledger.record(turn.before).labelled
            labelled = (*read, *pick(turn, ledger.scores(turn.before), arrived, read, self.plan.per_round))
        seed = _SEEDS_APART * turn.seed + turn.round
        model = self.subject.train([cases.pool[name] for name in labelled], cases.validation, seed, check)
        figures = self.subject.measure(cases.test, model)
        scores = self.subject.score(list(cases.pool.values()), model, seed)
        ledger.keep(turn, Record(labelled, figures, time.monotonic() - begun), scores)


def arrival(names: Sequence[str], seed: int) -> list[str]:
    """The order in which the cases of the pool came in; the same for every strategy of a seed."""
    order = np.random.default_rng([seed, _ARRIVAL]).permutation(len(names))
    return [names[index] for index in order]


def start_cases(
    arrived: Sequence[str], diagnoses: Mapping[str, str], labels: Sequence[str], count: int
) -> tuple[str, ...]:
    """The cases that are labelled first: the diagnoses in turn, of each those that came first.

    Ours: who begins looks for a few known cases of each kind. Where a diagnosis has no more, the next in turn serves.
    """
    waiting = {label: [name for name in arrived if diagnoses[name] == label] for label in labels}
    chosen: list[str] = []
    while len(chosen) < min(count, len(arrived)):
        for label in labels:
            if waiting[label] and len(chosen) < count:
                chosen.append(waiting[label].pop(0))
    return tuple(chosen)


def pick(turn: Turn, scores: Sequence[CaseScore], arrived: Sequence[str], read: Sequence[str], count: int) -> list[str]:
    """The cases that the strategy of a turn asks for.

    Args:
        turn: names strategy, seed and round.
        scores: of all cases of the pool.
        arrived: the pool in its order of arrival.
        read: the cases that are labelled already.
        count: how many are asked for.
    """
    # Equal cases are taken by name, and `first` takes all by name: their place of arrival is their name here.
    places = {name: f"{place:06d}" for place, name in enumerate(arrived)}
    known = set(read)
    offered = [replace(s, case_id=places[s.case_id]) for s in scores if s.case_id not in known]
    done = [replace(s, case_id=places[s.case_id]) for s in scores if s.case_id in known]
    rng = np.random.default_rng([turn.seed, turn.round, _CHOICE])
    return [arrived[int(place)] for place in choose(turn.strategy, offered, done, count, rng)]

"""Which cases to read next, by name of the strategy; pure functions of the scores. ``register`` adds one."""

from collections.abc import Callable, Sequence

import numpy as np

from ..errors import PneumoScreenError
from .combined import combined
from .diversity import farthest_first, stack
from .scores import CaseScore


class StrategyError(PneumoScreenError):
    """A strategy that does not exist."""


Cases = Sequence[CaseScore]
Choice = Callable[[Cases, Cases, int, np.random.Generator], list[int]]


def _random(cases: Cases, read: Cases, count: int, rng: np.random.Generator) -> list[int]:
    return [int(index) for index in rng.permutation(len(cases))[:count]]


def _first(cases: Cases, read: Cases, count: int, rng: np.random.Generator) -> list[int]:
    return list(range(count))


def _uncertainty(cases: Cases, read: Cases, count: int, rng: np.random.Generator) -> list[int]:
    return sorted(range(len(cases)), key=lambda index: -cases[index].uncertainty)[:count]


def _epistemic(cases: Cases, read: Cases, count: int, rng: np.random.Generator) -> list[int]:
    return sorted(range(len(cases)), key=lambda index: -cases[index].epistemic)[:count]


def _diverse(cases: Cases, read: Cases, count: int, rng: np.random.Generator) -> list[int]:
    embeddings = np.stack([case.embedding for case in cases])
    return farthest_first(embeddings, stack([case.embedding for case in read], embeddings), count)


def _combined(cases: Cases, read: Cases, count: int, rng: np.random.Generator) -> list[int]:
    embeddings = np.stack([case.embedding for case in cases])
    return combined(
        np.array([case.uncertainty for case in cases]),
        np.array([case.epistemic for case in cases]),
        embeddings,
        stack([case.embedding for case in read], embeddings),
        count,
    )


STRATEGIES: dict[str, tuple[str, Choice]] = {
    "combined": ("The case of which the networks are unsure and that is unlike those already read", _combined),
    "uncertainty": ("The case whose verdict is least sure: entropy, disagreement of votes, margin", _uncertainty),
    "epistemic": ("The case on which Monte-Carlo dropout contradicts itself most", _epistemic),
    "diverse": ("The case most unlike those already read (core set)", _diverse),
    "random": ("Any case", _random),
    "first": ("The first case by name", _first),
}

"""Description and choice of each strategy by name, the default one first."""

DEFAULT = next(iter(STRATEGIES))


def register(name: str, description: str, choice: Choice) -> None:
    """Let a further strategy be asked for, by name: at a server, in a simulation.

    >>> def surest(cases, read, count, rng):
    ...     return sorted(range(len(cases)), key=lambda index: cases[index].uncertainty)[:count]
    >>> register("surest", "The case of which the networks are surest", surest)
    >>> cases = [CaseScore("a", 0.9, 0.0, np.ones(1)), CaseScore("b", 0.1, 0.0, np.ones(1))]
    >>> choose("surest", cases, [], 1, np.random.default_rng(0))
    ['b']
    >>> del STRATEGIES["surest"]

    Args:
        name: as a client asks for it.
        description: a sentence for clients.
        choice: takes the cases to choose from, ordered by name, those already read, how many are wanted and a source
            of randomness; gives the row numbers of the chosen ones, the most wanted first.
    """
    STRATEGIES[name] = (description, choice)


def choose(strategy: str, cases: Cases, read: Cases, count: int, rng: np.random.Generator) -> list[str]:
    """The cases to read next, the most wanted first.

    The order in which cases are given does not matter: equal ones are taken by name.

    Args:
        strategy: one of ``STRATEGIES``.
        cases: those to choose from.
        read: those already read, or given to somebody who reads them now.
        count: how many are wanted; fewer come where there are fewer.
        rng: for ``random``.

    Raises:
        StrategyError: if there is no such strategy.
        ValueError: if the embeddings are of different classifiers.
    """
    if strategy not in STRATEGIES:
        raise StrategyError(f"there is no strategy {strategy!r}; there are {', '.join(STRATEGIES)}")
    ordered = sorted(cases, key=lambda case: case.case_id)
    count = max(min(count, len(ordered)), 0)
    if count == 0:
        return []
    return [ordered[index].case_id for index in STRATEGIES[strategy][1](ordered, read, count, rng)]

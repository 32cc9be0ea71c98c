"""Which phantoms a simulation is made of: the pool that readers choose from, and the cases that judge."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count

from ..studies.split import Side, side_of
from .settings import SimulationSettings

VALIDATION_CASES = 3
"""Ours: one of each diagnosis. A training reports on them; nothing is chosen by them here."""


@dataclass(frozen=True)
class Recipe:
    """A case that has not been made yet: seed and diagnosis of its phantom."""

    seed: int
    diagnosis: str

    @property
    def case_id(self) -> str:
        """The phantom's name."""
        return f"phantom-{self.seed:06d}"


@dataclass(frozen=True)
class Cohort:
    """All cases of a simulation, divided by the product's own split: by the hash of their names.

    Attributes:
        pool: on the training side; labels are asked for some of them.
        validation: on the validation side; labelled from the start.
        test: on the test side; no training sees them.
    """

    pool: tuple[Recipe, ...]
    validation: tuple[Recipe, ...]
    test: tuple[Recipe, ...]

    @property
    def cases(self) -> tuple[Recipe, ...]:
        """All of them."""
        return (*self.pool, *self.validation, *self.test)


def draw_cohort(settings: SimulationSettings, pool: int, test: int) -> Cohort:
    """The cases of a simulation. A larger pool begins with the cases of a smaller one, and so do the test cases.

    Args:
        settings: names the first phantom, the split and the shares of the diagnoses in the pool.
        pool: number of cases.
        test: number of cases; the diagnoses come in turn, as many of each.
    """
    in_turn = dict.fromkeys(settings.labels, 1.0)

    def recipes(side: Side, shares: Mapping[str, float], wanted: int) -> tuple[Recipe, ...]:
        return tuple(map(Recipe, _seeds(side, settings), spread(shares, wanted)))

    return Cohort(
        pool=recipes(Side.TRAINING, settings.shares, pool),
        validation=recipes(Side.VALIDATION, in_turn, VALIDATION_CASES),
        test=recipes(Side.TEST, in_turn, test),
    )


def spread(shares: Mapping[str, float], length: int) -> list[str]:
    """Names in proportion to their shares, spread evenly: the next is always the one that lags behind most."""
    total = sum(shares.values())
    given = dict.fromkeys(shares, 0)
    names: list[str] = []
    for _ in range(length):
        names.append(max(shares, key=lambda name: shares[name] / total * (len(names) + 1) - given[name]))
        given[names[-1]] += 1
    return names


def _seeds(side: Side, settings: SimulationSettings) -> Iterator[int]:
    """Seeds of the phantoms on one side of the split."""
    names = ((seed, Recipe(seed, "").case_id) for seed in count(settings.first_phantom))
    return (seed for seed, name in names if side_of(name, settings.patients) is side)

"""What a simulation is made of, as its configuration file describes it."""

from dataclasses import dataclass
from typing import ClassVar

from pydantic import Field, field_validator

from ..config import Settings
from ..studies.split import DEFAULT_SPLIT, SplitSettings


class SimulationSettings(Settings):
    """The clinic that is simulated; a method adds how its cases are made and its networks trained.

    Attributes:
        labels: that a case can have.
        shares: of each label in the pool; they need not sum to 1.
        first_phantom: seed of the first phantom, far from those of starter training and evaluation. Which of the
            phantoms from there on form the pool and which judge follows from the product's split of patients.
        first_seed: of the first run; the others follow. Another value gives other start cases, another order
            of arrival and other weights from the same phantoms.
        steps: of each training, whatever the number of its cases, so that what a round adds is labels and not
            work.
    """

    labels: ClassVar[tuple[str, ...]]

    shares: dict[str, float]
    first_phantom: int = Field(500_000, ge=0)
    first_seed: int = Field(1, ge=0)
    steps: int = Field(900, ge=1)

    @property
    def patients(self) -> SplitSettings:
        """By which cases are divided."""
        return DEFAULT_SPLIT

    @field_validator("shares")
    @classmethod
    def _of_the_case_list(cls, value: dict[str, float]) -> dict[str, float]:
        if set(value) != set(cls.labels) or not all(0.0 < share < float("inf") for share in value.values()):
            raise ValueError(f"shares must give a number above 0 for each of {', '.join(cls.labels)}")
        return value


@dataclass(frozen=True)
class Plan:
    """How far a simulation goes.

    Attributes:
        strategies: that are compared.
        pool: cases that are offered, the start cases among them.
        test: cases that judge.
        start: cases that are labelled before the first round, the diagnoses in turn.
        rounds: of choosing, labelling and training.
        per_round: cases that are labelled in a round.
        seeds: runs of each strategy. Strategies share the start cases, the order of arrival and the weights' seeds.
    """

    strategies: tuple[str, ...]
    pool: int = 150
    test: int = 90
    start: int = 12
    rounds: int = 5
    per_round: int = 6
    seeds: int = 5

    @property
    def labels(self) -> list[int]:
        """Labelled cases after each round, the start first."""
        return [self.start + self.per_round * done for done in range(self.rounds + 1)]

    def seeds_from(self, first: int) -> range:
        """The seeds of the runs."""
        return range(first, first + self.seeds)

"""What a simulation is made of, as its configuration file describes it."""

from dataclasses import dataclass
from typing import Any

from pydantic import Field, field_validator

from ..config import Settings
from ..ct.learning.classifier import ClassifierTrainingSettings
from ..ct.phantoms.phantom import PhantomSpec
from ..verdict import DEFAULT_CLASSES

NARROW: dict[str, Any] = {
    "network": {"heads": ["m2"], "widths": [16, 32, 64, 128], "features": 64, "dropout": 0.2},
    "batch": 48,
    "learning_rate": 0.003,
}
"""Ours: a network that a few dozen cases can fill and a CPU trains in seconds; all else as in the product."""


class SimulationSettings(Settings):
    """The clinic that is simulated and how its networks are trained.

    The defaults of ``shares`` and ``phantom`` were fixed before any strategy was run. Ours: most scans that come to
    be read show no infection, and one infection is more frequent than the other; the test cases are a third of each,
    as the paper's are. Whoever wants a pool of equal parts gives equal shares.

    Attributes:
        shares: of each diagnosis in the pool; they need not sum to 1.
        phantom: how all cases are scanned.
        first_phantom: seed of the first phantom, far from those of starter training and evaluation. Which of the
            phantoms from there on form the pool and which judge follows from the product's split of patients.
        first_seed: of the first run; the others follow. Another value gives other start cases, another order
            of arrival and other weights from the same phantoms.
        steps: of each training, whatever the number of its cases, so that what a round adds is labels and not
            work. Chosen on other phantoms with random choice alone: with a third of it, 42 cases are under-trained.
        training: of the classifier. ``epochs`` and ``seed`` follow from the simulation.
    """

    shares: dict[str, float] = Field(
        default_factory=lambda: dict(zip(DEFAULT_CLASSES.case_labels, (0.25, 0.15, 0.6), strict=True))
    )
    phantom: PhantomSpec = PhantomSpec(matrix=192)
    first_phantom: int = Field(500_000, ge=0)
    first_seed: int = Field(1, ge=0)
    steps: int = Field(900, ge=1)
    training: ClassifierTrainingSettings = Field(
        default_factory=lambda: ClassifierTrainingSettings.model_validate(NARROW)
    )

    @field_validator("shares")
    @classmethod
    def _of_the_case_list(cls, value: dict[str, float]) -> dict[str, float]:
        names = DEFAULT_CLASSES.case_labels
        if set(value) != set(names) or not all(0.0 < share < float("inf") for share in value.values()):
            raise ValueError(f"shares must give a number above 0 for each of {', '.join(names)}")
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

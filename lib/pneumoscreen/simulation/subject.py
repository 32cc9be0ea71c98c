"""What a method says of itself so that its readers' loop can be simulated."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

from ..active_learning.scores import CaseScore
from ..models.atomic_files import replace_durably
from ..models.store import ModelStore
from .pool import Recipe
from .settings import SimulationSettings

Check = Callable[[str, float], None]
"""Called often by whoever works on a task; raises ``Cancelled`` when the work is to stop."""


def unchecked(stage: str, fraction: float) -> None:
    """The check of a worker, which is ended and not asked to stop."""
    del stage, fraction


class PreparedCase(Protocol):
    """A case as a training takes it, without its image."""

    @property
    def case_id(self) -> str:
        """Its name in the simulation."""

    @property
    def diagnosis(self) -> str:
        """Its label."""


class Subject(ABC):
    """One method, rehearsed: how a case is prepared, trained on, measured and scored. It is sent to every process.

    Args:
        settings: of the simulation.
        store: of the networks that prepare cases.
        device: where networks run.

    Attributes:
        settings_type: its settings.
        figures: names of the figures on the test cases and what they are called, the one that counts first.
        lower_is_better: those of them that are.
        title: of the page of results.
        real: what is the product's own code, for that page.
        simulated: what is not.
        network_sha256: of the weights that prepare cases; empty where none do.
    """

    settings_type: ClassVar[type[SimulationSettings]]
    figures: ClassVar[Mapping[str, str]]
    lower_is_better: ClassVar[frozenset[str]] = frozenset()
    title: ClassVar[str]
    real: ClassVar[str]
    simulated: ClassVar[str]
    network_sha256 = ""

    def __init__(self, settings: Any, store: ModelStore, device: str = "cpu") -> None:
        self.settings, self.store, self.device = settings, store, device

    @property
    @abstractmethod
    def images(self) -> str:
        """What the images are like, for the page of results."""

    @abstractmethod
    def key(self) -> list[Any]:
        """JSON values that a prepared case depends on."""

    @abstractmethod
    def prepare(self, recipe: Recipe, arrays: Path, check: Check) -> dict[str, Any]:
        """Make a case, write its arrays into a file that ends in ``.npz``, and return what else is known of it."""

    @abstractmethod
    def load(self, recipe: Recipe, arrays: Path, document: Mapping[str, Any]) -> PreparedCase:
        """Read a case back.

        Raises:
            PneumoScreenError: if it is damaged.
        """

    @abstractmethod
    def train(self, labelled: Sequence[Any], validation: Sequence[Any], seed: int, check: Check) -> Any:
        """A model trained from fresh weights on cases, with the seed of weights, order and variation.

        Ours: every training starts from fresh weights and takes the same number of steps on all labels so far. So a
        figure depends on the labels alone: neither on the order in which they came, nor on how often earlier ones were
        trained on, as it would if each round went on from the weights of the one before.
        """

    @abstractmethod
    def measure(self, cases: Sequence[Any], model: Any) -> dict[str, float]:
        """The figures of a model on the test cases."""

    @abstractmethod
    def score(self, cases: Sequence[Any], model: Any, seed: int) -> list[CaseScore]:
        """The score of every case of the pool."""


class CaseFolder:
    """Prepared cases on the disk: ``<case>.npz`` with the arrays and, written last, ``<case>.json``.

    Args:
        root: cases that were prepared otherwise lie in other folders below it.
        subject: prepares them.
    """

    def __init__(self, root: Path, subject: Subject) -> None:
        self.folder = root / hashlib.sha256(json.dumps(subject.key()).encode()).hexdigest()[:12]
        self.subject = subject

    def holds(self, recipe: Recipe) -> bool:
        """Whether a case has been prepared."""
        path = self._document(recipe)
        return path.is_file() and path.with_suffix(".npz").is_file()

    def prepare(self, recipe: Recipe, check: Check) -> None:
        """Prepare a case and keep what came of it."""
        path = self._document(recipe)
        document = self.subject.prepare(recipe, path.with_suffix(".npz"), check)
        replace_durably(path, json.dumps(document).encode())

    def load(self, recipe: Recipe) -> PreparedCase:
        """Read a case back.

        Raises:
            PneumoScreenError: if it is damaged.
        """
        path = self._document(recipe)
        return self.subject.load(recipe, path.with_suffix(".npz"), json.loads(path.read_text(encoding="utf-8")))

    def _document(self, recipe: Recipe) -> Path:
        return self.folder / f"{recipe.case_id}-{recipe.diagnosis}.json"

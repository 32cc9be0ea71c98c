"""What the trainings do differently: what a case becomes, how it is trained on, and how the model is offered.

A recipe is made from a plan, in every process of a training, and is the same everywhere; only the first process
prepares cases and offers the model.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from ..config import Settings
from ..errors import ModelError
from ..images.inputs import Modality
from ..models.store import ModelStore
from ..models.weights import Weights
from ..studies.cases import Study
from ..studies.split import SplitSettings
from .device import Workplace
from .plan import PlannedCase, TrainingPlan, UsedModel
from .progress import ProgressCallback, TrainingObserver
from .publishing import Publication

Say = Callable[[str], None]


class Recipe(ABC):
    """One kind of training, for one plan.

    Args:
        plan: its ingredients.
        settings: those of the plan, with what the present machine changes.
        folder: of the run.
        store: of the models.
        workplace: of this process.
    """

    task: str
    settings_type: type[Settings]
    modality: Modality = "CT"
    smallest_batch = 2
    """Samples a step that a client may ask for at least."""
    client_fields: ClassVar[Mapping[str, Any]] = {}
    """Parameters of its own that a client may send: type and default by name, for ``pydantic.create_model``."""
    client_choices: ClassVar[Mapping[str, Sequence[str]]] = {}
    """What a client is offered for them, the default first."""

    def __init__(
        self, plan: TrainingPlan, settings: Any, folder: Path, store: ModelStore, workplace: Workplace
    ) -> None:
        self.plan, self.settings, self.folder, self.store, self.workplace = plan, settings, folder, store, workplace

    @classmethod
    def asked(cls, epochs: int | None, own: Mapping[str, Any], changes: Mapping[str, Any]) -> Any:
        """The settings of a training that a client starts.

        Args:
            epochs: None takes its own.
            own: values of ``client_fields``.
            changes: other settings by name.
        """
        del own
        return cls.settings_type(**({} if epochs is None else {"epochs": epochs}), **changes)

    @staticmethod
    @abstractmethod
    def settled(settings: Any, store: ModelStore) -> Any:
        """The settings with everything that follows from the models in use.

        Raises:
            ConfigError: if they do not go together.
        """

    @staticmethod
    @abstractmethod
    def state_of(settings: Any, weights: Weights) -> dict[str, Tensor]:
        """Weights as a training of these settings begins with them.

        Raises:
            ConfigError: if they do not fit.
        """

    @staticmethod
    def other_model(store: ModelStore) -> UsedModel | None:
        """The other network in use, where this training needs it."""
        del store
        return None

    @abstractmethod
    def file_of(self, case: PlannedCase) -> Path:
        """Where a prepared case lies."""

    @abstractmethod
    def prepare(self, study: Study, case: PlannedCase) -> None:
        """Prepare a case.

        Raises:
            PneumoScreenError: if it cannot be used.
        """

    def finish_preparation(self, cases: Sequence[PlannedCase]) -> None:
        """What the first process does once all cases are there."""
        del cases

    @abstractmethod
    def train(self, cases: Sequence[PlannedCase], observers: tuple[TrainingObserver, ...], say: Say) -> None:
        """Train, in every process."""

    @abstractmethod
    def offer(self, origin: Mapping[str, Any], note: Say, progress: ProgressCallback) -> Publication:
        """Offer what was trained for publication, in the first process.

        Args:
            origin: fields of the card on where the model comes from.
            note: takes a sentence on what was done otherwise.
            progress: called with (task, fraction of the comparison).
        """

    def initial_state(self) -> dict[str, Tensor] | None:
        """The weights that the plan begins with.

        Raises:
            ModelError: if that version is gone.
        """
        used = self.plan.starts_from
        if used is None:
            return None
        return self.state_of(self.settings, self.load(self.task, used))

    def load(self, name: str, used: UsedModel) -> Weights:
        """The version of a network that the plan names.

        Raises:
            ModelError: if it is gone or another one.
        """
        weights = self.store.load(name, used.version)
        if weights.sha256 != used.sha256:
            raise ModelError(f"{name} version {used.version} is not the one that this training began with; train anew")
        return weights


def network_in_use(store: ModelStore, name: str) -> dict[str, Any] | None:
    """Entry ``network`` of the card in use; None where there is none or it cannot be read."""
    version = store.current(name)
    if version is None:
        return None
    try:
        network = store.card(name, version)["network"]
    except ModelError:
        return None
    return network if isinstance(network, dict) else None


def asked_split(settings: Any) -> SplitSettings | None:
    """The split that a training's configuration names; None where it leaves it to the studies folder."""
    return shares_of(settings) if "split" in settings.model_fields_set else None


def shares_of(settings: Any) -> SplitSettings:
    """The split of a training's settings."""
    shares = settings.split
    assert isinstance(shares, SplitSettings)
    return shares

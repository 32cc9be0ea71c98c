"""What the trainings do differently: what a case becomes, how it is trained on, and how the model is offered.

A recipe is made from a plan, in every process of a training, and is the same everywhere; only the first process
prepares cases and offers the model.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from torch import Tensor

from ..config import Settings
from ..ct.candidates import CandidateModel
from ..ct.classifier import ClassifierSettings
from ..errors import ConfigError, ModelError
from ..images.inputs import Modality
from ..models.store import ModelStore
from ..models.weights import Weights
from ..studies.cases import Study
from ..studies.split import Side, SplitSettings
from ..verdict import DEFAULT_CLASSES, Classes
from .candidate_data import CaseCache
from .candidate_studies import prepare_study
from .candidates import CandidateTrainingSettings, train_candidates
from .classifier import ClassifierTrainingSettings, TrainedClassifier, train_classifier
from .classifier_data import PatchSet, gather, gathered, split_patches
from .classifier_studies import PatchCache
from .device import Workplace
from .plan import CHECKPOINTS, PlannedCase, TrainingPlan, UsedModel
from .progress import ProgressCallback, TrainingObserver
from .publishing import CANDIDATES, CLASSIFIER, Publication, offer_candidates, offer_classifier
from .temperature import calibrate
from .warm_start import candidates_state, classifier_state, follow, follow_classifier

_GATHERED = "patches.npy"

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

    def __init__(
        self, plan: TrainingPlan, settings: Any, folder: Path, store: ModelStore, workplace: Workplace
    ) -> None:
        self.plan, self.settings, self.folder, self.store, self.workplace = plan, settings, folder, store, workplace

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


class CandidatesRecipe(Recipe):
    """Training of the candidate network."""

    task = CANDIDATES
    settings_type = CandidateTrainingSettings
    settings: CandidateTrainingSettings

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self._cache = CaseCache(self.folder / "cases", self.settings.model.grid)
        self._classes = classes_in_use(self.store)

    @staticmethod
    def settled(settings: CandidateTrainingSettings, store: ModelStore) -> CandidateTrainingSettings:
        """The network and its grid follow the model in use where nothing is said of them."""
        model = follow(settings.model, network_in_use(store, CANDIDATES))
        try:
            return CandidateTrainingSettings.model_validate({**settings.model_dump(), "model": model})
        except ValidationError as error:
            raise ConfigError(f"{CANDIDATES}: {error.errors()[0]['msg']} (that of the model in use)") from None

    @staticmethod
    def state_of(settings: CandidateTrainingSettings, weights: Weights) -> dict[str, Tensor]:
        """Weights as a training of these settings begins with them."""
        return candidates_state(settings.model, weights)

    def file_of(self, case: PlannedCase) -> Path:
        """Where a prepared case lies."""
        return self._cache.path(case.case_id, case.origin)

    def prepare(self, study: Study, case: PlannedCase) -> None:
        """Bring a case onto the working grid."""
        prepare_study(study, case.origin, self._cache, self._classes)

    def train(self, cases: Sequence[PlannedCase], observers: tuple[TrainingObserver, ...], say: Say) -> None:
        """Train the candidate network."""
        sides = {side: [case for case in cases if case.side is side] for side in Side}
        self._validation = [(case.patient, self.file_of(case)) for case in sides[Side.VALIDATION]]
        self._trained = train_candidates(
            [self.file_of(case) for case in sides[Side.TRAINING]],
            self.settings,
            self.folder / CHECKPOINTS,
            validation=[path for _, path in self._validation],
            say=say,
            initial_state=self.initial_state(),
            observers=observers,
            workplace=self.workplace,
        )

    def offer(self, origin: Mapping[str, Any], note: Say, progress: ProgressCallback) -> Publication:
        """Offer the candidate network."""
        trained = self._trained
        figures = trained.figures.to_dict() if trained.figures else {}
        card = {**origin, "network": trained.model.card_network(), "seed": self.settings.seed, "figures": figures}
        return offer_candidates(self.store, trained.model, card, self._validation, progress, self.settings.gate)


class ClassifierRecipe(Recipe):
    """Training of the patch classifier."""

    task = CLASSIFIER
    settings_type = ClassifierTrainingSettings
    settings: ClassifierTrainingSettings
    _trained: TrainedClassifier
    _patches: PatchSet

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        used, model = self.plan.candidates, None
        if used is not None and self.workplace.is_first:
            # Regions as the candidate network in use finds them belong to the training as well.
            model = CandidateModel.load(self.load(CANDIDATES, used), str(self.workplace.device))
        sha256 = used.sha256 if used is not None else ""
        self._cache = PatchCache(self.folder / "patches", self.settings, model, sha256)

    @staticmethod
    def settled(settings: ClassifierTrainingSettings, store: ModelStore) -> ClassifierTrainingSettings:
        """The network follows the model in use where nothing is said of it."""
        network = follow_classifier(settings.network, network_in_use(store, CLASSIFIER))
        return settings.model_copy(update={"network": network})

    @staticmethod
    def state_of(settings: ClassifierTrainingSettings, weights: Weights) -> dict[str, Tensor]:
        """Weights as a training of these settings begins with them."""
        return classifier_state(settings.network, weights)

    @staticmethod
    def other_model(store: ModelStore) -> UsedModel | None:
        """The candidate network in use, whose regions become patches."""
        if store.current(CANDIDATES) is None:
            return None
        weights = store.load(CANDIDATES)
        return UsedModel(weights.version, weights.sha256)

    def file_of(self, case: PlannedCase) -> Path:
        """Where the patches of a case lie."""
        return self._cache.path(case.case_id, case.origin)

    def prepare(self, study: Study, case: PlannedCase) -> None:
        """Cut the patches of a case."""
        self._cache.add(study, case.origin)

    def finish_preparation(self, cases: Sequence[PlannedCase]) -> None:
        """Put all patches into one file, those of the validation patients last."""
        self._patches = gather(self._files(cases), self.folder / _GATHERED)
        self._cache.drop_others()

    def train(self, cases: Sequence[PlannedCase], observers: tuple[TrainingObserver, ...], say: Say) -> None:
        """Train the classifier."""
        if not self.workplace.is_first:
            self._patches = gathered(self._files(cases), self.folder / _GATHERED)
        self._trained = train_classifier(
            self._patches,
            self.settings,
            self.folder / CHECKPOINTS,
            say=say,
            initial_state=self.initial_state(),
            observers=observers,
            workplace=self.workplace,
        )

    def offer(self, origin: Mapping[str, Any], note: Say, progress: ProgressCallback) -> Publication:
        """Fit the temperatures and offer the classifier."""
        _, validation = split_patches(self._patches, self.settings.split)
        calibrated = calibrate(self._trained.model, validation)
        if calibrated.note:
            note(calibrated.note)
        calibration = calibrated.figures or {"note": calibrated.note}
        card = {
            **origin,
            "network": calibrated.model.card_network(),
            "seed": self.settings.seed,
            "figures": {**self._trained.figures, "calibration_on_validation": calibration},
        }
        return offer_classifier(self.store, calibrated.model, card, validation, progress, self.settings.gate)

    def _files(self, cases: Sequence[PlannedCase]) -> list[Path]:
        """The cases' files; those of validation last, so that each side is one stretch of the gathered file."""
        return [self.file_of(case) for case in sorted(cases, key=lambda case: case.side is Side.VALIDATION)]


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


def classes_in_use(store: ModelStore) -> Classes:
    """The class list of the classifier in use; the published one where there is none."""
    try:
        return ClassifierSettings.model_validate(network_in_use(store, CLASSIFIER) or {}).classes.classes
    except ValidationError:
        return DEFAULT_CLASSES


def asked_split(settings: Any) -> SplitSettings | None:
    """The split that a training's configuration names; None where it leaves it to the studies folder."""
    return shares_of(settings) if "split" in settings.model_fields_set else None


def shares_of(settings: Any) -> SplitSettings:
    """The split of a training's settings."""
    shares = settings.split
    assert isinstance(shares, SplitSettings)
    return shares

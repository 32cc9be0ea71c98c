"""The two trainings of the CT method as recipes: what a case becomes, and how the model is offered."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, ValidationError
from torch import Tensor

from ...errors import ConfigError
from ...models.store import ModelStore
from ...models.weights import Weights
from ...studies.cases import Study
from ...studies.split import Side
from ...training.plan import CHECKPOINTS, PlannedCase, UsedModel
from ...training.progress import ProgressCallback, TrainingObserver
from ...training.publishing import Publication
from ...training.recipes import Recipe, Say, network_in_use
from ...training.warm_start import follow
from ...verdict import DEFAULT_CLASSES, Classes
from ..candidates.finding import CandidateModel, CandidateSettings
from ..classifier import ClassifierSettings, Head
from ..networks import CANDIDATES, CLASSIFIER
from .candidate_data import CaseCache
from .candidate_studies import prepare_study
from .candidates import CandidateTrainingSettings, train_candidates
from .classifier import ClassifierTrainingSettings, TrainedClassifier, train_classifier
from .classifier_data import PatchSet, gather, gathered, split_patches
from .classifier_studies import PatchCache
from .offers import offer_candidates, offer_classifier
from .temperature import calibrate
from .warm_start import candidates_state, classifier_state, follow_classifier

_GATHERED = "patches.npy"
CLIENT_EPOCHS = 20
"""Ours: rounds over the training cases, one crop of each a round."""
AS_IN_USE = "as in use"


def _heads(value: Any) -> Any:
    """A tuple of heads of what a client writes: a text, or a list of texts."""
    if value is None or value == AS_IN_USE or (isinstance(value, list) and value[:1] == [AS_IN_USE]):
        return None
    parts = value if isinstance(value, list | tuple) else str(value).split(",")
    heads = tuple(str(part).strip().lower() for part in parts)
    if len(set(heads)) != len(heads) or not set(heads) <= {"m1", "m2"}:
        raise ValueError("must be m1, m2 or m1,m2")
    return heads


class CandidatesRecipe(Recipe):
    """Training of the candidate network."""

    task = CANDIDATES
    settings_type = CandidateTrainingSettings
    settings: CandidateTrainingSettings
    smallest_batch = 1

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self._cache = CaseCache(self.folder / "cases", self.settings.model.grid)
        self._classes = classes_in_use(self.store)

    @classmethod
    def asked(cls, epochs: int | None, own: Mapping[str, Any], changes: Mapping[str, Any]) -> CandidateTrainingSettings:
        """By epochs, not by steps."""
        del own
        return CandidateTrainingSettings(model=CandidateSettings(), epochs=epochs or CLIENT_EPOCHS, **changes)

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
    client_fields: ClassVar[Mapping[str, Any]] = {
        "heads": (Annotated[tuple[Head, ...] | None, BeforeValidator(_heads)], None)
    }
    client_choices: ClassVar[Mapping[str, Sequence[str]]] = {"heads": (AS_IN_USE, "m1,m2", "m2", "m1")}
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

    @classmethod
    def asked(
        cls, epochs: int | None, own: Mapping[str, Any], changes: Mapping[str, Any]
    ) -> ClassifierTrainingSettings:
        """With the heads of the model in use where none are named."""
        dropout = ClassifierTrainingSettings().network.dropout
        heads = own.get("heads")
        network = ClassifierSettings(dropout=dropout, **({"heads": heads} if heads else {}))
        return ClassifierTrainingSettings(network=network, **({} if epochs is None else {"epochs": epochs}), **changes)

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


def classes_in_use(store: ModelStore) -> Classes:
    """The class list of the classifier in use; the published one where there is none."""
    try:
        return ClassifierSettings.model_validate(network_in_use(store, CLASSIFIER) or {}).classes.classes
    except ValidationError:
        return DEFAULT_CLASSES

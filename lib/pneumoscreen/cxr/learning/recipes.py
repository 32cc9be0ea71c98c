"""The three trainings of the X-ray method as recipes: what a radiograph becomes, and how the model is offered."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ...config import Settings
from ...errors import CaseError, ConfigError
from ...images.inputs import Modality
from ...models.network import NetworkModel
from ...models.store import ModelStore
from ...models.weights import Weights
from ...studies.cases import Study
from ...studies.split import Side
from ...training.comparison import compare_scores
from ...training.plan import CHECKPOINTS, PlannedCase
from ...training.progress import ProgressCallback, TrainingObserver
from ...training.publishing import Contest, Publication
from ...training.recipes import Recipe, Say, network_in_use
from ...training.warm_start import follow, state_for
from ...xray_findings import INFECTED
from ..figures.cases import boxes_are_drawn
from ..localization import LUNG_CUT
from ..networks import DISCRIMINATION, LOCALIZATION, LUNG_BOXES
from ..truth import LabelledRadiograph, load_radiograph
from .data import PictureSet
from .items import (
    Items,
    discrimination_items,
    gather,
    localization_items,
    lung_box_items,
    no_lung_boxes,
    read_items,
    write_items,
)
from .lessons import (
    DiscriminationLesson,
    DiscriminationTrainingSettings,
    LocalizationLesson,
    LocalizationTrainingSettings,
    LungBoxLesson,
    LungBoxTrainingSettings,
    with_anchors,
)
from .run import Lesson, RadiographTrainingSettings, outputs_of, train_lesson
from .temperature import calibrated

LessonT = TypeVar("LessonT", bound=Lesson)

_FREE = {"dropout", "temperature", "opacity", "tells_types"}
"""Settings of a network that its weights do not depend on."""


class RadiographRecipe(Recipe, Generic[LessonT]):
    """What the three have in common."""

    settings: RadiographTrainingSettings
    modality: Modality = "CXR"
    metric: str
    seen_by: frozenset[str] = frozenset()
    """Settings of the network that change what it looks at: two that differ in them cannot be compared."""

    @staticmethod
    @abstractmethod
    def lesson(settings: Any) -> Any:
        """The network and how it is trained."""

    @staticmethod
    @abstractmethod
    def items(labelled: LabelledRadiograph, network: Any) -> Items:
        """What a radiograph gives this training; may be nothing."""

    @staticmethod
    @abstractmethod
    def scores(model: Any, output: Tensor, targets: Tensor) -> NDArray[np.float64]:
        """How good the output of a network is for each picture, 0 to 1."""

    @classmethod
    def network_of(cls, settings: Any) -> Settings:
        """Settings of the network."""
        network = settings.network
        assert isinstance(network, Settings)
        return network

    @classmethod
    def settled(cls, settings: Any, store: ModelStore) -> Any:
        """The network follows the model in use where nothing is said of it."""
        network = follow(settings.network, network_in_use(store, cls.task))
        if "temperature" in type(network).model_fields:
            network = network.model_copy(update={"temperature": 1.0})
        return settings.model_copy(update={"network": network})

    @classmethod
    def state_of(cls, settings: Any, weights: Weights) -> dict[str, Tensor]:
        """Weights as a training of these settings begins with them."""
        return state_for(settings.network, weights, _FREE)

    def file_of(self, case: PlannedCase) -> Path:
        """Where the pictures of a case lie."""
        seen = self.network_of(self.settings).model_dump(mode="json", include=set(self.seen_by))
        name = "_".join(_in_a_name(seen[key]) for key in sorted(seen))
        return self.folder / "pictures" / f"{case.case_id}-{case.origin}-{name or 'all'}.npz"

    def prepare(self, study: Study, case: PlannedCase) -> None:
        """Cut what the network looks at."""
        labelled = load_radiograph(study)
        if not labelled.lung_boxes:
            raise CaseError(
                f"{study.document}: field cxr.lung_boxes lacks a lung; screen the X-ray and submit it again"
            )
        write_items(self.file_of(case), self.items(labelled, self.network_of(self.settings)))

    def train(self, cases: Sequence[PlannedCase], observers: tuple[TrainingObserver, ...], say: Say) -> None:
        """Train the network."""
        sets = {side: self._gathered(cases, side) for side in (Side.TRAINING, Side.VALIDATION)}
        settings = self._ready(sets[Side.TRAINING])
        self._lesson: LessonT = self.lesson(settings)
        self._validation = sets[Side.VALIDATION]
        self._trained = train_lesson(
            self._lesson,
            sets[Side.TRAINING],
            self._validation,
            settings,
            self.folder / CHECKPOINTS,
            say=say,
            initial_state=self.initial_state(),
            observers=observers,
            workplace=self.workplace,
        )

    def _ready(self, training: PictureSet) -> Any:
        """The settings with what follows from the training pictures."""
        del training
        return self.settings

    def _gathered(self, cases: Sequence[PlannedCase], side: Side) -> PictureSet:
        items = [(case.patient, read_items(self.file_of(case))) for case in cases if case.side is side]
        if not any(len(each.pictures) for _, each in items):
            raise ConfigError(f"{self.task}: the {side.value} cases hold nothing to learn from; label more X-rays")
        return gather(items)

    def offer(self, origin: Mapping[str, Any], note: Say, progress: ProgressCallback) -> Publication:
        """Offer the network for publication."""
        model = self._finished(note)
        card = {
            **origin,
            "network": model.card_network(),
            "seed": self.settings.seed,
            "figures": self._trained.figures,
        }
        validation = self._validation

        def obstacle(candidate: Any, current: Any) -> str | None:
            other = [key for key in sorted(self.seen_by) if _value(candidate, key) != _value(current, key)]
            return f"its {' and '.join(other)} are not those of the one in use" if other else None

        def scores(network: Any) -> NDArray[np.float64]:
            lesson = self.lesson(self.settings.model_copy(update={"network": network.settings}))
            lesson.network.load_state_dict(network.state())
            output = outputs_of(lesson, validation, self.workplace, self.settings.batch)
            return self.scores(network, output, validation.targets)

        contest = Contest(
            self.task,
            lambda weights: type(model).load(weights),
            obstacle,
            lambda candidate, current: compare_scores(
                self.metric,
                validation.patients,
                scores(candidate),
                None if current is None else scores(current),
            ),
        )
        progress(self.task, 0.0)
        staged = self.store.stage(self.task, model.state(), card)
        return contest.hold(self.store, staged, len(set(validation.patients)), self.settings.gate)

    def _finished(self, note: Say) -> NetworkModel[Any, Any]:
        """The trained network as it is offered: where it has a temperature, with one that was fitted."""
        return calibrated(self._lesson.model, self._trained.output, self._validation, note)


def _in_a_name(value: Any) -> str:
    return "x".join(map(str, value)) if isinstance(value, list) else str(value)


def _value(model: NetworkModel[Any, Any], key: str) -> Any:
    return getattr(model.settings, key)


class LungBoxRecipe(RadiographRecipe[LungBoxLesson]):
    """Training of the lung-box regressor."""

    task = LUNG_BOXES
    settings_type = LungBoxTrainingSettings
    settings: LungBoxTrainingSettings
    metric = "mean intersection over union of the lung boxes"
    seen_by = frozenset({"size"})

    @staticmethod
    def lesson(settings: LungBoxTrainingSettings) -> LungBoxLesson:
        """The network and how it is trained."""
        return LungBoxLesson(settings)

    @staticmethod
    def items(labelled: LabelledRadiograph, network: Any) -> Items:
        """The whole picture and its boxes."""
        return lung_box_items(labelled, network)

    @staticmethod
    def scores(model: Any, output: Tensor, targets: Tensor) -> NDArray[np.float64]:
        """Mean intersection over union of both lungs."""
        return np.asarray(model.iou(output, targets).mean(dim=1).double().numpy())

    def prepare(self, study: Study, case: PlannedCase) -> None:
        """Boxes that a network found and nobody corrected teach nothing but what it knows."""
        if boxes_are_drawn(study.document):
            super().prepare(study, case)
        else:
            write_items(self.file_of(case), no_lung_boxes())

    def _ready(self, training: PictureSet) -> LungBoxTrainingSettings:
        """From random weights the anchors are those of the training pictures."""
        return self.settings if self.plan.starts_from else with_anchors(self.settings, training.targets)


class DiscriminationRecipe(RadiographRecipe[DiscriminationLesson]):
    """Training of the discriminator."""

    task = DISCRIMINATION
    settings_type = DiscriminationTrainingSettings
    settings: DiscriminationTrainingSettings
    metric = "accuracy of the class"
    seen_by = frozenset({"size", "view", "superpixels"})

    @staticmethod
    def lesson(settings: DiscriminationTrainingSettings) -> DiscriminationLesson:
        """The network and how it is trained."""
        return DiscriminationLesson(settings)

    @staticmethod
    def items(labelled: LabelledRadiograph, network: Any) -> Items:
        """What the discriminator looks at."""
        return discrimination_items(labelled, network)

    @staticmethod
    def scores(model: Any, output: Tensor, targets: Tensor) -> NDArray[np.float64]:
        """1 where the class is right."""
        del model
        return np.asarray((output.argmax(dim=1) == targets.long()).double().numpy())


class LocalizationRecipe(RadiographRecipe[LocalizationLesson]):
    """Training of the localiser, on COVID-19 radiographs alone."""

    task = LOCALIZATION
    settings_type = LocalizationTrainingSettings
    settings: LocalizationTrainingSettings
    metric = "accuracy per lung"
    seen_by = LUNG_CUT

    @staticmethod
    def lesson(settings: LocalizationTrainingSettings) -> LocalizationLesson:
        """The network and how it is trained."""
        return LocalizationLesson(settings)

    @staticmethod
    def items(labelled: LabelledRadiograph, network: Any) -> Items:
        """Both lungs, or nothing where the sides are not known."""
        return localization_items(labelled, network)

    @staticmethod
    def scores(model: Any, output: Tensor, targets: Tensor) -> NDArray[np.float64]:
        """1 where the lung is judged right."""
        said = model.probabilities(output) >= INFECTED
        return np.asarray(said == (targets.numpy() > 0.5), dtype=np.float64)

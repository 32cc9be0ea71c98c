"""The readers' loop of the X-ray method, for ``pneumoscreen simulate``: its films, its trainings, its figures.

Real: the lung boxes of the network in use, what both networks see of a film, their trainings, scores and figures are
the product's own code. Simulated: the film, a phantom, and the reader, who names the class and, on a film of
COVID-19, which lungs are infected, as the phantom's truth says. The network that finds the lungs stays the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..active_learning.epistemic import DRAWS
from ..active_learning.scores import CaseScore
from ..case import CXR_CLASSES, CXR_POSITIVE, SIDES
from ..case_kinds import KINDS
from ..errors import ConfigError
from ..models.atomic_files import write_arrays
from ..models.store import ModelStore
from ..simulation.pool import Recipe
from ..simulation.settings import SimulationSettings
from ..simulation.subject import Check, Subject
from ..studies.split import SplitSettings
from .discrimination import DiscriminationModel
from .figures.cases import labelled_phantom
from .figures.figures import class_figures
from .figures.lungs import BOTH, localization_figures
from .figures.outcome import RadiographOutcome
from .gradcam import judge
from .learning.items import Items, discrimination_items, gather, localization_items, read_items
from .learning.lessons import (
    DiscriminationLesson,
    DiscriminationTrainingSettings,
    LocalizationLesson,
    LocalizationTrainingSettings,
)
from .learning.run import Lesson, RadiographTrainingSettings, train_lesson
from .localization import LocalizationModel
from .lung_boxes import LungBoxModel, find_lung_boxes
from .networks import LUNG_BOXES
from .phantoms.radiograph import RadiographSpec, generate_radiograph
from .scoring import score_judgement

_CACHE_VERSION = 1
_LUNGS = "lung_"

_Films = Sequence[tuple[str, Items]]
SettingsT = TypeVar("SettingsT", bound=RadiographTrainingSettings)

FEW_CLASSES: dict[str, Any] = {
    "network": {"trunk": "efficientnet_lite0", "size": 128, "pyramid": False},
    "frozen_stages": 7,
    "balance": 1.0,
    "learning_rate": 0.003,
}
FEW_LUNGS: dict[str, Any] = {"network": {"trunk": "efficientnet_lite0", "equalised": True}, "balance": 1.0}
"""Ours: what a few dozen films can teach in seconds on a CPU, with rare answers drawn as often as others."""


class CxrSimulationSettings(SimulationSettings):
    """The clinic that is simulated and how its networks are trained.

    Ours: the shares are those of the CT method's clinic. Trunks stay as photographs taught them: on other phantoms,
    with random choice alone, what small networks learnt from 12 and 42 films from the start was less steady.

    Attributes:
        phantom: how all films are exposed.
        discrimination: training of the class. ``epochs`` and ``seed`` follow from the simulation, here and below.
        localization: training of the affected side.
    """

    labels: ClassVar[tuple[str, ...]] = CXR_CLASSES

    shares: dict[str, float] = Field(default_factory=lambda: dict(zip(CXR_CLASSES, (0.25, 0.6, 0.15), strict=True)))
    steps: int = Field(60, ge=1)
    phantom: RadiographSpec = RadiographSpec(size=256)
    discrimination: DiscriminationTrainingSettings = Field(
        default_factory=lambda: DiscriminationTrainingSettings.model_validate(FEW_CLASSES)
    )
    localization: LocalizationTrainingSettings = Field(
        default_factory=lambda: LocalizationTrainingSettings.model_validate(FEW_LUNGS)
    )

    @property
    def patients(self) -> SplitSettings:
        """Those of the training of the class."""
        return self.discrimination.split


@dataclass(frozen=True)
class PreparedFilm:
    """A film as the two trainings take it.

    Attributes:
        case_id: name of the phantom.
        diagnosis: its class.
        picture: what the discriminator looks at.
        lungs: what the localiser looks at; empty where it is not COVID-19.
    """

    case_id: str
    diagnosis: str
    picture: Items
    lungs: Items


@dataclass(frozen=True)
class TrainedNetworks:
    """The networks that learn from labels."""

    discriminator: DiscriminationModel
    localiser: LocalizationModel


class CxrSubject(Subject):
    """The class of a film and the affected side, in the lung boxes of the network in use.

    Raises:
        ModelError: if there is no network that finds lungs.
    """

    settings_type = CxrSimulationSettings
    settings: CxrSimulationSettings
    figures: ClassVar[Mapping[str, str]] = {
        "accuracy": "accuracy of the class",
        "auc": "mean area under the curve of the classes",
        "lung_accuracy": "accuracy per lung",
        "lung_auc": "area under the curve of the lungs",
    }
    title = KINDS["CXR"].title
    real = (
        "lung boxes, pictures, both trainings, dropout draws, scores and strategies are the product's own code. Unless "
        "the settings say otherwise, both networks learn only what follows a trunk that has learnt photographs. The "
        "weights of the last step are kept. A film is scored by its class; lungs are trained and judged on films of "
        "COVID-19 alone, whatever class they were given."
    )
    simulated = (
        "the films are phantoms; the reader knows their truth, names the class and, for COVID-19, the infected lungs "
        "without error, and leaves the lung boxes as the network found them."
    )

    def __init__(self, settings: CxrSimulationSettings, store: ModelStore, device: str = "cpu") -> None:
        super().__init__(settings, store, device)
        self.network_sha256 = store.load(LUNG_BOXES).sha256

    @cached_property
    def _boxes(self) -> LungBoxModel:
        return LungBoxModel.load(self.store.load(LUNG_BOXES), self.device)

    @property
    def images(self) -> str:
        """Of the phantoms."""
        size = self.settings.phantom.size
        return f"{size} pixels on the longer side; chest, finding and exposure drawn from the seed"

    def key(self) -> list[Any]:
        """Phantom, what the networks look at, and the weights that find the lungs."""
        parts = (self.settings.phantom, self.settings.discrimination.network, self.settings.localization.network)
        return [_CACHE_VERSION, self.network_sha256, *(part.model_dump(mode="json") for part in parts)]

    def prepare(self, recipe: Recipe, arrays: Path, check: Check) -> dict[str, Any]:
        """Keep what both networks look at, with the truth."""
        film = labelled_phantom(generate_radiograph(recipe.seed, recipe.diagnosis, self.settings.phantom))
        check("films", 0.5)
        film = replace(film, lung_boxes=find_lung_boxes(film.radiograph, self._boxes).by_side())
        picture = discrimination_items(film, self.settings.discrimination.network)
        lungs = localization_items(film, self.settings.localization.network)
        write_arrays(arrays, {**picture.arrays(), **lungs.arrays(_LUNGS)})
        return {}

    def load(self, recipe: Recipe, arrays: Path, document: Mapping[str, Any]) -> PreparedFilm:
        """What was kept."""
        del document
        return PreparedFilm(recipe.case_id, recipe.diagnosis, read_items(arrays), read_items(arrays, _LUNGS))

    def train(
        self, labelled: Sequence[PreparedFilm], validation: Sequence[PreparedFilm], seed: int, check: Check
    ) -> TrainedNetworks:
        """Both networks.

        Raises:
            ConfigError: if no film of COVID-19 is labelled.
        """
        if not any(len(film.lungs.pictures) for film in labelled):
            raise ConfigError(
                f"shares: of {len(labelled)} labelled X-rays none shows {CXR_POSITIVE}, from which the affected side "
                "is learnt; enlarge its share or the pool"
            )
        classes = DiscriminationLesson(self._run(self.settings.discrimination, seed))
        sides = LocalizationLesson(self._run(self.settings.localization, seed))
        self._train(
            classes, [(f.case_id, f.picture) for f in labelled], [(f.case_id, f.picture) for f in validation], check
        )
        self._train(sides, [(f.case_id, f.lungs) for f in labelled], [(f.case_id, f.lungs) for f in validation], check)
        return TrainedNetworks(
            DiscriminationModel(classes.settings.network, classes.model.network, self.device),
            LocalizationModel(sides.settings.network, sides.model.network, self.device),
        )

    def _run(self, settings: SettingsT, seed: int) -> SettingsT:
        """A training whose steps are one epoch: the validation films are too few to choose weights by (ours)."""
        return settings.model_copy(update={"epochs": 1, "least_steps": self.settings.steps, "seed": seed})

    def _train(self, lesson: Lesson, labelled: _Films, validation: _Films, check: Check) -> None:
        sets = gather(labelled), gather(validation)
        train_lesson(lesson, *sets, lesson.settings, None, self.device, check, lambda line: None)

    def measure(self, cases: Sequence[PreparedFilm], model: TrainedNetworks) -> dict[str, float]:
        """As an evaluation does: the classes of all films, the lungs of those of COVID-19.

        Raises:
            ConfigError: if one of the figures is not defined on these films.
        """
        outcomes = [_outcome(film, model) for film in cases]
        classes, lungs = class_figures(outcomes), localization_figures(outcomes)
        assert classes is not None and lungs is not None, "the test films show every class"
        auc = lungs.curves[BOTH].auc.estimate
        if np.isnan(auc):
            raise ConfigError(
                f"--test {len(cases)}: the films of {CXR_POSITIVE} among the test films show no clear lung, so that "
                "no area under the curve is defined; take more test films"
            )
        return {
            "accuracy": classes.accuracy.estimate,
            "auc": classes.macro_auc.estimate,
            "lung_accuracy": lungs.lung_accuracy[BOTH].estimate,
            "lung_auc": auc,
        }

    def score(self, cases: Sequence[PreparedFilm], model: TrainedNetworks, seed: int) -> list[CaseScore]:
        """By dropout."""
        return [
            score_judgement(film.case_id, judge(_seen(film.picture)[0], model.discriminator, draws=DRAWS, seed=seed))
            for film in cases
        ]


def _seen(items: Items) -> NDArray[np.float32]:
    """Pictures [k, channels, h, w] in 0 to 1."""
    return items.pictures.astype(np.float32) / np.float32(255.0)


def _outcome(film: PreparedFilm, model: TrainedNetworks) -> RadiographOutcome:
    probabilities = model.discriminator.discriminate(_seen(film.picture))[0]
    lungs = _seen(film.lungs)
    found = model.localiser.localise(lungs[:, 0]).probabilities.tolist() if len(lungs) else ()
    return RadiographOutcome(
        film.case_id,
        film.case_id,
        film.diagnosis,
        tuple(probabilities.tolist()),
        # A film of COVID-19 has both lungs, in this order; another has none.
        dict(zip(SIDES, (film.lungs.targets > 0.5).tolist(), strict=False)),
        dict(zip(SIDES, found, strict=False)),
    )

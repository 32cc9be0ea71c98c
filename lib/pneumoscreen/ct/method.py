"""The CT method as the rest of the program knows it."""

from pathlib import Path
from typing import TYPE_CHECKING

from ..method import Masks, Method, Network
from . import networks

if TYPE_CHECKING:
    from ..images.inputs import Input, Modality
    from ..images.volume import Volume
    from ..models.store import ModelStore
    from ..models.weights import Weights
    from ..report.drawing import Drawing
    from ..training.recipes import Recipe
    from ..verdict import Classes
    from .screening import Screener, Screening


class CtMethod(Method):
    """Lungs, candidate regions, patches, the classifier of the patches, the vote."""

    modality: "Modality" = "CT"

    @property
    def networks(self) -> tuple[Network, ...]:
        """The candidate network and the patch classifier."""
        return (
            Network(
                networks.CANDIDATES,
                "Trains the network that marks candidate regions, on readers' regions.",
                _load_candidates,
                _candidates_recipe,
            ),
            Network(
                networks.CLASSIFIER,
                "Trains the patch classifier (M1, M2), on readers' marks and clinical diagnoses.",
                _load_classifier,
                _classifier_recipe,
            ),
        )

    def read(self, item: "Input") -> "Volume":
        """The scan of an input."""
        from ..images import read_input

        return read_input(item)

    def screener(self, store: "ModelStore", device: str | None = None) -> "Screener":
        """Both networks in use."""
        from .screening import Screener

        return Screener.from_store(store, device)

    def classes(self, screener: "Screener") -> "Classes":
        """The list that the classifier was trained with."""
        return screener.classes

    def prepare_report(self) -> None:
        """Import what draws the report."""
        from .report import case_report

        del case_report

    def write_report(self, image: "Volume", screening: "Screening", screener: "Screener", target: Path) -> None:
        """Write the page of a screened scan."""
        from .report.case_report import write_report

        write_report(image, screening, target, screener.classes)

    def drawing(self, image: "Volume", screening: "Screening", screener: "Screener") -> "Drawing":
        """The view from the front with the regions' boxes."""
        from ..report.drawing import Drawing, DrawnBox
        from .report.case_report import OVERVIEW_PIXELS
        from .report.overview import coronal_overview

        seen = coronal_overview(image, screening, screener.classes, OVERVIEW_PIXELS)
        boxes = tuple(DrawnBox(f"r{box.number}", box.key, box.x, box.y, box.width, box.height) for box in seen.boxes)
        return Drawing("From the front", seen.picture, seen.width_mm, seen.height_mm, ("L", "F"), boxes)

    def masks(self, image: "Volume", screening: "Screening") -> Masks:
        """The lungs and what is infected in them."""
        return Masks(image, screening.lungs.labels, screening.infection)


def _load_candidates(weights: "Weights") -> object:
    from .candidates.finding import CandidateModel

    return CandidateModel.load(weights)


def _load_classifier(weights: "Weights") -> object:
    from .classifier import ClassifierModel

    return ClassifierModel.load(weights)


def _candidates_recipe() -> "type[Recipe]":
    from .learning.recipes import CandidatesRecipe

    return CandidatesRecipe


def _classifier_recipe() -> "type[Recipe]":
    from .learning.recipes import ClassifierRecipe

    return ClassifierRecipe


METHOD = CtMethod()

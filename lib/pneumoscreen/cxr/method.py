"""The X-ray method as the rest of the program knows it."""

from pathlib import Path
from typing import TYPE_CHECKING

from ..method import Method, Network
from . import networks

if TYPE_CHECKING:
    from ..images.inputs import Input, Modality
    from ..images.radiograph import Radiograph
    from ..models.store import ModelStore
    from ..models.weights import Weights
    from ..report.drawing import Drawing
    from ..training.recipes import Recipe
    from .screening import CxrScreener, CxrScreening


class CxrMethod(Method):
    """Lung boxes, superpixels, the class of the picture, the affected side, Grad-CAM."""

    modality: "Modality" = "CXR"
    needs_monai = True
    reads_ahead = False

    @property
    def networks(self) -> tuple[Network, ...]:
        """The lung boxes, the class and the affected side."""
        return (
            Network(
                networks.LUNG_BOXES,
                "Trains the network that finds the lungs of a chest X-ray, on readers' boxes.",
                _load_lung_boxes,
                _lung_box_recipe,
            ),
            Network(
                networks.DISCRIMINATION,
                "Trains the network that names the class of a chest X-ray, on clinical diagnoses and readers' classes.",
                _load_discrimination,
                _discrimination_recipe,
            ),
            Network(
                networks.LOCALIZATION,
                "Trains the network that names the affected lung of a COVID-19 chest X-ray, on readers' sides.",
                _load_localization,
                _localization_recipe,
            ),
        )

    def read(self, item: "Input") -> "Radiograph":
        """The picture of an input."""
        from ..images import read_radiograph

        return read_radiograph(item)

    def screener(self, store: "ModelStore", device: str | None = None) -> "CxrScreener":
        """The three networks in use."""
        from .screening import CxrScreener

        return CxrScreener.from_store(store, device)

    def prepare_report(self) -> None:
        """Import what draws the report."""
        from .report import case_report

        del case_report

    def write_report(
        self, image: "Radiograph", screening: "CxrScreening", screener: "CxrScreener", target: Path
    ) -> None:
        """Write the page of a screened X-ray."""
        from .report.case_report import write_cxr_report

        del screener
        write_cxr_report(image, screening, target)

    def drawing(self, image: "Radiograph", screening: "CxrScreening", screener: "CxrScreener") -> "Drawing":
        """The radiograph with the boxes of the lungs."""
        from ..report.drawing import Drawing, DrawnBox
        from .report.pictures import draw

        del screener
        drawn = draw(image, screening)
        boxes = tuple(DrawnBox(box.side, "unknown", box.x, box.y, box.width, box.height) for box in drawn.boxes)
        return Drawing(
            "The radiograph", drawn.radiograph, drawn.frame.width_mm, drawn.frame.height_mm, ("L", "F"), boxes
        )


def _load_lung_boxes(weights: "Weights") -> object:
    from .lung_boxes import LungBoxModel

    return LungBoxModel.load(weights)


def _load_discrimination(weights: "Weights") -> object:
    from .discrimination import DiscriminationModel

    return DiscriminationModel.load(weights)


def _load_localization(weights: "Weights") -> object:
    from .localization import LocalizationModel

    return LocalizationModel.load(weights)


def _lung_box_recipe() -> "type[Recipe]":
    from .learning.recipes import LungBoxRecipe

    return LungBoxRecipe


def _discrimination_recipe() -> "type[Recipe]":
    from .learning.recipes import DiscriminationRecipe

    return DiscriminationRecipe


def _localization_recipe() -> "type[Recipe]":
    from .learning.recipes import LocalizationRecipe

    return LocalizationRecipe


METHOD = CxrMethod()

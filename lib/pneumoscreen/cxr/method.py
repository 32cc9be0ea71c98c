"""The X-ray method as the rest of the program knows it."""

from typing import TYPE_CHECKING

from ..method import Method, Network
from . import networks

if TYPE_CHECKING:
    from ..images.inputs import Modality
    from ..models.weights import Weights
    from ..training.recipes import Recipe


class CxrMethod(Method):
    """Lung boxes, superpixels, the class of the picture, the affected side, Grad-CAM."""

    modality: "Modality" = "CXR"

    @property
    def networks(self) -> tuple[Network, ...]:
        """The lung boxes, the class and the affected side."""
        return (
            Network(networks.LUNG_BOXES, _load_lung_boxes, _lung_box_recipe),
            Network(networks.DISCRIMINATION, _load_discrimination, _discrimination_recipe),
            Network(networks.LOCALIZATION, _load_localization, _localization_recipe),
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

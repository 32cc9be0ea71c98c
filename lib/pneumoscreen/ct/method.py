"""The CT method as the rest of the program knows it."""

from typing import TYPE_CHECKING

from ..method import Method, Network
from . import networks

if TYPE_CHECKING:
    from ..images.inputs import Modality
    from ..models.weights import Weights
    from ..training.recipes import Recipe


class CtMethod(Method):
    """Lungs, candidate regions, patches, the classifier of the patches, the vote."""

    modality: "Modality" = "CT"

    @property
    def networks(self) -> tuple[Network, ...]:
        """The candidate network and the patch classifier."""
        return (
            Network(networks.CANDIDATES, _load_candidates, _candidates_recipe),
            Network(networks.CLASSIFIER, _load_classifier, _classifier_recipe),
        )


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

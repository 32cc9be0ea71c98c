"""One training of a simulation, what it is worth on the test cases, and what it thinks of the pool.

Ours: every training starts from fresh weights and takes the same number of steps on all labels so far. So a figure
depends on the labels alone: neither on the order in which they came, nor on how often earlier ones were trained on,
as it would if each round went on from the weights of the one before.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from ..active_learning.epistemic import DRAWS
from ..active_learning.scores import CaseScore
from ..ct.classifier import ClassifierModel, judge
from ..ct.figures.outcome import HeadOutcome
from ..ct.learning.classifier import train_classifier
from ..ct.learning.classifier_data import PatchSet
from ..ct.scoring import score_case
from ..metrics.confusion import ConfusionMatrix
from .cases import PreparedCase, patch_images
from .settings import SimulationSettings

_LEAST_PROBABILITY = 1e-12


@dataclass(frozen=True)
class Figures:
    """What a classifier is worth on the test cases.

    Attributes:
        case_accuracy: share of right verdicts, after vote and Noisy-OR.
        region_f1: mean f1 of the regions, after the vote.
        patch_f1: mean f1 of the patches.
        log_loss: mean negative log-probability of the true label of a patch; lower is better.
    """

    case_accuracy: float
    region_f1: float
    patch_f1: float
    log_loss: float

    def to_dict(self) -> dict[str, float]:
        """As JSON values."""
        return asdict(self)


def train(
    labelled: Sequence[PatchSet],
    validation: Sequence[PatchSet],
    settings: SimulationSettings,
    seed: int,
    device: str = "cpu",
) -> ClassifierModel:
    """A classifier trained on the patches of all labelled cases.

    Args:
        labelled: one set a case, of patients on the training side.
        validation: of patients on the validation side.
        settings: of the simulation.
        seed: of weights, order and variation.
        device: where.
    """
    an_epoch = max(sum(map(len, labelled)) // settings.training.batch, 1)
    epochs = max(round(settings.steps / an_epoch), 1)
    run = settings.training.model_copy(update={"epochs": epochs, "checkpoint_epochs": epochs, "seed": seed})
    return train_classifier(PatchSet.join([*labelled, *validation]), run, None, device, None, lambda line: None).model


def measure(cases: Sequence[PreparedCase], model: ClassifierModel) -> Figures:
    """Judge the test cases by the rules of the product: vote of the patches, Noisy-OR of the regions."""
    classes = model.classes
    patches = regions = ConfusionMatrix.from_labels(classes.patch_labels, [], [])
    verdicts = ConfusionMatrix.from_labels(classes.case_labels, [], [])
    losses = []
    for case in cases:
        screened = case.screened
        probabilities = judge(patch_images(screened), model).probabilities
        sizes = np.bincount(screened.regions, minlength=len(case.regions)).tolist()
        outcome = HeadOutcome.of(probabilities, sizes, 1.0, classes)
        true_labels = [classes.patch_labels[label] for label in screened.labels]
        patches += ConfusionMatrix.from_labels(classes.patch_labels, true_labels, outcome.patches)
        regions += ConfusionMatrix.from_labels(classes.patch_labels, case.regions, outcome.regions)
        verdicts += ConfusionMatrix.from_labels(classes.case_labels, [case.diagnosis], [outcome.verdict])
        true = probabilities[np.arange(len(screened)), screened.labels]
        losses.append(-np.log(np.maximum(true, _LEAST_PROBABILITY)))
    return Figures(verdicts.accuracy, regions.mean_f1, patches.mean_f1, float(np.concatenate(losses).mean()))


def score(cases: Sequence[PreparedCase], model: ClassifierModel, seed: int) -> list[CaseScore]:
    """The score of every case of the pool."""
    scores = []
    for case in cases:
        screened = case.screened
        judgement = judge(patch_images(screened), model, samples=DRAWS, seed=seed)
        scores.append(score_case(case.case_id, judgement, screened.regions, model.classes))
    return scores

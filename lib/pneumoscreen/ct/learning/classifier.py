"""Training of the patch classifier (Xu et al. 2020, sections 2.4, 2.5 and 3.2).

Published: cross-entropy, infections drawn three times as often as irrelevant patches, clipping, flips and
mirroring, 1000 epochs. Ours: the optimiser, its schedule and label smoothing. M1 and M2, where both
are asked for, share the trunk and a run: their losses are added.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from ...metrics.confusion import mean_f1
from ...training.device import Workplace, workplace_of
from ...training.loop import Course, EpochSettings, TrainingLoop
from ...training.progress import ProgressCallback, TrainingObserver, TrainingProgress
from ..classifier import ClassifierModel, ClassifierNetwork, ClassifierSettings
from ..networks import CLASSIFIER
from .augmentation import AugmentationSettings, augment
from .classifier_data import PatchDataSettings, PatchSet, logits_of, patch_batch, split_patches

_SHORTEST_CYCLE = 10


class ClassifierTrainingSettings(EpochSettings):
    """A training run, as ``configs/ct_classifier.yaml`` and ``configs/paper.yaml`` describe it.

    An epoch draws as many patches as the training set holds. A checkpoint is kept at the end as well.

    Attributes:
        network: what is trained. Ours: with dropout, which has no weights, so that a model without it goes on with it.
        data: which patches of a case are used.
        augmentation: how patches are varied.
        optimizer: ``adamw`` or ``sgd`` (momentum 0.9).
        schedule: ``one_cycle`` rises and falls over the whole run; ``constant`` does not.
        weight_decay: of the optimiser.
        label_smoothing: of the cross-entropy; Noisy-OR multiplies doubts, so an over-sure classifier
            makes over-sure cases.
        infection_sampling: how often an infection patch is drawn against an irrelevant one.
    """

    network: ClassifierSettings = ClassifierSettings(dropout=0.2)
    data: PatchDataSettings = PatchDataSettings()
    augmentation: AugmentationSettings = AugmentationSettings()
    epochs: int = Field(6, ge=1)
    batch: int = Field(64, ge=2)
    optimizer: Literal["adamw", "sgd"] = "adamw"
    schedule: Literal["one_cycle", "constant"] = "one_cycle"
    weight_decay: float = Field(0.02, ge=0)
    label_smoothing: float = Field(0.05, ge=0, lt=1)
    infection_sampling: float = Field(3.0, gt=0)


@dataclass(frozen=True)
class TrainedClassifier:
    """The outcome of a run.

    Attributes:
        model: ready to use and to publish.
        confusion: for each head int64 [classes, classes] on the validation patches, rows the truth.
        figures: JSON values for the card of the weights.
    """

    model: ClassifierModel
    confusion: dict[str, NDArray[np.int64]]
    figures: dict[str, Any]


def train_classifier(
    patches: PatchSet,
    settings: ClassifierTrainingSettings,
    checkpoints: Path | None = None,
    device: str = "auto",
    callback: ProgressCallback | None = None,
    say: Callable[[str], None] | None = None,
    *,
    initial_state: Mapping[str, Tensor] | None = None,
    observers: tuple[TrainingObserver, ...] = (),
    workplace: Workplace | None = None,
) -> TrainedClassifier:
    """Train on a set of patches, going on from the newest checkpoint where there is one.

    The same patches, settings, initial weights and device give the same weights, interrupted or not. Under
    ``torchrun`` every process takes its share of each batch, and the first one writes.

    Args:
        patches: training and validation patches together; they are split by patient, and the test patients' left out.
        settings: the run.
        checkpoints: folder for the run's checkpoints; None keeps none.
        device: ``auto`` takes the GPU where there is one.
        callback: called with (task, fraction done) at every step; may raise ``Cancelled``.
        say: takes a line every few seconds; by default they go to standard error.
        initial_state: weights to begin with, those of a network of the same settings; default: random ones.
        observers: told of every step and every figure.
        workplace: of this process where it was found before; it is then left open.

    Raises:
        PneumoScreenError: if the patches cannot be split, or not even two of them fit into memory at once.
        ConfigError: if there is no such device, the checkpoints belong to another run, or the initial weights do not
            fit.
    """
    with workplace_of(device, workplace) as place:
        course = _Course(patches, settings, place)
        TrainingLoop(course, initial_state, say).run(checkpoints, callback, observers)
        return course.outcome()


def confusion_of(
    network: ClassifierNetwork, device: torch.device, patches: PatchSet, settings: ClassifierTrainingSettings
) -> dict[str, NDArray[np.int64]]:
    """Confusion matrix [classes, classes] of each head on some patches, rows the truth."""
    network.eval()
    classes = len(settings.network.classes.classes.patch_labels)
    found = {name: np.zeros((classes, classes), dtype=np.int64) for name in network.heads}
    for rows, outputs in logits_of(network, device, patches):
        for name, logits in outputs.items():
            np.add.at(found[name], (patches.labels[rows], logits.argmax(dim=1).cpu().numpy()), 1)
    return found


def confusion_figures(confusion: Mapping[str, NDArray[np.int64]]) -> dict[str, Any]:
    """What a card tells of confusion matrices on the validation patches."""
    return {
        "validation_confusion": {name: matrix.tolist() for name, matrix in confusion.items()},
        "validation_mean_f1": {name: round(float(mean_f1(matrix)), 4) for name, matrix in confusion.items()},
    }


def draw_patches(infected: NDArray[np.bool_], factor: float, count: int, generator: torch.Generator) -> Tensor:
    """Draw patches with replacement, infections ``factor`` times as often as irrelevant ones (section 2.4).

    Args:
        infected: bool [n], which patches show an infection.
        factor: published: 3.
        count: how many to draw.
        generator: source of the randomness.

    Returns:
        int64 [count], row numbers.
    """
    weights = torch.from_numpy(np.where(infected, factor, 1.0))
    return torch.multinomial(weights, count, replacement=True, generator=generator)


class _Course(Course):
    """The patches, the network with one or both heads, and the confusion matrices."""

    task = CLASSIFIER
    samples = "patches"
    settings: ClassifierTrainingSettings
    network: ClassifierNetwork

    def __init__(self, patches: PatchSet, settings: ClassifierTrainingSettings, workplace: Workplace) -> None:
        self.settings, self.workplace, self.epochs = settings, workplace, settings.epochs
        self.training, self.validation = split_patches(patches, settings.split)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.network = ClassifierNetwork(settings.network)
        self.network.set_distance_scale(self.training.distances)
        self.steps = max(len(self.training) // settings.batch, 1)
        self._confusion: dict[str, NDArray[np.int64]] | None = None

    def move(self, device: torch.device) -> None:
        """The trunk is faster with channels last."""
        super().move(device)
        self.network.trunk.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def optimizer(self) -> torch.optim.Optimizer:
        """As the settings say."""
        return _optimizer(self.network, self.settings)

    def schedule(self, optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LRScheduler:
        """As the settings say."""
        self._schedule = _schedule(optimizer, self.settings, self.steps)
        return self._schedule

    def digests(self) -> tuple[bytes, ...]:
        """Of both sets of patches."""
        return self.training.digest(), self.validation.digest()

    def opening(self, epoch: int) -> str:
        """Heads and numbers of patches."""
        epochs = self.settings.epochs
        return (
            f"{' and '.join(self.settings.network.heads)} on {len(self.training)} patches, validation on "
            f"{len(self.validation)}, {self.steps} steps an epoch, epoch {min(epoch + 1, epochs)} of {epochs}"
        )

    def order(self, epoch: int, generator: torch.Generator) -> Tensor:
        """As many patches as there are, drawn with replacement."""
        del epoch
        infected = self.training.labels < len(self.settings.network.classes.infections)
        return draw_patches(infected, self.settings.infection_sampling, self.steps * self.settings.batch, generator)

    def batch(self, rows: Tensor, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Pixels, distances from the edge of the lung, labels."""
        pixels, distance, labels = patch_batch(self.training, rows.numpy())
        return augment(pixels, self.settings.augmentation, generator), distance, labels

    def losses(self, part: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Cross-entropy of each head."""
        pixels, distance, labels = part
        device, smoothing = self.workplace.device, self.settings.label_smoothing
        with self.workplace.autocast(enabled=self.settings.amp):
            outputs = self.network(pixels.to(device, memory_format=torch.channels_last), distance.to(device))
        target = labels.to(device)
        return {
            name: functional.cross_entropy(outputs[name].float(), target, label_smoothing=smoothing)
            for name in self.network.heads
        }

    def after_step(self, step: int) -> None:
        """The learning rate follows every step."""
        del step
        self._schedule.step()

    def after_epoch(self, epoch: int, progress: TrainingProgress) -> bool:
        """Measure where a checkpoint is kept, in the first process."""
        is_last = epoch == self.settings.epochs
        if not self.workplace.is_first or not (is_last or epoch % self.settings.checkpoint_epochs == 0):
            return False
        progress.validating()
        self._confusion = self._validate()
        # First the head that screening listens to.
        f1 = {f"{name} f1": float(mean_f1(self._confusion[name])) for name in sorted(self._confusion, reverse=True)}
        progress.note(
            f"epoch {epoch}/{self.settings.epochs} validation "
            + " ".join(f"{name} {value:.3f}" for name, value in f1.items())
        )
        progress.measured(epoch * self.steps, f1)
        return True

    def outcome(self) -> TrainedClassifier:
        """The network as the last epoch left it, in every process."""
        self.workplace.share_weights(self.network)
        confusion = self._confusion or self._validate()
        figures = {
            "training_patches": len(self.training),
            "training_patients": len(np.unique(self.training.patients)),
            "validation_patches": len(self.validation),
            "validation_patients": len(np.unique(self.validation.patients)),
            "labels": list(self.settings.network.classes.classes.patch_labels),
            **confusion_figures(confusion),
        }
        model = ClassifierModel(self.network.settings, self.network, self.workplace.device)
        return TrainedClassifier(model, confusion, figures)

    def _validate(self) -> dict[str, NDArray[np.int64]]:
        return confusion_of(self.network, self.workplace.device, self.validation, self.settings)


def _optimizer(network: ClassifierNetwork, settings: ClassifierTrainingSettings) -> torch.optim.Optimizer:
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
    return torch.optim.SGD(
        network.parameters(), settings.learning_rate, momentum=0.9, weight_decay=settings.weight_decay
    )


def _schedule(
    optimizer: torch.optim.Optimizer, settings: ClassifierTrainingSettings, steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    if settings.schedule == "constant":
        return torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
    # A cycle of fewer steps has no rise, which torch cannot divide by.
    total = max(settings.epochs * steps + 1, _SHORTEST_CYCLE)
    return torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, total_steps=total, pct_start=0.2)

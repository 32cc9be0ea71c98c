"""Training of the patch classifier (Xu et al. 2020, sections 2.4, 2.5 and 3.2).

Published: cross-entropy, infections drawn three times as often as irrelevant patches, clipping, flips and
mirroring, 1000 epochs. Ours: the optimiser, its schedule and label smoothing. M1 and M2, where both
are asked for, share the trunk and a run: their losses are added.
"""

import hashlib
import json
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

from ...config import Settings
from ...errors import ConfigError
from ...metrics.confusion import mean_f1
from ...studies.split import DEFAULT_SPLIT, SplitSettings
from ...training.checkpoints import Checkpoint, CheckpointFolder
from ...training.device import Workplace, find_workplace
from ...training.gate import DEFAULT_GATE, GateSettings
from ...training.memory import PartedBatch
from ...training.progress import ProgressCallback, TrainingObserver, TrainingProgress, say_on_stderr
from ...training.warm_start import start_from
from ..classifier import ClassifierModel, ClassifierNetwork, ClassifierSettings
from ..networks import CLASSIFIER
from .augmentation import AugmentationSettings, augment
from .classifier_data import PatchDataSettings, PatchSet, split_patches
from .patch_inference import logits_of, patch_batch

TASK = CLASSIFIER
_SMALLEST_PART = 2
"""Batch normalisation over a single patch of the smallest size has nothing to normalise by."""
_SHORTEST_CYCLE = 10


class ClassifierTrainingSettings(Settings):
    """A training run, as ``configs/ct_classifier.yaml`` and ``configs/paper.yaml`` describe it.

    Attributes:
        network: what is trained. Ours: with dropout, which has no weights, so that a model without it goes on with it.
        data: which patches of a case are used.
        augmentation: how patches are varied.
        epochs: passes; an epoch draws as many patches as the training set holds.
        batch: patches a step.
        optimizer: ``adamw`` or ``sgd`` (momentum 0.9).
        schedule: ``one_cycle`` rises and falls over the whole run; ``constant`` does not.
        learning_rate: the highest.
        weight_decay: of the optimiser.
        label_smoothing: of the cross-entropy; Noisy-OR multiplies doubts, so an over-sure classifier
            makes over-sure cases.
        infection_sampling: how often an infection patch is drawn against an irrelevant one.
        split: shares of the patients that validate and that are kept for tests.
        gate: what the network must show before it is published.
        amp: mixed precision, where the device is faster with it.
        checkpoint_epochs: a checkpoint is kept every so many epochs, and at the end.
        seed: of weights, order and variation.
    """

    network: ClassifierSettings = ClassifierSettings(dropout=0.2)
    data: PatchDataSettings = PatchDataSettings()
    augmentation: AugmentationSettings = AugmentationSettings()
    epochs: int = Field(6, ge=1)
    batch: int = Field(64, ge=2)
    optimizer: Literal["adamw", "sgd"] = "adamw"
    schedule: Literal["one_cycle", "constant"] = "one_cycle"
    learning_rate: float = Field(1e-3, gt=0)
    weight_decay: float = Field(0.02, ge=0)
    label_smoothing: float = Field(0.05, ge=0, lt=1)
    infection_sampling: float = Field(3.0, gt=0)
    split: SplitSettings = DEFAULT_SPLIT
    gate: GateSettings = DEFAULT_GATE
    amp: bool = True
    checkpoint_epochs: int = Field(1, ge=1)
    seed: int = Field(0, ge=0)

    def fingerprint(self) -> str:
        """Changes with every setting that changes what is learnt; a run resumes only under its own."""
        text = json.dumps(self.model_dump(mode="json", exclude={"checkpoint_epochs", "gate"}), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


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
    place = workplace or find_workplace(device)
    try:
        folder = CheckpointFolder(checkpoints) if checkpoints is not None else None
        run = _Run(patches, settings, place, initial_state, say or say_on_stderr)
        return run.train(folder, callback, observers if place.is_first else ())
    finally:
        if workplace is None:
            place.close()


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


class _Run:
    """State of one training run in one process."""

    def __init__(
        self,
        patches: PatchSet,
        settings: ClassifierTrainingSettings,
        workplace: Workplace,
        initial_state: Mapping[str, Tensor] | None,
        say: Callable[[str], None],
    ) -> None:
        self.settings, self.workplace, self.device, self._say = settings, workplace, workplace.device, say
        self.training, self.validation = split_patches(patches, settings.split)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.network = ClassifierNetwork(settings.network)
        self.network.set_distance_scale(self.training.distances)
        self.initial = start_from(self.network, initial_state, TASK)
        self.network.to(device=self.device)
        self.network.trunk.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        workplace.share_weights(self.network)
        self.memory = PartedBatch(-(-settings.batch // workplace.world), smallest=_SMALLEST_PART, say=say)
        self.steps = max(len(self.training) // settings.batch, 1)
        self.optimizer = _optimizer(self.network, settings)
        self.schedule = _schedule(self.optimizer, settings, self.steps)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=workplace.uses_scaler and settings.amp)
        self._half = settings.amp

    def train(
        self,
        folder: CheckpointFolder | None,
        callback: ProgressCallback | None,
        observers: tuple[TrainingObserver, ...],
    ) -> TrainedClassifier:
        """All epochs that are not done yet."""
        first, epochs = self.resume(folder), self.settings.epochs
        progress = TrainingProgress(
            TASK,
            epochs * self.steps,
            first * self.steps,
            callback,
            say=self._say,
            observers=observers,
            epoch_steps=self.steps,
        )
        if self.workplace.is_first:
            progress.note(
                f"{' and '.join(self.settings.network.heads)} on {len(self.training)} patches, validation on "
                f"{len(self.validation)}, {self.steps} steps an epoch, "
                f"epoch {min(first + 1, epochs)} of {epochs}"
            )
        confusion: dict[str, NDArray[np.int64]] | None = None
        for epoch in range(first, epochs):
            self.train_epoch(epoch, progress)
            last = epoch + 1 == epochs
            if self.workplace.is_first and (last or (epoch + 1) % self.settings.checkpoint_epochs == 0):
                confusion = self._measure(epoch + 1, progress)
                if folder is not None:
                    folder.save(self.checkpoint(epoch + 1))
            self.workplace.wait()
        self.workplace.share_weights(self.network)
        confusion = confusion or self.validate()
        return TrainedClassifier(ClassifierModel(self.network, self.device), confusion, self.figures(confusion))

    def _measure(self, epochs: int, progress: TrainingProgress) -> dict[str, NDArray[np.int64]]:
        progress.validating()
        confusion = self.validate()
        # First the head that screening listens to.
        f1 = {f"{name} f1": float(mean_f1(confusion[name])) for name in sorted(confusion, reverse=True)}
        progress.note(
            f"epoch {epochs}/{self.settings.epochs} validation "
            + " ".join(f"{name} {value:.3f}" for name, value in f1.items())
        )
        progress.measured(epochs * self.steps, f1)
        return confusion

    def train_epoch(self, epoch: int, progress: TrainingProgress) -> None:
        """One pass over as many patches as there are."""
        self.network.train()
        # A generator of its own for each epoch makes a resumed run draw what an uninterrupted one draws.
        generator = torch.Generator().manual_seed(self.settings.seed * 1_000_003 + epoch)
        infected = self.training.labels < len(self.settings.network.classes.infections)
        count = self.steps * self.settings.batch
        order = draw_patches(infected, self.settings.infection_sampling, count, generator)
        # Processes share the draw and part later, each with its own variations.
        generator.manual_seed(generator.initial_seed() * 1_009 + self.workplace.rank)
        for step, rows in enumerate(order.split(self.settings.batch), start=epoch * self.steps + 1):
            own = rows[self.workplace.rank :: self.workplace.world]
            pixels, distance, labels = patch_batch(self.training, own.numpy())
            losses = self._step(step, augment(pixels, self.settings.augmentation, generator), distance, labels)
            if self.workplace.is_first:
                progress.step(step, losses)

    def _step(self, step: int, pixels: Tensor, distance: Tensor, labels: Tensor) -> dict[str, float]:
        losses = self.memory.run(lambda parts: self._gradients(step, parts, pixels, distance, labels))
        self.workplace.average_gradients(self.network)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.schedule.step()
        return losses

    def _gradients(self, step: int, parts: int, pixels: Tensor, distance: Tensor, labels: Tensor) -> dict[str, float]:
        """Fill the gradients of a batch, done in parts; returns its losses."""
        # Dropout draws from torch's own numbers; seeded by the step, so that a resumed run draws alike.
        torch.manual_seed(self.settings.seed * 1_000_003 + step * self.workplace.world + self.workplace.rank)
        self.optimizer.zero_grad(set_to_none=True)
        sums: dict[str, float] = dict.fromkeys(self.settings.network.heads, 0.0)
        smoothing = self.settings.label_smoothing
        for rows in self.memory.rows(len(labels), parts):
            with self.workplace.autocast(enabled=self._half):
                outputs = self.network(
                    pixels[rows].to(self.device, memory_format=torch.channels_last), distance[rows].to(self.device)
                )
            target, share = labels[rows].to(self.device), len(labels[rows]) / len(labels)
            losses = {
                name: share * functional.cross_entropy(logits.float(), target, label_smoothing=smoothing)
                for name, logits in outputs.items()
            }
            self.scaler.scale(torch.stack(list(losses.values())).sum()).backward()
            for name, loss in losses.items():
                sums[name] += loss.item()
        return {name: sums[name] for name in self.network.heads}

    def validate(self) -> dict[str, NDArray[np.int64]]:
        """Confusion matrix of each head on the validation patches."""
        return confusion_of(self.network, self.device, self.validation, self.settings)

    def checkpoint(self, epochs: int) -> Checkpoint:
        """The run as it stands after so many epochs."""
        return Checkpoint(
            step=epochs * self.steps,
            model=self.network.state_dict(),
            optimizer={
                "optimizer": self.optimizer.state_dict(),
                "schedule": self.schedule.state_dict(),
                "scaler": self.scaler.state_dict(),
            },
            progress={"epochs": epochs, "run": self._fingerprint(), "parts": self.memory.parts},
        )

    def resume(self, folder: CheckpointFolder | None) -> int:
        """Take up the newest checkpoint; returns how many epochs are done."""
        found = folder.load_latest() if folder is not None else None
        if folder is None or found is None:
            return 0
        if found.progress["run"] != self._fingerprint():
            raise ConfigError(
                f"{folder.folder} holds checkpoints of a run with other settings or patches; "
                "remove it or name another folder"
            )
        self.network.load_state_dict(dict(found.model))
        self.optimizer.load_state_dict(found.optimizer["optimizer"])
        self.schedule.load_state_dict(found.optimizer["schedule"])
        self.scaler.load_state_dict(found.optimizer["scaler"])
        self.memory.parts = int(found.progress["parts"])
        return int(found.progress["epochs"])

    def _fingerprint(self) -> str:
        digest = hashlib.sha256(f"{self.settings.fingerprint()} {self.initial} {self.workplace.world}".encode())
        for part in (self.training, self.validation):
            digest.update(part.digest())
        return digest.hexdigest()

    def figures(self, confusion: Mapping[str, NDArray[np.int64]]) -> dict[str, Any]:
        """What the card tells of the run."""
        return {
            "training_patches": len(self.training),
            "training_patients": len(np.unique(self.training.patients)),
            "validation_patches": len(self.validation),
            "validation_patients": len(np.unique(self.validation.patients)),
            "labels": list(self.settings.network.classes.classes.patch_labels),
            **confusion_figures(confusion),
        }


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

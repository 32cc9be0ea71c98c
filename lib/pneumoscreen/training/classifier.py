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

from ..config import Settings
from ..ct.classifier import ClassifierModel, ClassifierNetwork, ClassifierSettings
from ..errors import ConfigError
from .augmentation import AugmentationSettings, augment
from .checkpoints import Checkpoint, CheckpointFolder
from .classifier_data import PatchDataSettings, PatchSet, split_patches
from .device import DeviceName, Workplace, find_workplace
from .progress import ProgressCallback, TrainingProgress

TASK = "ct_classifier"


class ClassifierTrainingSettings(Settings):
    """A training run, as ``configs/ct_classifier.yaml`` and ``configs/paper.yaml`` describe it.

    Attributes:
        network: what is trained.
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
        validation_share: of the patients.
        checkpoint_epochs: a checkpoint is kept every so many epochs, and at the end.
        seed: of split, weights, order and variation.
    """

    network: ClassifierSettings = ClassifierSettings()
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
    validation_share: float = Field(0.1, gt=0, lt=1)
    checkpoint_epochs: int = Field(1, ge=1)
    seed: int = Field(0, ge=0)


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
    device: DeviceName = "auto",
    callback: ProgressCallback | None = None,
    say: Callable[[str], None] | None = None,
) -> TrainedClassifier:
    """Train on a set of patches, going on from the newest checkpoint where there is one.

    The same patches, settings and device give the same weights, interrupted or not. Under ``torchrun``
    every process takes its share of each batch, and the first one writes.

    Args:
        patches: training and validation patches together; they are split by patient.
        settings: the run.
        checkpoints: folder for the run's checkpoints; None keeps none.
        device: ``auto`` takes the GPU where there is one.
        callback: called with (task, fraction done) at every step; may raise ``Cancelled``.
        say: takes a line every few seconds; by default they go to standard error.

    Raises:
        PneumoScreenError: if the patches cannot be split.
        ConfigError: if there is no such device, or the checkpoints belong to another run.
    """
    workplace = find_workplace(device)
    try:
        run = _Run(patches, settings, workplace)
        folder = CheckpointFolder(checkpoints) if checkpoints is not None else None
        first = run.resume(folder)
        progress = TrainingProgress(TASK, settings.epochs * run.steps, first * run.steps, callback, say=say)
        if workplace.is_first:
            progress.note(
                f"{' and '.join(settings.network.heads)} on {len(run.training)} patches, validation on "
                f"{len(run.validation)}, {run.steps} steps an epoch, "
                f"epoch {min(first + 1, settings.epochs)} of {settings.epochs}"
            )
        for epoch in range(first, settings.epochs):
            run.train_epoch(epoch, progress)
            last = epoch + 1 == settings.epochs
            if workplace.is_first and (last or (epoch + 1) % settings.checkpoint_epochs == 0):
                scores = " ".join(f"{name} f1 {mean_f1(matrix):.3f}" for name, matrix in run.validate().items())
                progress.note(f"epoch {epoch + 1}/{settings.epochs} validation {scores}")
                if folder is not None:
                    folder.save(run.checkpoint(epoch + 1))
            workplace.wait()
        confusion = run.validate()
    finally:
        workplace.close()
    return TrainedClassifier(ClassifierModel(run.network, workplace.device), confusion, run.figures(confusion))


def mean_f1(confusion: NDArray[np.int64]) -> float:
    """Mean of the classes' f1 scores; a class that neither occurs nor is predicted does not count."""
    hits = np.diag(confusion).astype(np.float64)
    sums = confusion.sum(axis=0) + confusion.sum(axis=1)
    return float(np.mean(2 * hits[sums > 0] / sums[sums > 0]))


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

    def __init__(self, patches: PatchSet, settings: ClassifierTrainingSettings, workplace: Workplace) -> None:
        self.settings, self.workplace, self.device = settings, workplace, workplace.device
        self.training, self.validation = split_patches(patches, settings.validation_share, settings.seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.network = ClassifierNetwork(settings.network)
        self.network.set_distance_scale(self.training.distances)
        self.network.to(device=self.device)
        self.network.trunk.to(memory_format=torch.channels_last)
        self.distributed = workplace.distribute(self.network)
        self.steps = max(len(self.training) // settings.batch, 1)
        self.optimizer = _optimizer(self.network, settings)
        self.schedule = _schedule(self.optimizer, settings, self.steps)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=workplace.uses_scaler)

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
        for step, rows in enumerate(order.split(self.settings.batch), start=1):
            own = rows[self.workplace.rank :: self.workplace.world]
            pixels, distance, labels = _batch(self.training, own.numpy())
            losses = self._step(augment(pixels, self.settings.augmentation, generator), distance, labels)
            if self.workplace.is_first:
                progress.step(epoch * self.steps + step, losses)

    def _step(self, pixels: Tensor, distance: Tensor, labels: Tensor) -> dict[str, float]:
        with self.workplace.autocast(enabled=_half_is_fast(self.device)):
            outputs = self.distributed(
                pixels.to(self.device, memory_format=torch.channels_last), distance.to(self.device)
            )
        target, smoothing = labels.to(self.device), self.settings.label_smoothing
        losses = {
            name: functional.cross_entropy(logits.float(), target, label_smoothing=smoothing)
            for name, logits in outputs.items()
        }
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(torch.stack(list(losses.values())).sum()).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.schedule.step()
        return {name: loss.item() for name, loss in losses.items()}

    @torch.no_grad()
    def validate(self) -> dict[str, NDArray[np.int64]]:
        """Confusion matrix of each head on the validation patches."""
        self.network.eval()
        classes = len(self.settings.network.classes.classes.patch_labels)
        found = {name: np.zeros((classes, classes), dtype=np.int64) for name in self.network.heads}
        for rows in np.array_split(np.arange(len(self.validation)), -(-len(self.validation) // 256)):
            pixels, distance, labels = _batch(self.validation, rows)
            outputs = self.network(pixels.to(self.device, memory_format=torch.channels_last), distance.to(self.device))
            for name, logits in outputs.items():
                np.add.at(found[name], (labels.numpy(), logits.argmax(dim=1).cpu().numpy()), 1)
        return found

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
            progress={"epochs": epochs, "run": self._fingerprint()},
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
        return int(found.progress["epochs"])

    def _fingerprint(self) -> str:
        settings = self.settings.model_dump(mode="json", exclude={"checkpoint_epochs"})
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
        for part in (self.training, self.validation):
            digest.update(part.pixels.tobytes() + part.labels.tobytes())
        return digest.hexdigest()

    def figures(self, confusion: Mapping[str, NDArray[np.int64]]) -> dict[str, Any]:
        """What the card tells of the run."""
        return {
            "training_patches": len(self.training),
            "training_patients": len(np.unique(self.training.patients)),
            "validation_patches": len(self.validation),
            "validation_patients": len(np.unique(self.validation.patients)),
            "labels": list(self.settings.network.classes.classes.patch_labels),
            "validation_confusion": {name: matrix.tolist() for name, matrix in confusion.items()},
            "validation_mean_f1": {name: round(mean_f1(matrix), 4) for name, matrix in confusion.items()},
        }


def _half_is_fast(device: torch.device) -> bool:
    """Whether half precision pays: always on a GPU; on a CPU only with instructions for it."""
    if device.type != "cpu":
        return True
    abilities = torch.cpu.get_capabilities()
    return bool(abilities.get("avx512_bf16") or abilities.get("amx_bf16"))


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
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.learning_rate, total_steps=settings.epochs * steps + 1, pct_start=0.2
    )


def _batch(patches: PatchSet, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor]:
    """Pixels float32 [b, 1, size, size] in 0 to 1, distances float32 [b] and labels int64 [b]."""
    pixels = torch.from_numpy(patches.pixels[rows]).float().div_(255.0)[:, None]
    return pixels, torch.from_numpy(patches.distances[rows]), torch.from_numpy(patches.labels[rows])

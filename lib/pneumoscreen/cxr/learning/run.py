"""One training of a network of the X-ray method, as all three are trained (Wang et al. 2020).

Published: Adam with betas .9 and .999 and epsilon 1e-8, learning rate 1e-3 divided by 5 when the validation loss
stalls, batches of 16, early stopping. Ours: the patience of both, weight decay, and that the weights with the lowest
validation loss are kept rather than the last ones.
"""

import hashlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from ...config import Settings
from ...errors import ConfigError
from ...studies.split import DEFAULT_SPLIT, SplitSettings
from ...training.checkpoints import Checkpoint, CheckpointFolder
from ...training.device import Workplace, find_workplace
from ...training.gate import DEFAULT_GATE, GateSettings
from ...training.memory import PartedBatch
from ...training.progress import ProgressCallback, TrainingObserver, TrainingProgress, say_on_stderr
from ...training.warm_start import start_from
from ..network import CxrModel
from .augmentation import RadiographAugmentation
from .data import PictureSet

BETAS, EPSILON = (0.9, 0.999), 1e-8
DECAY = 5.0
_SMALLEST_PART = 2
"""Batch normalisation over a single picture of the smallest size has nothing to normalise by."""


class RadiographTrainingSettings(Settings):
    """What the trainings of the three networks have in common.

    Attributes:
        augmentation: how pictures are varied.
        epochs: at most.
        batch: pictures a step (published: 16).
        learning_rate: to begin with (published: 1e-3).
        weight_decay: of Adam, decoupled (ours).
        patience: epochs without a lower validation loss after which the learning rate is divided by 5 (ours).
        stop_after: epochs without a lower validation loss after which the training ends (ours).
        split: which patients train, validate and test.
        gate: what the network must show before it is published.
        amp: half precision where it pays.
        seed: of weights, order and variation.
    """

    augmentation: RadiographAugmentation = RadiographAugmentation()
    epochs: int = Field(20, ge=1)
    batch: int = Field(16, ge=2)
    learning_rate: float = Field(1e-3, gt=0)
    weight_decay: float = Field(1e-4, ge=0)
    patience: int = Field(2, ge=1)
    stop_after: int = Field(6, ge=1)
    split: SplitSettings = DEFAULT_SPLIT
    gate: GateSettings = DEFAULT_GATE
    amp: bool = True
    checkpoint_epochs: int = Field(1, ge=1)
    seed: int = Field(0, ge=0)

    def fingerprint(self) -> str:
        """Changes with every setting that changes what is learnt; a run resumes only under its own."""
        text = json.dumps(self.model_dump(mode="json", exclude={"checkpoint_epochs", "gate"}), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class Lesson(ABC):
    """What the three trainings do differently: the network, the loss and the figures.

    Args:
        settings: of the training.
    """

    task: ClassVar[str]
    model: CxrModel[Any, Any]
    network: nn.Module
    is_depthwise = False
    """Whether most convolutions are depthwise: on a CPU half precision makes them slower, channels last faster."""

    @abstractmethod
    def vary(self, pictures: Tensor, targets: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Pictures [b, channels, h, w] and targets [b, ...], varied."""

    @abstractmethod
    def output(self, pictures: Tensor) -> Tensor:
        """What the loss looks at."""

    @abstractmethod
    def losses(self, output: Tensor, targets: Tensor) -> Tensor:
        """Loss of each picture [b]."""

    @abstractmethod
    def figures(self, output: Tensor, validation: PictureSet) -> dict[str, float]:
        """Figures on the validation pictures, the one that counts first."""

    def weights(self, targets: Tensor) -> Tensor:
        """How often each picture [n] is drawn against the others."""
        return torch.ones(len(targets))

    def steps(self, count: int, batch: int) -> int:
        """Steps of an epoch over so many pictures."""
        return max(count // batch, 1)


@dataclass(frozen=True)
class TrainedRadiographNetwork:
    """The outcome of a run.

    Attributes:
        output: of the network on the validation pictures, in their order.
        figures: JSON values for the card.
    """

    output: Tensor
    figures: dict[str, Any]


def train_lesson(
    lesson: Lesson,
    training: PictureSet,
    validation: PictureSet,
    settings: RadiographTrainingSettings,
    checkpoints: Path | None = None,
    device: str = "auto",
    callback: ProgressCallback | None = None,
    say: Callable[[str], None] | None = None,
    *,
    initial_state: Mapping[str, Tensor] | None = None,
    observers: tuple[TrainingObserver, ...] = (),
    workplace: Workplace | None = None,
) -> TrainedRadiographNetwork:
    """Train a network, going on from the newest checkpoint where there is one; it then holds its best weights.

    The same pictures, settings, initial weights and device give the same weights, interrupted or not. Under
    ``torchrun`` every process takes its share of each batch, and the first one writes.

    Args:
        lesson: what is trained.
        training: pictures to learn from.
        validation: pictures of other patients.
        settings: the run.
        checkpoints: folder for the run's checkpoints; None keeps none.
        device: ``auto`` takes the GPU where there is one.
        callback: called with (task, fraction done) at every step; may raise ``Cancelled``.
        say: takes a line every few seconds; by default they go to standard error.
        initial_state: weights to begin with, those of a network of the same settings; default: random ones.
        observers: told of every step and every figure.
        workplace: of this process where it was found before; it is then left open.

    Raises:
        PneumoScreenError: if not even two pictures fit into memory at once.
        ConfigError: if there is no such device, the checkpoints belong to another run, or the initial weights do not
            fit.
    """
    place = workplace or find_workplace(device)
    try:
        folder = CheckpointFolder(checkpoints) if checkpoints is not None else None
        run = _Run(lesson, training, validation, settings, place, initial_state, say or say_on_stderr)
        return run.train(folder, callback, observers if place.is_first else ())
    finally:
        if workplace is None:
            place.close()


@torch.no_grad()
def outputs_of(lesson: Lesson, pictures: PictureSet, workplace: Workplace, batch: int, amp: bool = False) -> Tensor:
    """What a network makes of pictures: [n, ...] in single precision, on the CPU."""
    lesson.network.to(workplace.device).eval()
    found = []
    for rows in torch.arange(len(pictures)).split(batch):
        seen = pictures.batch(rows)[0].to(workplace.device, memory_format=_memory_format(workplace.device, lesson))
        with _autocast(workplace, lesson, amp):
            found.append(lesson.output(seen).float().cpu())
    return torch.cat(found)


def _memory_format(device: torch.device, lesson: Lesson) -> torch.memory_format:
    """Channels last on a GPU, where it is faster, and for depthwise convolutions.

    Not for others on a CPU: there torch 2.13 is slower with it in single precision, and the gradients of narrow
    convolutions with a stride write past their memory.
    """
    return torch.channels_last if device.type == "cuda" or lesson.is_depthwise else torch.contiguous_format


def _autocast(workplace: Workplace, lesson: Lesson, amp: bool) -> AbstractContextManager[object]:
    """Half precision where it is wanted and pays; for depthwise convolutions that is on a GPU."""
    return workplace.autocast(enabled=amp and (workplace.device.type == "cuda" or not lesson.is_depthwise))


class _Run:
    """State of one training run in one process."""

    def __init__(
        self,
        lesson: Lesson,
        training: PictureSet,
        validation: PictureSet,
        settings: RadiographTrainingSettings,
        workplace: Workplace,
        initial_state: Mapping[str, Tensor] | None,
        say: Callable[[str], None],
    ) -> None:
        self.lesson, self.settings, self.workplace, self.device, self._say = (
            lesson,
            settings,
            workplace,
            workplace.device,
            say,
        )
        self.training, self.validation = training, validation
        self.network = lesson.network
        self.initial = start_from(self.network, initial_state, lesson.task)
        self.network.to(device=self.device)
        self.memory_format = _memory_format(self.device, lesson)
        self.network.to(memory_format=self.memory_format)  # type: ignore[call-overload]
        workplace.share_weights(self.network)
        self.memory = PartedBatch(-(-settings.batch // workplace.world), smallest=_SMALLEST_PART, say=say)
        self.steps = lesson.steps(len(training), settings.batch)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), settings.learning_rate, BETAS, EPSILON, settings.weight_decay
        )
        self.schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self.optimizer, factor=1.0 / DECAY, patience=settings.patience - 1
        )
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=workplace.uses_scaler and settings.amp)
        self.best_loss, self.best_epoch = math.inf, 0
        self.best: dict[str, Tensor] = {}

    def train(
        self,
        folder: CheckpointFolder | None,
        callback: ProgressCallback | None,
        observers: tuple[TrainingObserver, ...],
    ) -> TrainedRadiographNetwork:
        """All epochs that are not done yet, until the validation loss has stalled for too long."""
        first, epochs = self.resume(folder), self.settings.epochs
        progress = TrainingProgress(
            self.lesson.task,
            epochs * self.steps,
            first * self.steps,
            callback,
            say=self._say,
            observers=observers,
            epoch_steps=self.steps,
        )
        if self.workplace.is_first:
            progress.note(
                f"{len(self.training)} pictures of {self.training.patients_count} patients, validation on "
                f"{len(self.validation)} of {self.validation.patients_count}, {self.steps} steps an epoch"
            )
        epoch = first
        while epoch < epochs and epoch - self.best_epoch < self.settings.stop_after:
            self.train_epoch(epoch, progress)
            epoch += 1
            self._judge(epoch, progress)
            if folder is not None and self.workplace.is_first and epoch % self.settings.checkpoint_epochs == 0:
                folder.save(self.checkpoint(epoch))
            self.workplace.wait()
        self.network.load_state_dict(self.best)
        output, loss = self.validate()
        figures = self.lesson.figures(output, self.validation)
        return TrainedRadiographNetwork(output, self.card_figures(figures, loss, epoch))

    def train_epoch(self, epoch: int, progress: TrainingProgress) -> None:
        """One pass over as many pictures as there are."""
        self.network.train()
        # A generator of its own for each epoch makes a resumed run draw what an uninterrupted one draws.
        generator = torch.Generator().manual_seed(self.settings.seed * 1_000_003 + epoch)
        order = self._order(generator)
        # Processes share the draw and part later, each with its own variations.
        generator.manual_seed(generator.initial_seed() * 1_009 + self.workplace.rank)
        for step, rows in enumerate(order.split(self.settings.batch), start=epoch * self.steps + 1):
            own = rows[self.workplace.rank :: self.workplace.world]
            pictures, targets = self.lesson.vary(*self.training.batch(own), generator)
            loss = self.memory.run(partial(self._gradients, step, pictures, targets))
            self.workplace.average_gradients(self.network)
            self.scaler.step(self.optimizer)
            self.scaler.update()
            if self.workplace.is_first:
                progress.step(step, {"loss": loss})

    def _order(self, generator: torch.Generator) -> Tensor:
        """Rows of the steps of an epoch: every picture once, or by weight where they are not drawn alike."""
        count = self.steps * self.settings.batch
        weights = self.lesson.weights(self.training.targets)
        if len(self.training) < count or not torch.all(weights == weights[0]):
            return torch.multinomial(weights, count, replacement=True, generator=generator)
        return torch.randperm(len(self.training), generator=generator)[:count]

    def _gradients(self, step: int, pictures: Tensor, targets: Tensor, parts: int) -> float:
        """Fill the gradients of a batch, done in parts; returns its loss."""
        # Dropout draws from torch's own numbers; seeded by the step, so that a resumed run draws alike.
        torch.manual_seed(self.settings.seed * 1_000_003 + step * self.workplace.world + self.workplace.rank)
        self.optimizer.zero_grad(set_to_none=True)
        total = 0.0
        for rows in self.memory.rows(len(targets), parts):
            share = len(targets[rows]) / len(targets)
            loss = share * self._losses(pictures[rows], targets[rows]).mean()
            self.scaler.scale(loss).backward()
            total += loss.item()
        return total

    def _losses(self, pictures: Tensor, targets: Tensor) -> Tensor:
        with _autocast(self.workplace, self.lesson, self.settings.amp):
            output = self.lesson.output(pictures.to(self.device, memory_format=self.memory_format))
        return self.lesson.losses(output.float(), targets.to(self.device))

    def validate(self) -> tuple[Tensor, float]:
        """The network's output on the validation pictures, on the CPU, and their mean loss."""
        output = outputs_of(self.lesson, self.validation, self.workplace, self.settings.batch, self.settings.amp)
        loss = self.lesson.losses(output.to(self.device), self.validation.targets.to(self.device))
        return output, float(loss.mean())

    def _judge(self, epoch: int, progress: TrainingProgress) -> None:
        """Measure, and keep the weights where the validation loss is the lowest so far."""
        if self.workplace.is_first:
            progress.validating()
        self.workplace.share_weights(self.network)
        output, loss = self.validate()
        loss = self.workplace.tell(loss)
        self.schedule.step(loss)
        if loss < self.best_loss:
            self.best_loss, self.best_epoch = loss, epoch
            self.best = {name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()}
        if self.workplace.is_first:
            figures = {**self.lesson.figures(output, self.validation), "loss": loss}
            told = " ".join(f"{name} {value:.3f}" for name, value in figures.items())
            progress.note(f"epoch {epoch}/{self.settings.epochs} validation {told}")
            progress.measured(epoch * self.steps, figures)

    def checkpoint(self, epochs: int) -> Checkpoint:
        """The run as it stands after so many epochs."""
        best = {f"best.{name}": tensor for name, tensor in self.best.items()}
        return Checkpoint(
            step=epochs * self.steps,
            model={**self.network.state_dict(), **best},
            optimizer={
                "optimizer": self.optimizer.state_dict(),
                "schedule": self.schedule.state_dict(),
                "scaler": self.scaler.state_dict(),
            },
            progress={
                "epochs": epochs,
                "run": self._fingerprint(),
                "parts": self.memory.parts,
                "best_loss": self.best_loss,
                "best_epoch": self.best_epoch,
            },
        )

    def resume(self, folder: CheckpointFolder | None) -> int:
        """Take up the newest checkpoint; returns how many epochs are done."""
        found = folder.load_latest() if folder is not None else None
        if folder is None or found is None:
            return 0
        if found.progress["run"] != self._fingerprint():
            raise ConfigError(
                f"{folder.folder} holds checkpoints of a run with other settings or pictures; "
                "remove it or name another folder"
            )
        prefix = "best."
        self.best = {name.removeprefix(prefix): t for name, t in found.model.items() if name.startswith(prefix)}
        self.network.load_state_dict({name: t for name, t in found.model.items() if not name.startswith(prefix)})
        self.optimizer.load_state_dict(found.optimizer["optimizer"])
        self.schedule.load_state_dict(found.optimizer["schedule"])
        self.scaler.load_state_dict(found.optimizer["scaler"])
        self.memory.parts = int(found.progress["parts"])
        self.best_loss, self.best_epoch = float(found.progress["best_loss"]), int(found.progress["best_epoch"])
        return int(found.progress["epochs"])

    def _fingerprint(self) -> str:
        digest = hashlib.sha256(f"{self.settings.fingerprint()} {self.initial} {self.workplace.world}".encode())
        for part in (self.training, self.validation):
            digest.update(part.digest())
        return digest.hexdigest()

    def card_figures(self, figures: Mapping[str, float], loss: float, epochs: int) -> dict[str, Any]:
        """What the card tells of the run."""
        return {
            "training_pictures": len(self.training),
            "training_patients": self.training.patients_count,
            "validation_pictures": len(self.validation),
            "validation_patients": self.validation.patients_count,
            "epochs": epochs,
            "best_epoch": self.best_epoch,
            "validation_loss": round(loss, 5),
            **{f"validation_{name.replace(' ', '_')}": round(value, 4) for name, value in figures.items()},
        }

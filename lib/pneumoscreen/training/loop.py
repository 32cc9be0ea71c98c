"""The loop of every training: steps, half precision, several processes, checkpoints, resumption, progress.

A ``Course`` says what is trained on what. Every sample is a function of seed and step, so that an interrupted training
ends with the weights of an uninterrupted one.
"""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from ..config import Settings
from ..errors import ConfigError
from ..studies.split import DEFAULT_SPLIT, SplitSettings
from .checkpoints import Checkpoint, CheckpointFolder
from .device import Workplace
from .gate import DEFAULT_GATE, GateSettings
from .memory import PartedBatch
from .plan import FREE_SETTINGS
from .progress import ProgressCallback, TrainingObserver, TrainingProgress, say_on_stderr
from .warm_start import start_from


class LoopSettings(Settings):
    """What the settings of every training have.

    Attributes:
        batch: samples a step, of all processes.
        learning_rate: the highest.
        split: shares of the patients that validate and that are kept for tests.
        gate: what the network must show before it is published.
        amp: mixed precision, where the device is faster with it.
        seed: of weights, order and variation.
    """

    batch: int = Field(16, ge=2)
    learning_rate: float = Field(1e-3, gt=0)
    split: SplitSettings = DEFAULT_SPLIT
    gate: GateSettings = DEFAULT_GATE
    amp: bool = True
    seed: int = Field(0, ge=0)

    def fingerprint(self) -> str:
        """Changes with every setting that changes what is learnt; a run resumes only under its own."""
        text = json.dumps(self.model_dump(mode="json", exclude=FREE_SETTINGS), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class EpochSettings(LoopSettings):
    """What the settings of a training in epochs have.

    Attributes:
        epochs: at most.
        checkpoint_epochs: a checkpoint is kept every so many epochs.
    """

    epochs: int = Field(20, ge=1)
    checkpoint_epochs: int = Field(1, ge=1)


class Course(ABC):
    """One training: its network, its samples, its losses, and what follows an epoch.

    Attributes:
        task: what is trained.
        samples: what the network learns from, in the plural.
        settings: of the training.
        network: to train.
        workplace: of this process.
        epochs: at most.
        steps: of an epoch; the last one may have fewer.
        smallest_part: samples that a part of a batch must have.
        gradient_clip: the longest that the gradient may be; None: as long as it is.
        first_number: of the first step, in the seeds of what a network draws by itself.
    """

    task: str
    samples: ClassVar[str]
    settings: LoopSettings
    network: nn.Module
    workplace: Workplace
    epochs: int
    steps: int
    smallest_part: ClassVar[int] = 2  # batch normalisation over one small sample has nothing to normalise by
    gradient_clip: float | None = None
    first_number: ClassVar[int] = 1

    @property
    def batch_size(self) -> int:
        """Samples a step, of all processes."""
        return self.settings.batch

    @property
    def round_steps(self) -> float:
        """Steps in what is told as an epoch."""
        return self.steps

    def steps_after(self, epochs: int) -> int:
        """Steps that so many epochs have together."""
        return epochs * self.steps

    def move(self, device: torch.device) -> None:
        """Bring the network onto the device."""
        self.network.to(device=device)

    @abstractmethod
    def optimizer(self) -> torch.optim.Optimizer:
        """What changes the weights; the network is on its device."""

    @abstractmethod
    def schedule(self, optimizer: torch.optim.Optimizer) -> Any:
        """What changes the learning rate; kept, for ``after_step`` and ``after_epoch``."""

    @abstractmethod
    def digests(self) -> Iterable[bytes]:
        """What tells the samples from others: a run resumes only on its own."""

    @abstractmethod
    def opening(self, epoch: int) -> str:
        """The first line of a run, which begins after so many epochs."""

    @abstractmethod
    def order(self, epoch: int, generator: torch.Generator) -> Tensor:
        """Rows of the samples of an epoch, which follows so many others: int64, a batch after the other."""

    @abstractmethod
    def batch(self, rows: Tensor, generator: torch.Generator) -> tuple[Any, ...]:
        """The samples of these rows, varied, with what is wanted of the network: tensors or lists of as many."""

    @abstractmethod
    def losses(self, part: tuple[Any, ...]) -> dict[str, Tensor]:
        """Mean losses by name over a part of a batch; their sum is what is learnt by."""

    def after_step(self, step: int) -> None:
        """Called when a step, counted from 1 over the whole training, has changed the weights."""
        del step

    @abstractmethod
    def after_epoch(self, epoch: int, progress: TrainingProgress) -> bool:
        """Measure, in every process; whether a checkpoint is to be kept.

        Args:
            epoch: how many are done.
            progress: where figures are told.
        """

    def is_over(self, epoch: int) -> bool:
        """Whether the training ends after so many epochs, before the last."""
        del epoch
        return False

    def further_weights(self) -> dict[str, Tensor]:
        """What a checkpoint holds beside the network, under names of its own."""
        return {}

    def further_progress(self) -> dict[str, Any]:
        """Plain JSON values that a checkpoint holds of the course."""
        return {}

    def take_up(self, weights: Mapping[str, Tensor], progress: Mapping[str, Any]) -> None:
        """Go on from what ``further_weights`` and ``further_progress`` said."""
        del weights, progress


class TrainingLoop:
    """One process's part of a course.

    Args:
        course: what is trained on what.
        initial_state: weights to begin with, those of a network of the same settings; None: as the course made them.
        say: takes a line every few seconds; by default they go to standard error.

    Raises:
        ConfigError: if the initial weights do not fit.
    """

    def __init__(
        self,
        course: Course,
        initial_state: Mapping[str, Tensor] | None,
        say: Callable[[str], None] | None,
    ) -> None:
        say = say or say_on_stderr
        self.course, self.settings, self.workplace, self._say = course, course.settings, course.workplace, say
        self.network = course.network
        self.initial = start_from(self.network, initial_state, course.task)
        course.move(self.workplace.device)
        self.workplace.share_weights(self.network)
        own = -(-course.batch_size // self.workplace.world)
        self.memory = PartedBatch(own, smallest=course.smallest_part, say=say)
        self.optimizer = course.optimizer()
        self.schedule = course.schedule(self.optimizer)
        is_scaled = self.workplace.uses_scaler and self.settings.amp
        self.scaler = torch.amp.GradScaler(self.workplace.device.type, enabled=is_scaled)

    def run(
        self,
        checkpoints: Path | None,
        callback: ProgressCallback | None,
        observers: tuple[TrainingObserver, ...],
    ) -> int:
        """All epochs that are not done yet; returns how many are done at the end.

        Args:
            checkpoints: folder for the run's checkpoints; None keeps none.
            callback: called with (task, fraction done) at every step; may raise ``Cancelled``.
            observers: told of every step and every figure.

        Raises:
            ConfigError: if the checkpoints belong to another run.
            PneumoScreenError: if not even the smallest part of a batch fits into memory.
        """
        course, epochs = self.course, self.course.epochs
        folder = CheckpointFolder(checkpoints) if checkpoints is not None else None
        done = self.resume(folder)
        progress = TrainingProgress(
            course.task,
            course.steps_after(epochs),
            course.steps_after(done),
            callback,
            say=self._say,
            observers=observers if self.workplace.is_first else (),
            epoch_steps=course.round_steps,
        )
        if self.workplace.is_first:
            progress.note(course.opening(done))
        while done < epochs and not course.is_over(done):
            self.train_epoch(done, progress)
            done += 1
            is_kept = course.after_epoch(done, progress)
            if folder is not None and self.workplace.is_first and is_kept:
                folder.save(self.checkpoint(done))
            self.workplace.wait()
        return done

    def train_epoch(self, epoch: int, progress: TrainingProgress) -> None:
        """One pass."""
        self.network.train()
        # A generator of its own for each epoch makes a resumed run draw what an uninterrupted one draws.
        generator = torch.Generator().manual_seed(self.settings.seed * 1_000_003 + epoch)
        order = self.course.order(epoch, generator)
        # Processes share the draw and part later, each with its own variations.
        generator.manual_seed(generator.initial_seed() * 1_009 + self.workplace.rank)
        for step, rows in enumerate(order.split(self.course.batch_size), self.course.steps_after(epoch) + 1):
            own = rows[self.workplace.rank :: self.workplace.world]
            losses = self.memory.run(partial(self._gradients, step, self.course.batch(own, generator)))
            self.workplace.average_gradients(self.network)
            if self.course.gradient_clip is not None:
                self.scaler.unscale_(self.optimizer)
                nn.utils.clip_grad_norm_(self.network.parameters(), self.course.gradient_clip)
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.course.after_step(step)
            if self.workplace.is_first:
                progress.step(step, losses)

    def _gradients(self, step: int, batch: tuple[Any, ...], parts: int) -> dict[str, float]:
        """Fill the gradients of a batch, done in parts; returns its losses."""
        # Dropout draws from torch's own numbers; seeded by the step, so that a resumed run draws alike.
        number = step - 1 + self.course.first_number
        torch.manual_seed(self.settings.seed * 1_000_003 + number * self.workplace.world + self.workplace.rank)
        self.optimizer.zero_grad(set_to_none=True)
        count = len(batch[0])
        sums: dict[str, float] = {}
        for rows in self.memory.rows(count, parts):
            part = tuple(values[rows] for values in batch)
            share = len(part[0]) / count
            losses = {name: share * loss for name, loss in self.course.losses(part).items()}
            self.scaler.scale(torch.stack(list(losses.values())).sum()).backward()
            for name, loss in losses.items():
                sums[name] = sums.get(name, 0.0) + loss.item()
        return sums

    def checkpoint(self, epochs: int) -> Checkpoint:
        """The run as it stands after so many epochs."""
        return Checkpoint(
            step=self.course.steps_after(epochs),
            model={**self.network.state_dict(), **self.course.further_weights()},
            optimizer={
                "optimizer": self.optimizer.state_dict(),
                "schedule": self.schedule.state_dict(),
                "scaler": self.scaler.state_dict(),
            },
            progress={
                "epochs": epochs,
                "run": self._fingerprint(),
                "parts": self.memory.parts,
                **self.course.further_progress(),
            },
        )

    def resume(self, folder: CheckpointFolder | None) -> int:
        """Take up the newest checkpoint; returns how many epochs are done."""
        found = folder.load_latest() if folder is not None else None
        if folder is None or found is None:
            return 0
        if found.progress["run"] != self._fingerprint():
            raise ConfigError(
                f"{folder.folder} holds checkpoints of a run with other settings or {self.course.samples}; "
                "remove it or name another folder"
            )
        further = found.model.keys() - self.network.state_dict().keys()
        self.course.take_up({name: found.model[name] for name in further}, found.progress)
        self.network.load_state_dict({name: t for name, t in found.model.items() if name not in further})
        self.optimizer.load_state_dict(found.optimizer["optimizer"])
        self.schedule.load_state_dict(found.optimizer["schedule"])
        self.scaler.load_state_dict(found.optimizer["scaler"])
        self.memory.parts = int(found.progress["parts"])
        return int(found.progress["epochs"])

    def _fingerprint(self) -> str:
        digest = hashlib.sha256(f"{self.settings.fingerprint()} {self.initial} {self.workplace.world}".encode())
        for part in self.course.digests():
            digest.update(part)
        return digest.hexdigest()

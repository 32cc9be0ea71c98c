"""One training of a network of the X-ray method, as all three are trained (Wang et al. 2020).

Published: Adam with betas .9 and .999 and epsilon 1e-8, learning rate 1e-3 divided by 5 when the validation loss
stalls, batches of 16, early stopping. Ours: the patience of both, weight decay, and that the weights with the lowest
validation loss are kept rather than the last ones.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from ...models.network import NetworkModel
from ...training.device import Workplace, workplace_of
from ...training.loop import Course, EpochSettings, TrainingLoop
from ...training.progress import ProgressCallback, TrainingObserver, TrainingProgress
from .augmentation import RadiographAugmentation
from .data import PictureSet

BETAS, EPSILON = (0.9, 0.999), 1e-8
DECAY = 5.0
_BEST = "best."
"""Before the names of the best weights in a checkpoint."""


class RadiographTrainingSettings(EpochSettings):
    """What the trainings of the three networks have in common.

    Published: batches of 16, a learning rate of 1e-3 to begin with.

    Attributes:
        augmentation: how pictures are varied.
        weight_decay: of Adam, decoupled (ours).
        patience: epochs without a lower validation loss after which the learning rate is divided by 5 (ours).
        stop_after: epochs without a lower validation loss after which the training ends (ours).
        least_steps: of an epoch, however few pictures there are (ours).
    """

    augmentation: RadiographAugmentation = RadiographAugmentation()
    weight_decay: float = Field(1e-4, ge=0)
    patience: int = Field(2, ge=1)
    stop_after: int = Field(6, ge=1)
    least_steps: int = Field(1, ge=1)


class Lesson(ABC):
    """What the three trainings do differently: the network, the loss and the figures.

    Args:
        settings: of the training.
    """

    task: ClassVar[str]
    settings: RadiographTrainingSettings
    model: NetworkModel[Any, Any]
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
        return max(count // batch, self.settings.least_steps)


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
    with workplace_of(device, workplace) as place:
        course = _Course(lesson, training, validation, settings, place)
        epochs = TrainingLoop(course, initial_state, say).run(checkpoints, callback, observers)
        return course.outcome(epochs)


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


class _Course(Course):
    """The pictures, and the weights with the lowest validation loss so far."""

    samples = "pictures"
    settings: RadiographTrainingSettings

    def __init__(
        self,
        lesson: Lesson,
        training: PictureSet,
        validation: PictureSet,
        settings: RadiographTrainingSettings,
        workplace: Workplace,
    ) -> None:
        self.lesson, self.settings, self.workplace, self.epochs = lesson, settings, workplace, settings.epochs
        self.training, self.validation = training, validation
        self.task, self.network = lesson.task, lesson.network
        self.steps = lesson.steps(len(training), settings.batch)
        self.memory_format = _memory_format(workplace.device, lesson)
        self.best_loss, self.best_epoch = math.inf, 0
        self.best: dict[str, Tensor] = {}

    def move(self, device: torch.device) -> None:
        """In the memory format that is fastest there."""
        super().move(device)
        self.network.to(memory_format=self.memory_format)  # type: ignore[call-overload]

    def optimizer(self) -> torch.optim.Optimizer:
        """Adam with decoupled weight decay."""
        settings = self.settings
        return torch.optim.AdamW(
            self.network.parameters(), settings.learning_rate, BETAS, EPSILON, settings.weight_decay
        )

    def schedule(self, optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.ReduceLROnPlateau:
        """Divides the learning rate when the validation loss stalls."""
        self._schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, factor=1.0 / DECAY, patience=self.settings.patience - 1
        )
        return self._schedule

    def digests(self) -> tuple[bytes, ...]:
        """Of both sets of pictures."""
        return self.training.digest(), self.validation.digest()

    def opening(self, epoch: int) -> str:
        """Numbers of pictures and patients."""
        del epoch
        return (
            f"{len(self.training)} pictures of {self.training.patients_count} patients, validation on "
            f"{len(self.validation)} of {self.validation.patients_count}, {self.steps} steps an epoch"
        )

    def order(self, epoch: int, generator: torch.Generator) -> Tensor:
        """Every picture once, or by weight where they are not drawn alike."""
        del epoch
        count = self.steps * self.settings.batch
        weights = self.lesson.weights(self.training.targets)
        if len(self.training) < count or not torch.all(weights == weights[0]):
            return torch.multinomial(weights, count, replacement=True, generator=generator)
        return torch.randperm(len(self.training), generator=generator)[:count]

    def batch(self, rows: Tensor, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Pictures and targets."""
        return self.lesson.vary(*self.training.batch(rows), generator)

    def losses(self, part: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """The lesson's loss."""
        pictures, targets = part
        with _autocast(self.workplace, self.lesson, self.settings.amp):
            output = self.lesson.output(pictures.to(self.workplace.device, memory_format=self.memory_format))
        return {"loss": self.lesson.losses(output.float(), targets.to(self.workplace.device)).mean()}

    def after_epoch(self, epoch: int, progress: TrainingProgress) -> bool:
        """Measure, and keep the weights where the validation loss is the lowest so far."""
        if self.workplace.is_first:
            progress.validating()
        self.workplace.share_weights(self.network)
        output, loss = self._validate()
        loss = self.workplace.tell(loss)
        self._schedule.step(loss)
        if loss < self.best_loss:
            self.best_loss, self.best_epoch = loss, epoch
            self.best = {name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()}
        if self.workplace.is_first:
            figures = {**self.lesson.figures(output, self.validation), "loss": loss}
            told = " ".join(f"{name} {value:.3f}" for name, value in figures.items())
            progress.note(f"epoch {epoch}/{self.settings.epochs} validation {told}")
            progress.measured(epoch * self.steps, figures)
        return epoch % self.settings.checkpoint_epochs == 0

    def is_over(self, epoch: int) -> bool:
        """Whether the validation loss has stalled for too long."""
        return epoch - self.best_epoch >= self.settings.stop_after

    def further_weights(self) -> dict[str, Tensor]:
        """The best ones."""
        return {f"{_BEST}{name}": tensor for name, tensor in self.best.items()}

    def further_progress(self) -> dict[str, Any]:
        """When they were the best."""
        return {"best_loss": self.best_loss, "best_epoch": self.best_epoch}

    def take_up(self, weights: Mapping[str, Tensor], progress: Mapping[str, Any]) -> None:
        """Go on with the best weights so far."""
        self.best = {name.removeprefix(_BEST): tensor for name, tensor in weights.items()}
        self.best_loss, self.best_epoch = float(progress["best_loss"]), int(progress["best_epoch"])

    def outcome(self, epochs: int) -> TrainedRadiographNetwork:
        """The network with its best weights."""
        self.network.load_state_dict(self.best)
        output, loss = self._validate()
        figures = self.lesson.figures(output, self.validation)
        card = {
            "training_pictures": len(self.training),
            "training_patients": self.training.patients_count,
            "validation_pictures": len(self.validation),
            "validation_patients": self.validation.patients_count,
            "epochs": epochs,
            "best_epoch": self.best_epoch,
            "validation_loss": round(loss, 5),
            **{f"validation_{name.replace(' ', '_')}": round(value, 4) for name, value in figures.items()},
        }
        return TrainedRadiographNetwork(output, card)

    def _validate(self) -> tuple[Tensor, float]:
        """The network's output on the validation pictures, on the CPU, and their mean loss."""
        device = self.workplace.device
        output = outputs_of(self.lesson, self.validation, self.workplace, self.settings.batch, self.settings.amp)
        loss = self.lesson.losses(output.to(device), self.validation.targets.to(device))
        return output, float(loss.mean())

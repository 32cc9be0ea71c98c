"""Training of the candidate network (VNET-IR-RPN) on cases with full truth or with boxes only."""

import math
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from pydantic import Field, model_validator
from torch import Tensor
from torch.utils.data import DataLoader

from ...errors import ConfigError
from ...training.device import DeviceName, Workplace, workplace_of
from ...training.loop import Course, LoopSettings, TrainingLoop
from ...training.progress import ProgressCallback, TrainingObserver, TrainingProgress
from ..candidates.finding import CandidateModel, CandidateSettings
from ..candidates.network import CandidateNetwork
from ..candidates.proposals import Proposals
from ..networks import CANDIDATES
from .candidate_crops import AugmentationSettings, Batch, CropDataset, collate
from .candidate_data import PreparedCase
from .candidate_loss import CandidateLoss
from .candidate_validation import CandidateFigures, validate

Cases = Sequence[Path | PreparedCase]


class CandidateTrainingSettings(LoopSettings):
    """A training run of the candidate network.

    Attributes:
        model: the network, its grid and what it selects.
        augmentation: how crops are varied.
        crop: (z, y, x) voxels of the working grid, multiples of the network's ``grid_multiple``.
        batch: crops per step and process.
        steps: of the whole run; replaced by ``epochs`` where that is given.
        epochs: rounds over the training cases, one crop a case.
        warmup: share of the run over which the learning rate rises; it falls as a cosine to 0.
        gradient_clip: the longest that the gradient may be.
        validate_every, save_every: in steps.
        validation_cases: at most this many of the held-out cases are looked at each time.
        workers: processes that prepare crops; 0: the training process itself.
    """

    model: CandidateSettings = CandidateSettings()
    augmentation: AugmentationSettings = AugmentationSettings()
    crop: tuple[int, int, int] = (48, 96, 96)
    batch: int = Field(2, gt=0)
    steps: int = Field(3200, gt=0)
    epochs: int | None = Field(None, gt=0)
    weight_decay: float = Field(1e-4, ge=0)
    warmup: float = Field(0.05, ge=0, lt=1)
    gradient_clip: float = Field(5.0, gt=0)
    validate_every: int = Field(800, gt=0)
    save_every: int = Field(200, gt=0)
    validation_cases: int = Field(12, ge=0)
    workers: int = Field(1, ge=0)
    device: DeviceName = "auto"

    @model_validator(mode="after")
    def _crop_fits_the_network(self) -> "CandidateTrainingSettings":
        multiple = self.model.network.grid_multiple
        if any(size % step for size, step in zip(self.crop, multiple, strict=True)):
            raise ValueError(f"crop must be a multiple of {multiple} (z, y, x) for this network")
        return self

    def total_steps(self, cases: int, world: int) -> int:
        """Steps of the run over this many training cases with this many processes."""
        if self.epochs is None:
            return self.steps
        return max(1, math.ceil(self.epochs * cases / (self.batch * world)))


@dataclass(frozen=True)
class TrainedCandidates:
    """The trained model and its figures on the held-out cases (None without such cases)."""

    model: CandidateModel
    figures: CandidateFigures | None
    steps: int


def train_candidates(
    cases: Cases,
    settings: CandidateTrainingSettings,
    checkpoints: Path,
    *,
    validation: Cases = (),
    progress: ProgressCallback | None = None,
    say: Callable[[str], None] | None = None,
    initial_state: Mapping[str, Tensor] | None = None,
    observers: tuple[TrainingObserver, ...] = (),
    workplace: Workplace | None = None,
) -> TrainedCandidates:
    """Train the candidate network, going on from the newest checkpoint where there is one.

    Args:
        cases: prepared training cases or their files (see ``candidate_data.CaseCache``).
        settings: of the run.
        checkpoints: folder for the run's checkpoints.
        validation: held-out cases, of other patients.
        progress: called with (task, fraction done) at every step; may raise ``Cancelled``.
        say: takes a line every few seconds; by default they go to standard error.
        initial_state: weights to begin with, those of a network of the same settings; default: random ones.
        observers: told of every step and every figure.
        workplace: of this process where it was found before; it is then left open.

    Raises:
        ConfigError: if there are no cases, the checkpoints belong to another run, or the initial weights do not fit.
        PneumoScreenError: if not even one crop fits into memory.
    """
    if not cases:
        raise ConfigError(f"{CANDIDATES}: there is no training case; a studies folder needs scans with case documents")
    with workplace_of(settings.device, workplace) as place:
        course = _Course(cases, validation, settings, place)
        TrainingLoop(course, initial_state, say).run(checkpoints, progress, observers)
        return course.outcome()


class _Course(Course):
    """The crops of the cases. An epoch of the loop is the steps between two looks at checkpoints and figures."""

    task = CANDIDATES
    samples = "cases"
    settings: CandidateTrainingSettings
    network: CandidateNetwork
    smallest_part = 1
    first_number = 0

    def __init__(
        self, cases: Cases, validation: Cases, settings: CandidateTrainingSettings, workplace: Workplace
    ) -> None:
        self.settings, self.workplace, self._cases, self._validation = settings, workplace, cases, validation
        self.gradient_clip = settings.gradient_clip
        self._total = settings.total_steps(len(cases), workplace.world)
        self.steps = math.gcd(settings.save_every, settings.validate_every)
        self.epochs = math.ceil(self._total / self.steps)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.network = CandidateNetwork(settings.model.network)
        self._loss = CandidateLoss(Proposals(settings.model.network), grid=settings.model.grid)
        self._crops: Iterator[Batch] | None = None
        self._figures: CandidateFigures | None = None

    @property
    def batch_size(self) -> int:
        """As many crops for each process."""
        return self.settings.batch * self.workplace.world

    @property
    def round_steps(self) -> float:
        """One crop a case."""
        return len(self._cases) / self.batch_size

    def steps_after(self, epochs: int) -> int:
        """The whole training need not be a multiple of them."""
        return min(epochs * self.steps, self._total)

    def move(self, device: torch.device) -> None:
        """Channels last is faster."""
        self.network.to(device=device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    def optimizer(self) -> torch.optim.Optimizer:
        """Weights decay; biases and normalisation do not."""
        parameters = [p for p in self.network.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": self.settings.weight_decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=1.0)  # times the rate of the schedule

    def schedule(self, optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LambdaLR:
        """A rise and a cosine."""
        self._schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: _rate(self.settings, step, self._total)
        )
        return self._schedule

    def digests(self) -> tuple[bytes, ...]:
        """Of the cases' names."""
        return tuple((case.stem if isinstance(case, Path) else case.case_id).encode() + b"\n" for case in self._cases)

    def opening(self, epoch: int) -> str:
        """Numbers of cases and steps."""
        start = self.steps_after(epoch)
        return f"{len(self._cases)} cases, {self._total} steps from {start}, on {self.workplace.device}"

    def order(self, epoch: int, generator: torch.Generator) -> Tensor:
        """Their numbers: the order of the cases is in them."""
        del generator
        first, end = (self.steps_after(number) * self.batch_size for number in (epoch, epoch + 1))
        if self._crops is None:
            self._crops = self._crops_from(first)
        return torch.arange(first, end)

    def batch(self, rows: Tensor, generator: torch.Generator) -> Batch:
        """Crops that other processes have made ahead, in the order of their numbers."""
        del rows, generator
        assert self._crops is not None
        return next(self._crops)

    def losses(self, part: tuple[Any, ...]) -> dict[str, Tensor]:
        """Of the proposals and of the infection map; draws from torch's numbers to choose anchors."""
        batch = Batch(*part).to(self.workplace.device)
        with self.workplace.autocast(self.settings.amp):
            output = self.network(batch.images)
        return vars(self._loss(output, batch))

    def after_step(self, step: int) -> None:
        """The learning rate follows every step."""
        del step
        self._schedule.step()

    def after_epoch(self, epoch: int, progress: TrainingProgress) -> bool:
        """Measure when it is time to, in the first process."""
        done = self.steps_after(epoch)
        is_last = done == self._total
        if self.workplace.is_first and (is_last or done % self.settings.validate_every == 0):
            self._measure(done, is_last, progress)
        return is_last or done % self.settings.save_every == 0

    def outcome(self) -> TrainedCandidates:
        """The network as the last step left it, in every process."""
        self.workplace.share_weights(self.network)
        if self._figures is None and self.workplace.is_first and self._validation:
            self._figures = validate(self._model(), self._validation)
        return TrainedCandidates(self._model(), self._figures, self._total)

    def _measure(self, done: int, all_cases: bool, progress: TrainingProgress) -> None:
        cases = self._validation if all_cases else self._validation[: self.settings.validation_cases]
        if not cases:
            return
        progress.validating()
        self._figures = validate(self._model(), cases)
        progress.note(f"step {done} held-out {self._figures}")
        progress.measured(done, {"recall": self._figures.recall, "dice": self._figures.dice})

    def _model(self) -> CandidateModel:
        network = CandidateNetwork(self.settings.model.network)
        network.load_state_dict(self.network.state_dict())
        return CandidateModel(network, self.settings.model, self.workplace.device)

    def _crops_from(self, first: int) -> Iterator[Batch]:
        settings, place = self.settings, self.workplace
        samples = self._total * self.batch_size
        dataset = CropDataset(
            self._cases, settings.crop, samples, settings.model.grid, settings.augmentation, settings.seed
        )
        loader = DataLoader(
            dataset,
            batch_size=settings.batch,
            sampler=range(first + place.rank, samples, place.world),
            collate_fn=collate,
            num_workers=settings.workers,
            prefetch_factor=4 if settings.workers else None,
            worker_init_fn=_start_worker,
        )
        return iter(loader)


def _rate(settings: CandidateTrainingSettings, step: int, steps: int) -> float:
    rise = settings.warmup * steps
    if step < rise:
        return settings.learning_rate * (step + 1) / (rise + 1)
    place = (step - rise) / max(steps - rise, 1)
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * place))


def _start_worker(_worker: int) -> None:
    torch.set_num_threads(1)
    # Ctrl-C reaches every process of a terminal; the training process ends this one, which has nothing to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.excepthook = _ignore_hang_up


def _ignore_hang_up(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """The thread that hands crops over reports here that the training process has gone; that is no fault."""
    if not issubclass(kind, ConnectionError | EOFError):
        sys.__excepthook__(kind, error, trace)

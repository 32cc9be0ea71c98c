"""Training of the candidate network (VNET-IR-RPN) on cases with full truth or with boxes only."""

import hashlib
import json
import math
import random
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ...config import Settings
from ...errors import ConfigError
from ...studies.split import DEFAULT_SPLIT, SplitSettings
from ...training.checkpoints import Checkpoint, CheckpointFolder
from ...training.device import DeviceName, Workplace, find_workplace
from ...training.gate import DEFAULT_GATE, GateSettings
from ...training.memory import PartedBatch
from ...training.progress import ProgressCallback, TrainingObserver, TrainingProgress, say_on_stderr
from ...training.warm_start import start_from
from ..candidates.finding import CandidateModel, CandidateSettings
from ..candidates.network import CandidateNetwork
from ..candidates.proposals import Proposals
from ..networks import CANDIDATES
from .candidate_crops import AugmentationSettings, Batch, CropDataset, collate
from .candidate_data import PreparedCase
from .candidate_loss import CandidateLoss
from .candidate_validation import CandidateFigures, validate

NAME = CANDIDATES
Cases = Sequence[Path | PreparedCase]


class CandidateTrainingSettings(Settings):
    """A training run of the candidate network.

    Attributes:
        model: the network, its grid and what it selects.
        augmentation: how crops are varied.
        crop: (z, y, x) voxels of the working grid, multiples of the network's ``grid_multiple``.
        batch: crops per step and process.
        steps: of the whole run; replaced by ``epochs`` where that is given.
        epochs: rounds over the training cases, one crop a case.
        learning_rate: the highest; it rises over ``warmup`` of the run and falls as a cosine to 0.
        seed: of weights, crops and variation.
        split: shares of the patients that validate and that are kept for tests.
        gate: what the network must show before it is published.
        amp: mixed precision.
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
    learning_rate: float = Field(1e-3, gt=0)
    weight_decay: float = Field(1e-4, ge=0)
    warmup: float = Field(0.05, ge=0, lt=1)
    gradient_clip: float = Field(5.0, gt=0)
    seed: int = Field(0, ge=0)
    split: SplitSettings = DEFAULT_SPLIT
    gate: GateSettings = DEFAULT_GATE
    amp: bool = True
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

    def fingerprint(self) -> str:
        """Changes with every setting that changes what is learnt; a run resumes only under its own."""
        free = {"validate_every", "save_every", "validation_cases", "workers", "device", "split", "gate"}
        text = json.dumps(self.model_dump(mode="json", exclude=free), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class TrainedCandidates:
    """The trained model and its figures on the held-out cases (None without such cases)."""

    model: CandidateModel
    figures: CandidateFigures | None
    steps: int


def train_candidates(
    cases: Cases,
    settings: CandidateTrainingSettings,
    out: Path,
    *,
    validation: Cases = (),
    resume: bool = True,
    progress: ProgressCallback | None = None,
    say: Callable[[str], None] | None = None,
    initial_state: Mapping[str, Tensor] | None = None,
    observers: tuple[TrainingObserver, ...] = (),
    workplace: Workplace | None = None,
) -> TrainedCandidates:
    """Train the candidate network.

    Args:
        cases: prepared training cases or their files (see ``candidate_data.CaseCache``).
        settings: of the run.
        out: folder of the checkpoints.
        validation: held-out cases, of other patients.
        resume: go on from the newest checkpoint in ``out`` if there is one.
        progress: called at every step; may raise ``Cancelled``, which leaves the checkpoints in place.
        say: takes a line every few seconds; by default they go to standard error.
        initial_state: weights to begin with, those of a network of the same settings; default: random ones.
        observers: told of every step and every figure.
        workplace: of this process where it was found before; it is then left open.

    Raises:
        ConfigError: if there are no cases, ``out`` holds a run with other settings, or the initial weights do not fit.
        PneumoScreenError: if not even one crop fits into memory.
    """
    if not cases:
        raise ConfigError(f"{NAME}: there is no training case; a studies folder needs scans with case documents")
    place = workplace or find_workplace(settings.device)
    try:
        run = _Run(cases, settings, out, validation, place, initial_state, say or say_on_stderr)
        return run.train(resume, progress, observers)
    finally:
        if workplace is None:
            place.close()


class _Run:
    """One process's part of a run."""

    def __init__(
        self,
        cases: Cases,
        settings: CandidateTrainingSettings,
        out: Path,
        validation: Cases,
        workplace: Workplace,
        initial_state: Mapping[str, Tensor] | None,
        say: Callable[[str], None],
    ) -> None:
        self._cases, self._settings, self._validation, self._say = cases, settings, validation, say
        self._workplace = workplace
        self._steps = settings.total_steps(len(cases), workplace.world)
        self._checkpoints = CheckpointFolder(out)
        _seed_all(settings.seed)
        network = CandidateNetwork(settings.model.network)
        self._initial = start_from(network, initial_state, NAME)
        self._network = network.to(device=workplace.device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        workplace.share_weights(self._network)
        self._memory = PartedBatch(settings.batch, say=say)
        self._optimizer = torch.optim.AdamW(
            _parameter_groups(self._network, settings.weight_decay), lr=settings.learning_rate
        )
        self._scaler = torch.amp.GradScaler(workplace.device.type, enabled=workplace.uses_scaler and settings.amp)
        self._loss = CandidateLoss(Proposals(settings.model.network), grid=settings.model.grid)

    def train(
        self, resume: bool, progress: ProgressCallback | None, observers: tuple[TrainingObserver, ...]
    ) -> TrainedCandidates:
        start = self._restore() if resume else 0
        lines = self._progress(start, progress, observers)
        lines.note(f"{len(self._cases)} cases, {self._steps} steps from {start}, on {self._workplace.device}")
        figures: CandidateFigures | None = None
        for step, batch in enumerate(self._batches(start), start):
            values = self._step(batch, step)
            done = step + 1
            last = done == self._steps
            if last or done % self._settings.save_every == 0:
                self._save(done)
            if last or done % self._settings.validate_every == 0:
                figures = self._measure(done, last, lines) or figures
            lines.step(done, values)
        self._workplace.share_weights(self._network)
        return TrainedCandidates(self._model(), figures or self._figures(True), self._steps)

    def _progress(
        self, start: int, callback: ProgressCallback | None, observers: tuple[TrainingObserver, ...]
    ) -> TrainingProgress:
        """Where this process reports to: only the first one is heard."""
        first, crops = self._workplace.is_first, self._settings.batch * self._workplace.world
        return TrainingProgress(
            NAME,
            self._steps,
            start,
            callback if first else None,
            say=self._say if first else (lambda line: None),
            observers=observers if first else (),
            epoch_steps=len(self._cases) / crops,
        )

    def _measure(self, done: int, all_cases: bool, lines: TrainingProgress) -> CandidateFigures | None:
        if self._workplace.is_first and self._validation:
            lines.validating()
        figures = self._figures(all_cases)
        if figures is not None:
            lines.note(f"step {done} held-out {figures}")
            lines.measured(done, {"recall": figures.recall, "dice": figures.dice})
        self._workplace.wait()
        return figures

    def _batches(self, start: int) -> Iterator[Batch]:
        settings, world = self._settings, self._workplace.world
        dataset = CropDataset(
            self._cases,
            settings.crop,
            self._steps * settings.batch * world,
            settings.model.grid,
            settings.augmentation,
            settings.seed,
        )
        first = start * settings.batch * world
        # Process r takes every world-th sample; the order itself is fixed by the sample's number.
        numbers = range(first + self._workplace.rank, len(dataset), world)
        loader = DataLoader(
            dataset,
            batch_size=settings.batch,
            sampler=numbers,
            collate_fn=collate,
            num_workers=settings.workers,
            prefetch_factor=4 if settings.workers else None,
            worker_init_fn=_start_worker,
        )
        return iter(loader)

    def _step(self, batch: Batch, step: int) -> dict[str, float]:
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate(step)
        self._network.train()
        values = self._memory.run(lambda parts: self._gradients(batch, step, parts))
        self._workplace.average_gradients(self._network)
        self._scaler.unscale_(self._optimizer)
        nn.utils.clip_grad_norm_(self._network.parameters(), self._settings.gradient_clip)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        return values

    def _gradients(self, batch: Batch, step: int, parts: int) -> dict[str, float]:
        """Fill the gradients of a batch, done in parts; returns its losses."""
        # The choice of anchors is random; seeded by the step, so that a resumed run chooses alike.
        torch.manual_seed(self._settings.seed * 1_000_003 + step * self._workplace.world + self._workplace.rank)
        self._optimizer.zero_grad(set_to_none=True)
        sums: dict[str, float] = {}
        for rows in self._memory.rows(len(batch), parts):
            part = batch.part(rows).to(self._workplace.device)
            with self._workplace.autocast(self._settings.amp):
                output = self._network(part.images)
            losses, share = self._loss(output, part), len(part) / len(batch)
            self._scaler.scale(share * losses.total).backward()
            for name, value in losses.values().items():
                sums[name] = sums.get(name, 0.0) + share * value
        return sums

    def _rate(self, step: int) -> float:
        rise = self._settings.warmup * self._steps
        if step < rise:
            return self._settings.learning_rate * (step + 1) / (rise + 1)
        place = (step - rise) / max(self._steps - rise, 1)
        return self._settings.learning_rate * 0.5 * (1 + math.cos(math.pi * place))

    def _model(self) -> CandidateModel:
        network = CandidateNetwork(self._settings.model.network)
        network.load_state_dict(self._network.state_dict())
        return CandidateModel(network, self._settings.model, self._workplace.device)

    def _figures(self, all_cases: bool) -> CandidateFigures | None:
        if not self._workplace.is_first or not self._validation:
            return None
        cases = self._validation if all_cases else self._validation[: self._settings.validation_cases]
        return validate(self._model(), cases) if cases else None

    def _save(self, done: int) -> None:
        if self._workplace.is_first:
            states: dict[str, Any] = {"optimizer": self._optimizer.state_dict(), "scaler": self._scaler.state_dict()}
            progress = {"fingerprint": self._fingerprint(), "parts": self._memory.parts}
            self._checkpoints.save(Checkpoint(done, self._network.state_dict(), states, progress))
        self._workplace.wait()

    def _restore(self) -> int:
        checkpoint = self._checkpoints.load_latest()
        if checkpoint is None:
            return 0
        if checkpoint.progress.get("fingerprint") != self._fingerprint():
            raise ConfigError(
                f"{self._checkpoints.folder}: the run there has other settings or cases; "
                "give another folder, or do not resume"
            )
        self._network.load_state_dict(checkpoint.model)
        self._optimizer.load_state_dict(checkpoint.optimizer["optimizer"])
        self._scaler.load_state_dict(checkpoint.optimizer["scaler"])
        self._memory.parts = int(checkpoint.progress["parts"])
        return checkpoint.step

    def _fingerprint(self) -> str:
        names = [case.stem if isinstance(case, Path) else case.case_id for case in self._cases]
        digest = hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
        return f"{self._settings.fingerprint()}-{digest}-{self._initial}-{self._workplace.world}"


def _parameter_groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Weights decay; biases and normalisation do not."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _seed_all(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def _start_worker(_worker: int) -> None:
    torch.set_num_threads(1)
    # Ctrl-C reaches every process of a terminal; the training process ends this one, which has nothing to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.excepthook = _ignore_hang_up


def _ignore_hang_up(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """The thread that hands crops over reports here that the training process has gone; that is no fault."""
    if not issubclass(kind, ConnectionError | EOFError):
        sys.__excepthook__(kind, error, trace)

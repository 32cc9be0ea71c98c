"""How the threshold is fitted to labelled pictures, with the project's own loop and gate."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from pneumoscreen.errors import CaseError
from pneumoscreen.models.store import ModelStore
from pneumoscreen.models.weights import Weights
from pneumoscreen.studies.cases import Study, read_document
from pneumoscreen.studies.split import Side
from pneumoscreen.training.comparison import compare_scores
from pneumoscreen.training.device import Workplace
from pneumoscreen.training.loop import Course, EpochSettings, TrainingLoop
from pneumoscreen.training.plan import CHECKPOINTS, PlannedCase
from pneumoscreen.training.progress import ProgressCallback, TrainingObserver, TrainingProgress
from pneumoscreen.training.publishing import Contest, Publication
from pneumoscreen.training.recipes import Recipe, Say

from .picture import read
from .screening import NETWORK, ON, Threshold


class LampSettings(EpochSettings):
    """A learning rate that brings a threshold across the whole range in some ten epochs."""

    epochs: int = 40
    batch: int = 4
    learning_rate: float = 0.02


class LampCourse(Course):
    task, samples = NETWORK, "pictures"

    def __init__(self, training: Tensor, validation: Tensor, settings: LampSettings, workplace: Workplace) -> None:
        self.training, self.validation, self.settings, self.workplace = training, validation, settings, workplace
        self.network, self.epochs = Threshold(), settings.epochs
        self.steps = max(len(training) // settings.batch, 1)

    def optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.network.parameters(), self.settings.learning_rate)

    def schedule(self, optimizer: torch.optim.Optimizer) -> Any:
        return torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)

    def digests(self) -> tuple[bytes, ...]:
        return self.training.numpy().tobytes(), self.validation.numpy().tobytes()

    def opening(self, epoch: int) -> str:
        return f"{len(self.training)} pictures after {epoch} epochs"

    def order(self, epoch: int, generator: torch.Generator) -> Tensor:
        return torch.randint(len(self.training), (self.steps * self.settings.batch,), generator=generator)

    def batch(self, rows: Tensor, generator: torch.Generator) -> tuple[Tensor, ...]:
        return self.training[rows, 0], self.training[rows, 1]

    def losses(self, part: tuple[Tensor, ...]) -> dict[str, Tensor]:
        brightness, wanted = (tensor.to(self.workplace.device) for tensor in part)
        return {"loss": functional.binary_cross_entropy_with_logits(self.network(brightness), wanted)}

    def after_epoch(self, epoch: int, progress: TrainingProgress) -> bool:
        if self.workplace.is_first:
            progress.measured(epoch * self.steps, {"accuracy": float(right(self.network, self.validation).mean())})
        return True


@torch.no_grad()
def right(network: Threshold, pictures: Tensor) -> np.ndarray:
    """1 for each picture [n, (brightness, is on)] that the network names rightly."""
    said = network.cpu()(pictures[:, 0]) >= 0.0
    return (said == (pictures[:, 1] > 0.5)).double().numpy()


class LampRecipe(Recipe):
    task, settings_type, modality = NETWORK, LampSettings, "LAMP"

    @staticmethod
    def settled(settings: LampSettings, store: ModelStore) -> LampSettings:
        return settings

    @staticmethod
    def state_of(settings: LampSettings, weights: Weights) -> dict[str, Tensor]:
        return dict(weights.state)

    def file_of(self, case: PlannedCase) -> Path:
        return self.folder / "pictures" / f"{case.case_id}-{case.origin}.json"

    def prepare(self, study: Study, case: PlannedCase) -> None:
        label = read_document(study.document).diagnosis
        if label is None:
            raise CaseError(f"{study.document}: field diagnosis is missing; say whether the lamp is on")
        self.file_of(case).parent.mkdir(parents=True, exist_ok=True)
        self.file_of(case).write_text(json.dumps([read(study.scan).brightness, float(label == ON)]))

    def train(self, cases: Sequence[PlannedCase], observers: tuple[TrainingObserver, ...], say: Say) -> None:
        sets = [self._pictures(cases, side) for side in (Side.TRAINING, Side.VALIDATION)]
        self._course = LampCourse(*sets, self.settings, self.workplace)
        loop = TrainingLoop(self._course, self.initial_state(), say)
        loop.run(self.folder / CHECKPOINTS, None, observers)
        self._patients = [case.patient for case in cases if case.side is Side.VALIDATION]

    def offer(self, origin: Mapping[str, Any], note: Say, progress: ProgressCallback) -> Publication:
        network, pictures = self._course.network, self._course.validation
        accuracy = float(right(network, pictures).mean())
        card = {**origin, "network": {}, "seed": self.settings.seed, "figures": {"accuracy": accuracy}}
        contest = Contest(
            NETWORK,
            Threshold.load,
            lambda candidate, current: None,
            lambda candidate, current: compare_scores(
                "accuracy",
                self._patients,
                right(candidate, pictures),
                None if current is None else right(current, pictures),
            ),
        )
        staged = self.store.stage(NETWORK, network.state_dict(), card)
        return contest.hold(self.store, staged, len(set(self._patients)), self.settings.gate)

    def _pictures(self, cases: Sequence[PlannedCase], side: Side) -> Tensor:
        return torch.tensor(
            [json.loads(self.file_of(case).read_text(encoding="utf-8")) for case in cases if case.side is side]
        )

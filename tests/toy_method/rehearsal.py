"""What ``pneumoscreen simulate`` rehearses of the lamps: which of them a reader is asked to name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field

from pneumoscreen.active_learning.scores import CaseScore
from pneumoscreen.simulation.pool import Recipe
from pneumoscreen.simulation.settings import SimulationSettings
from pneumoscreen.simulation.subject import Check, Subject
from pneumoscreen.training.device import Workplace
from pneumoscreen.training.loop import TrainingLoop

from .figures import brightness_of
from .learning import LampCourse, LampSettings, right
from .screening import OFF, ON, Threshold


class LampSimulation(SimulationSettings):
    labels: ClassVar[tuple[str, ...]] = (OFF, ON)

    shares: dict[str, float] = Field(default_factory=lambda: {OFF: 0.7, ON: 0.3})
    steps: int = 60


@dataclass(frozen=True)
class Lamp:
    case_id: str
    diagnosis: str
    brightness: float


class LampSubject(Subject):
    settings_type = LampSimulation
    figures: ClassVar[Mapping[str, str]] = {"accuracy": "accuracy"}
    images = "pictures of 24 x 32 pixels"
    title = "Lamp screening"
    real = "the training."
    simulated = "the lamps and the reader, who is always right."

    def key(self) -> list[Any]:
        return [1]

    def prepare(self, recipe: Recipe, arrays: Path, check: Check) -> dict[str, Any]:
        arrays.parent.mkdir(parents=True, exist_ok=True)
        np.savez(arrays, brightness=brightness_of(recipe.seed, recipe.diagnosis))
        return {}

    def load(self, recipe: Recipe, arrays: Path, document: Mapping[str, Any]) -> Lamp:
        with np.load(arrays) as stored:
            return Lamp(recipe.case_id, recipe.diagnosis, float(stored["brightness"]))

    def train(self, labelled: Sequence[Lamp], validation: Sequence[Lamp], seed: int, check: Check) -> Threshold:
        settings = LampSettings(epochs=self.settings.steps, batch=len(labelled), seed=seed)
        course = LampCourse(_table(labelled), _table(validation), settings, Workplace(torch.device("cpu")))
        TrainingLoop(course, None, lambda line: None).run(None, check, ())
        return course.network

    def measure(self, cases: Sequence[Lamp], model: Threshold) -> dict[str, float]:
        return {"accuracy": float(right(model, _table(cases)).mean())}

    @torch.no_grad()
    def score(self, cases: Sequence[Lamp], model: Threshold, seed: int) -> list[CaseScore]:
        on = torch.sigmoid(model(_table(cases)[:, 0])).tolist()
        return [
            CaseScore(case.case_id, 1.0 - abs(2.0 * p - 1.0), 0.0, np.array([p, 1.0 - p], dtype=np.float32))
            for case, p in zip(cases, on, strict=True)
        ]


def _table(cases: Sequence[Lamp]) -> torch.Tensor:
    return torch.tensor([[case.brightness, float(case.diagnosis == ON)] for case in cases])

"""The network - a threshold - and a screening with it."""

import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from pneumoscreen.case import Case, ModelInfo
from pneumoscreen.errors import ModelError
from pneumoscreen.method import Progress
from pneumoscreen.models.store import ModelStore
from pneumoscreen.models.weights import Weights
from pneumoscreen.verdict import RULE_SINGLE, Verdict

NETWORK = "lamp_threshold"
OFF, ON = "off", "on"
SHARPNESS = 20.0


class Threshold(nn.Module):
    """Logit that the lamp is on, of a brightness from 0 to 1."""

    def __init__(self) -> None:
        super().__init__()
        self.threshold = nn.Parameter(torch.tensor(0.0))

    def forward(self, brightness: Tensor) -> Tensor:
        return SHARPNESS * (brightness - self.threshold)

    @classmethod
    def load(cls, weights: Weights) -> "Threshold":
        network = cls()
        try:
            network.load_state_dict(weights.state)
        except RuntimeError:
            raise ModelError(f"{weights.name} version {weights.version} is no threshold; publish it again") from None
        return network


@dataclass(frozen=True)
class LampScreening:
    case: Case
    probability: float


@dataclass(frozen=True)
class LampScreener:
    network: Threshold
    models: dict[str, ModelInfo]
    notes: tuple[str, ...] = ()

    @classmethod
    def from_store(cls, store: ModelStore) -> "LampScreener":
        weights = store.load(NETWORK)
        return cls(Threshold.load(weights), {weights.name: weights.info}, weights.notes)

    def noting(self, note: str) -> "LampScreener":
        return LampScreener(self.network, self.models, (*self.notes, note))

    @torch.no_grad()
    def screen(self, image, progress: Progress | None = None, diagnosis=None, read_s=None, draws=0) -> LampScreening:
        start = time.perf_counter()
        if progress is not None:
            progress("classify", 0.5)
        probability = float(torch.sigmoid(self.network(torch.tensor(image.brightness))))
        label = ON if probability >= 0.5 else OFF
        probabilities = {OFF: 1.0 - probability, ON: probability}
        spent = time.perf_counter() - start
        case = Case(
            case_id=image.case_id,
            modality="LAMP",
            image=image.image_info(),
            diagnosis=diagnosis,
            verdict=Verdict(label, RULE_SINGLE, probabilities, {label: probabilities[label]}),
            models=self.models,
            timings_s={"read": read_s or 0.0, "classify": spent, "total": (read_s or 0.0) + spent},
            notes=(*image.notes, *self.notes),
        )
        return LampScreening(case, probability)

    def embedding(self, screening: LampScreening) -> np.ndarray:
        return np.array([screening.probability, 1.0 - screening.probability], dtype=np.float32)

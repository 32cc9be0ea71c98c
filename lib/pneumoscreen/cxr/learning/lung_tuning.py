"""Tuning of the localiser on lungs that readers judged, and cross-validation by patient (ours).

First the head alone is fitted to the trunk as ImageNet left it (``lung_heads.py``), then the last stages of the trunk
learn with it, slowly. A head that begins at random would first spoil the trunk, and most for pictures unlike those of
the training (Kumar et al. 2022, Fine-tuning can distort pretrained features).
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from ...config import Settings
from ..localization import LocalizationModel, LocalizationSettings
from ..photograph_lungs import PhotographLungs
from .lung_heads import HeadSettings, LungMaps, balanced, is_drawn, train_head
from .lung_pictures import LungPictures
from .lung_variation import LungVariation

_AT_ONCE = 4
"""Lungs in one forward pass: more of them take longer each on a CPU."""
_CLIP = 5.0


class TuningSettings(Settings):
    """How the last stages of the trunk learn.

    Attributes:
        epochs: rounds over the lungs, each of which is varied anew every time; 0: the trunk stays as it is.
        batch: lungs a step.
        learning_rate: the highest, of the trunk; it rises over ``warmup`` of the run and falls as a cosine to 0.
        head_rate: learning rate of the head as a multiple of it.
        weight_decay: of all weights.
        warmup: share of the run.
        smoothing: what a truth is away from 0 and 1: readers differ.
        places: weight of the loss of the mask.
        folds: of the cross-validation, by patient.
        seed: of variation, order, dropout and folds.
    """

    epochs: int = Field(12, ge=0)
    batch: int = Field(16, ge=1)
    learning_rate: float = Field(4e-4, gt=0.0)
    head_rate: float = Field(3.0, gt=0.0)
    weight_decay: float = Field(0.05, ge=0.0)
    warmup: float = Field(0.05, ge=0.0, lt=1.0)
    smoothing: float = Field(0.05, ge=0.0, lt=0.5)
    places: float = Field(1.0, ge=0.0)
    folds: int = Field(3, ge=2)
    seed: int = Field(0, ge=0)

    def rate(self, step: int, steps: int) -> float:
        """Share of the learning rate at a step."""
        rise = min(1.0, (step + 1) / max(1.0, self.warmup * steps))
        return rise * 0.5 * (1.0 + math.cos(math.pi * step / max(steps, 1)))


class Teaching(Settings):
    """All of a training but the network.

    Attributes:
        variation: how far lungs are varied.
        head: how the head begins.
        tuning: how trunk and head learn.
    """

    variation: LungVariation = LungVariation()
    head: HeadSettings = HeadSettings()
    tuning: TuningSettings = TuningSettings()


def tuned(
    network: LocalizationSettings, lungs: LungPictures, teaching: Teaching, say: Callable[[str], None] = print
) -> LocalizationModel:
    """A localiser that has learnt these lungs; the same lungs and settings give the same on one kind of machine."""
    model = LocalizationModel.untrained(network, teaching.tuning.seed)
    parts = model.network.photographs
    parts.head = train_head(_maps(parts, lungs, network), teaching.head, network.attention, network.dropout)
    if teaching.tuning.epochs:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(teaching.tuning.seed)
            _tune(parts, lungs, network, teaching, say)
    model.network.eval()
    return model


def _tune(
    parts: PhotographLungs,
    lungs: LungPictures,
    network: LocalizationSettings,
    teaching: Teaching,
    say: Callable[[str], None],
) -> None:
    settings = teaching.tuning
    trunk, head = parts.trunk.tuned_parameters(), list(parts.head.parameters())
    groups: list[dict[str, Any]] = [
        {"params": trunk, "lr": settings.learning_rate},
        {"params": head, "lr": settings.learning_rate * settings.head_rate},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=settings.weight_decay)
    weights = torch.from_numpy(balanced(lungs.infected, lungs.weights).astype(np.float32))
    drawn = torch.from_numpy(is_drawn(lungs.opacity, lungs.infected).astype(np.float32))
    generator = np.random.default_rng([settings.seed, 1])
    per_epoch = math.ceil(len(lungs) / settings.batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: settings.rate(step, settings.epochs * per_epoch)
    )
    parts.train()
    # Running means of so few lungs would be worse than what they were: the normalisation stays.
    parts.trunk.eval()
    parts.head.norm.eval()
    for epoch in range(settings.epochs):
        losses = []
        for rows in _batches(len(lungs), settings.batch, generator):
            pictures, places = _batch(lungs, rows, network, teaching.variation, generator)
            truth = torch.from_numpy(lungs.infected[rows].astype(np.float32))
            logits, masks = parts.head(parts.head.norm(parts.maps(pictures)))
            loss = _lung_loss(logits, truth, weights[rows], settings.smoothing)
            loss = loss + settings.places * _mask_loss(masks, places, weights[rows] * drawn[rows])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_([*trunk, *head], _CLIP)
            optimizer.step()
            schedule.step()
            losses.append(float(loss.detach()))
        say(f"tuning: epoch {epoch + 1} of {settings.epochs}, loss {np.mean(losses):.3f}")


def _batches(count: int, size: int, generator: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    order = generator.permutation(count)
    for start in range(0, count, size):
        yield order[start : start + size]


def _batch(
    lungs: LungPictures,
    rows: Sequence[int] | NDArray[np.int64],
    network: LocalizationSettings,
    variation: LungVariation | None = None,
    generator: np.random.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Lungs [b, 1, h, w] and what was drawn in them [b, 1, h, w]."""
    copies = [lungs.copy(int(row), network, variation, generator) for row in rows]
    pictures, places = (
        torch.from_numpy(np.stack(each))[:, None] for each in zip(*((c.lung, c.opacity) for c in copies), strict=True)
    )
    return pictures.contiguous(memory_format=torch.channels_last), places


def _lung_loss(logits: Tensor, truth: Tensor, weights: Tensor, smoothing: float) -> Tensor:
    smooth = truth * (1.0 - 2.0 * smoothing) + smoothing
    each = functional.binary_cross_entropy_with_logits(logits, smooth, reduction="none")
    return (each * weights).mean()


def _mask_loss(masks: Tensor, places: Tensor, weights: Tensor) -> Tensor:
    """Of the logits of the mask [b, h, w], by what was drawn [b, 1, H, W]."""
    truth = functional.adaptive_avg_pool2d(places, (masks.shape[1], masks.shape[2]))[:, 0]
    each = functional.binary_cross_entropy_with_logits(masks, truth, reduction="none").mean(dim=(1, 2))
    return (each * weights).mean()


def _in_order(lungs: LungPictures, network: LocalizationSettings) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of all lungs as they are."""
    for start in range(0, len(lungs), _AT_ONCE):
        yield _batch(lungs, range(start, min(start + _AT_ONCE, len(lungs))), network)


@torch.inference_mode()
def _maps(parts: PhotographLungs, lungs: LungPictures, network: LocalizationSettings) -> LungMaps:
    """What the trunk sees of lungs that are not varied."""
    parts.eval()
    maps, opacity = [], []
    for pictures, places in _in_order(lungs, network):
        seen = parts.maps(pictures)
        maps.append(seen.half().numpy())
        opacity.append(functional.adaptive_avg_pool2d(places, (seen.shape[2], seen.shape[3]))[:, 0].numpy())
    return LungMaps(np.concatenate(maps), np.concatenate(opacity), lungs.infected, lungs.weights)


@torch.inference_mode()
def logits_of(model: LocalizationModel, lungs: LungPictures) -> NDArray[np.float64]:
    """Logits [n] of lungs that are not varied."""
    found = [model.network(pictures)[0].double().numpy() for pictures, _ in _in_order(lungs, model.settings)]
    return np.concatenate(found) if found else np.zeros(0)


def folds_of(patients: Sequence[str], settings: TuningSettings) -> NDArray[np.int64]:
    """The fold [n] of each patient, all of them about as large."""
    names, owner = np.unique(np.asarray(patients), return_inverse=True)
    places = np.random.default_rng(settings.seed).permutation(len(names)) % settings.folds
    return np.asarray(places[owner], dtype=np.int64)


def judged_by_others(
    network: LocalizationSettings,
    lungs: LungPictures,
    teaching: Teaching,
    fold: int,
    say: Callable[[str], None] = print,
) -> NDArray[np.float64]:
    """Logits of the lungs of a fold, from a localiser that saw no lung of their patients."""
    held_out = folds_of(lungs.patients.tolist(), teaching.tuning) == fold
    return logits_of(tuned(network, lungs.only(~held_out), teaching, say), lungs.only(held_out))

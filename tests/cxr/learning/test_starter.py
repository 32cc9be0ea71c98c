"""The starter weights of the X-ray method: what is published of a training."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pneumoscreen.case import CXR_CLASSES
from pneumoscreen.cxr.discrimination import DiscriminationModel, DiscriminationSettings
from pneumoscreen.cxr.learning.data import PictureSet
from pneumoscreen.cxr.learning.lessons import (
    DiscriminationLesson,
    DiscriminationTrainingSettings,
    LungBoxLesson,
    LungBoxTrainingSettings,
)
from pneumoscreen.cxr.learning.starter import train_and_publish
from pneumoscreen.cxr.learning.temperature import fitted_temperature
from pneumoscreen.cxr.lung_boxes import LungBoxSettings
from pneumoscreen.models.store import ModelStore

from .radiographs import quiet

SIZE = 32


def pictures(count: int, seed: int, targets: torch.Tensor) -> PictureSet:
    """Pictures of as many patients: noise, whose brightness leans to the number of the target."""
    rng = np.random.default_rng(seed)
    means = np.asarray(targets.flatten(1)[:, 0] if targets.ndim > 1 else targets).reshape(-1, 1, 1, 1)
    grey = rng.normal(90 + 30 * means, 40, (count, 1, SIZE, SIZE)).clip(0, 255).astype(np.uint8)
    return PictureSet(grey, targets, tuple(f"p{seed}-{row}" for row in range(count)))


def test_the_temperature_is_fitted_on_what_was_held_out(tmp_path: Path) -> None:
    network = DiscriminationSettings(size=SIZE, widths=(4, 4, 4, 4), pyramid_channels=4, superpixels=False)
    lesson = DiscriminationLesson(DiscriminationTrainingSettings(network=network, epochs=1))
    labels = torch.arange(48).float() % len(CXR_CLASSES)
    training, validation = pictures(48, 1, labels), pictures(48, 2, labels)
    store = ModelStore(tmp_path / "models")
    train_and_publish(lesson, lesson.model, (training, validation), lesson.settings, tmp_path, store)
    published = store.load("cxr_discrimination")
    model = DiscriminationModel.load(published)
    with torch.no_grad():
        logits = model.network(torch.from_numpy(validation.pictures).float() / 255.0).double().numpy()
    expected = fitted_temperature(logits, labels.long().numpy(), validation.patients, quiet)
    assert expected != 1.0
    assert published.card["network"]["temperature"] == pytest.approx(expected, rel=0.02)


def test_lung_boxes_have_none(tmp_path: Path) -> None:
    network = LungBoxSettings(size=SIZE, stages=(4, 4), features=8)
    lesson = LungBoxLesson(LungBoxTrainingSettings(network=network, epochs=1, least_steps=1))
    boxes = torch.tensor([[[0.7, 0.5, 0.3, 0.6], [0.3, 0.5, 0.3, 0.6]]]).repeat(16, 1, 1)
    store = ModelStore(tmp_path / "models")
    sets = (pictures(16, 1, boxes), pictures(16, 2, boxes))
    train_and_publish(lesson, lesson.model, sets, lesson.settings, tmp_path, store)
    assert "temperature" not in store.load("cxr_lung_boxes").card["network"]

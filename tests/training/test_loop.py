"""The one loop trains all networks as their own loops did: figures stored from before, and checkpoints as they were."""

from pathlib import Path
from typing import Any

import pytest
from tests.ct.learning import test_candidates as boxes
from tests.ct.learning import test_classifier as patches
from tests.cxr.learning import test_run as pictures

from pneumoscreen.ct.learning.candidate_data import prepare_case
from pneumoscreen.ct.learning.candidates import train_candidates
from pneumoscreen.ct.learning.classifier import train_classifier
from pneumoscreen.training.checkpoints import CheckpointFolder
from pneumoscreen.training.progress import StepReport

SHORT = {"amp": False, "epochs": 2}
CLOSE = {"rel": 0.02, "abs": 2e-4}
"""Another machine rounds otherwise; another order, seed, loss or schedule is further away."""


class Watch:
    """Keeps the losses of every step."""

    def __init__(self) -> None:
        self.losses: list[list[float]] = []

    def stepped(self, report: StepReport) -> None:
        self.losses.append(list(report.losses.values()))

    def validating(self) -> None:
        pass

    def measured(self, epoch: int, figures: object) -> None:
        pass


def test_patches_are_learnt_as_before(tmp_path: Path) -> None:
    watch = Watch()
    settings = patches.SETTINGS.model_copy(update=SHORT)
    train_classifier(patches.toy(240), settings, tmp_path, "cpu", say=patches.quiet, observers=(watch,))
    m1 = [0.99286, 1.14196, 0.98740, 0.90280, 0.80707, 0.73144, 0.67368, 0.67518, 0.66439, 0.70563]
    m2 = [1.08525, 1.08268, 1.07937, 1.06787, 1.02295, 1.02251, 1.05556, 1.02941, 1.01743, 0.99303]
    assert [losses[0] for losses in watch.losses] == pytest.approx(m1, **CLOSE)
    assert [losses[1] for losses in watch.losses] == pytest.approx(m2, **CLOSE)
    found = CheckpointFolder(tmp_path).load_latest()
    assert found is not None
    assert (found.step, set(found.optimizer)) == (10, {"optimizer", "schedule", "scaler"})
    assert set(found.progress) == {"epochs", "run", "parts"}


def test_boxes_are_learnt_as_before(toy_cases: list[Any], tmp_path: Path) -> None:
    watch, settings = Watch(), boxes.SHORT.model_copy(update={"amp": False})
    prepared = [prepare_case(case, settings.model.grid) for case in toy_cases]
    train_candidates(prepared, settings, tmp_path, say=patches.quiet, observers=(watch,))
    objectness = [1.01423, 0.46597, 0.90915, 0.44073, 0.12576, 0.92516]
    assert [losses[0] for losses in watch.losses] == pytest.approx(objectness, **CLOSE)
    # The parts and no sum beside them: whoever watches adds them up.
    total = [3.4174, 2.5052, 3.1830, 2.6285, 1.1803, 2.6665]
    assert [sum(losses) for losses in watch.losses] == pytest.approx(total, **CLOSE)
    found = CheckpointFolder(tmp_path).load_latest()
    assert found is not None
    assert (found.step, found.progress["epochs"]) == (6, 3)


def test_pictures_are_learnt_as_before(tmp_path: Path) -> None:
    watch = Watch()
    _, trained = pictures.train(pictures.SETTINGS.model_copy(update=SHORT), checkpoints=tmp_path, observers=(watch,))
    expected = [
        0.0526,
        0.03632,
        0.03038,
        0.0268,
        0.02629,
        0.03096,
        0.03275,
        0.01994,
        0.01464,
        0.01019,
        0.02422,
        0.02098,
    ]
    assert [losses[0] for losses in watch.losses] == pytest.approx(expected, **CLOSE)
    assert trained.figures["validation_loss"] == pytest.approx(0.02376, **CLOSE)
    assert (trained.figures["best_epoch"], trained.figures["epochs"]) == (2, 2)
    found = CheckpointFolder(tmp_path).load_latest()
    assert found is not None
    assert (found.step, set(found.optimizer)) == (12, {"optimizer", "schedule", "scaler"})
    assert set(found.progress) == {"epochs", "run", "parts", "best_loss", "best_epoch"}
    best = {name.removeprefix("best.") for name in found.model if name.startswith("best.")}
    assert best == {name for name in found.model if not name.startswith("best.")}

"""Training of the classifier on toy patches: it learns, location helps M2 only, and it can be interrupted."""

from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch

from pneumoscreen.config import load_config
from pneumoscreen.ct.learning.classifier import (
    ClassifierTrainingSettings,
    TrainedClassifier,
    draw_patches,
    train_classifier,
)
from pneumoscreen.ct.learning.classifier_data import PatchSet
from pneumoscreen.errors import Cancelled, ConfigError
from pneumoscreen.metrics.confusion import mean_f1
from pneumoscreen.studies.split import Side, side_of

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
SETTINGS = ClassifierTrainingSettings.model_validate(
    {
        "network": {"widths": [8, 8, 16, 16], "patches": {"size": 32}},
        "augmentation": {"clip": 0.95, "brightness": 0, "contrast": 0, "noise": 0, "blur": 0, "clip_window": 0},
        "epochs": 6,
        "batch": 32,
        "learning_rate": 0.01,
        "split": {"validation": 0.3, "test": 0.0},
    }
)


def toy(count: int = 600, seed: int = 0) -> PatchSet:
    """Irrelevant patches are dark; the two infections look alike, and only their distance tells them apart."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    pixels = rng.integers(0, 60, (count, 32, 32)) + np.where(labels == 2, 0, 120)[:, None, None]
    distances = np.where(labels == 0, 0.02, 0.3) + rng.normal(0, 0.01, count)
    return PatchSet(
        pixels.astype(np.uint8),
        labels,
        distances.astype(np.float32),
        np.arange(count),
        np.zeros(count, dtype=np.int64),
        np.array([f"p{i % 30}" for i in range(count)]),
    )


def quiet(line: str) -> None:
    del line


@pytest.fixture(scope="module")
def trained() -> TrainedClassifier:
    return train_classifier(toy(), SETTINGS, device="cpu", say=quiet)


def test_appearance_is_learnt_and_location_by_m2_alone(trained: TrainedClassifier) -> None:
    m1, m2 = trained.confusion["m1"], trained.confusion["m2"]
    assert m1[2, 2] == m1[2].sum()
    assert mean_f1(m2) > 0.95
    assert mean_f1(m1) < 0.85


def test_figures_tell_of_the_run(trained: TrainedClassifier) -> None:
    figures = trained.figures
    assert figures["training_patches"] + figures["validation_patches"] == 600
    assert figures["training_patients"] + figures["validation_patients"] == 30
    assert figures["labels"] == ["covid19", "influenza_a", "irrelevant"]
    assert figures["validation_mean_f1"]["m2"] == pytest.approx(mean_f1(trained.confusion["m2"]), abs=1e-4)


def test_an_interrupted_run_ends_like_an_uninterrupted_one(trained: TrainedClassifier, tmp_path: Path) -> None:
    def interrupt(task: str, fraction: float) -> None:
        if fraction > 0.55:
            raise Cancelled(task)

    with pytest.raises(Cancelled):
        train_classifier(toy(), SETTINGS, tmp_path, "cpu", interrupt, quiet)
    said: list[str] = []
    again = train_classifier(toy(), SETTINGS, tmp_path, "cpu", say=said.append)
    assert "epoch 4 of 6" in said[0]
    for name, tensor in trained.model.state().items():
        torch.testing.assert_close(again.model.state()[name], tensor, msg=name)


def test_checkpoints_of_another_run_are_not_taken_up(tmp_path: Path) -> None:
    short = SETTINGS.model_copy(update={"epochs": 1})
    train_classifier(toy(120), short, tmp_path, "cpu", say=quiet)
    with pytest.raises(ConfigError, match="other settings or patches"):
        train_classifier(toy(120), short.model_copy(update={"seed": 1}), tmp_path, "cpu", say=quiet)
    with pytest.raises(ConfigError, match="other settings or patches"):
        train_classifier(toy(120, seed=1), short, tmp_path, "cpu", say=quiet)


def test_infections_are_drawn_three_times_as_often() -> None:
    infected = np.arange(1000) % 4 == 0
    rows = draw_patches(infected, 3.0, 40_000, torch.Generator().manual_seed(0))
    assert infected[rows.numpy()].mean() == pytest.approx(0.5, abs=0.02)
    drawn = np.bincount(rows.numpy(), minlength=1000)
    assert drawn[infected].mean() / drawn[~infected].mean() == pytest.approx(3.0, rel=0.05)
    assert (drawn[infected] > 0).all()


def test_mean_f1_is_that_of_the_papers_table_2() -> None:
    m2 = np.array([[273, 32, 52], [46, 280, 64], [77, 82, 804]])
    assert mean_f1(m2) == pytest.approx(0.764, abs=5e-4)
    assert mean_f1(np.array([[3, 0, 0], [0, 0, 0], [0, 0, 5]])) == 1.0


def test_paper_config_is_the_published_recipe() -> None:
    paper = load_config(CONFIGS / "paper.yaml", ClassifierTrainingSettings)
    assert (paper.epochs, paper.infection_sampling, paper.label_smoothing) == (1000, 3.0, 0.0)
    assert paper.augmentation.flip
    assert paper.augmentation.clip < 1.0
    assert paper.network.heads == ("m2",)


def test_the_sites_config_is_the_default_recipe() -> None:
    settings = load_config(CONFIGS / "ct_classifier.yaml", ClassifierTrainingSettings)
    assert settings == ClassifierTrainingSettings()
    assert settings.network.dropout == 0.2
    assert (settings.split.validation, settings.split.test) == (0.15, 0.15)


def test_the_starter_config_keeps_the_patients_that_were_held_out() -> None:
    starter = load_config(CONFIGS / "starter_classifier.yaml", ClassifierTrainingSettings)
    assert (starter.split.validation, starter.split.test, starter.network.dropout) == (0.07, 0.0, 0.0)
    # As the hash of the recipe that trained them had it: SHA-256 of "0:<name>" below seven hundredths.
    held_out = [n for n in range(4001, 4181) if side_of(f"phantom-{n:06d}", starter.split) is Side.VALIDATION]
    by_hash = [
        n for n in range(4001, 4181) if int(sha256(f"0:phantom-{n:06d}".encode()).hexdigest()[:16], 16) < 2**64 * 0.07
    ]
    assert held_out == by_hash and len(held_out) == 11

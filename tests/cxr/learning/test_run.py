"""A training of an X-ray network on toy pictures: it learns, stops, can be interrupted, and keeps its best weights."""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.cxr.learning.radiographs import quiet
from torch import Tensor

from pneumoscreen.cxr.discrimination import DiscriminationSettings
from pneumoscreen.cxr.learning.augmentation import RadiographAugmentation
from pneumoscreen.cxr.learning.data import PictureSet
from pneumoscreen.cxr.learning.lessons import DiscriminationLesson, DiscriminationTrainingSettings
from pneumoscreen.cxr.learning.run import TrainedRadiographNetwork, outputs_of, train_lesson
from pneumoscreen.errors import Cancelled, ConfigError
from pneumoscreen.training.checkpoints import CheckpointFolder
from pneumoscreen.training.device import find_workplace
from pneumoscreen.training.progress import StepReport

SETTINGS = DiscriminationTrainingSettings(
    network=DiscriminationSettings(size=32, widths=(4, 4, 4, 4), pyramid_channels=4, superpixels=False, dropout=0.2),
    augmentation=RadiographAugmentation(flip=0.5, shift=0.02, tilt=0.0, scale=0.0, contrast=0.0),
    epochs=6,
    batch=8,
    learning_rate=0.02,
)


def toy(count: int = 48, seed: int = 0, patients: int = 12) -> PictureSet:
    """Dark, grey and bright pictures: a class each."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    pixels = rng.integers(0, 40, (count, 1, 32, 32)) + labels[:, None, None, None] * 90
    return PictureSet(
        pixels.astype(np.uint8),
        torch.from_numpy(labels.astype(np.float32)),
        tuple(f"p{row % patients}" for row in range(count)),
    )


def train(
    settings: DiscriminationTrainingSettings = SETTINGS,
    training: PictureSet | None = None,
    validation: PictureSet | None = None,
    **options: object,
) -> tuple[DiscriminationLesson, TrainedRadiographNetwork]:
    lesson = DiscriminationLesson(settings)
    options = {"device": "cpu", "say": quiet, **options}
    trained = train_lesson(lesson, training or toy(), validation or toy(24, 1, 6), settings, **options)  # type: ignore[arg-type]
    return lesson, trained


def weights_of(lesson: DiscriminationLesson) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in lesson.model.state().items()}


def assert_same(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name


class Watch:
    """Keeps what a training tells of itself."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.losses: list[float] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    def stepped(self, report: StepReport) -> None:
        pass

    def validating(self) -> None:
        pass

    def measured(self, epoch: int, figures: Mapping[str, float]) -> None:
        self.losses.append(figures["loss"])


@pytest.fixture(scope="module")
def trained() -> tuple[DiscriminationLesson, TrainedRadiographNetwork]:
    return train()


def test_a_tiny_lesson_learns(trained: tuple[DiscriminationLesson, TrainedRadiographNetwork]) -> None:
    untrained = DiscriminationLesson(SETTINGS)
    validation = toy(24, 1, 6)
    output = outputs_of(untrained, validation, find_workplace("cpu"), 8)
    before = float(untrained.losses(output, validation.targets).mean())
    lesson, outcome = trained
    after = float(lesson.losses(outcome.output, validation.targets).mean())
    assert after < 0.5 * before
    assert outcome.figures["validation_accuracy"] > 0.9


def test_figures_tell_of_the_run(trained: tuple[DiscriminationLesson, TrainedRadiographNetwork]) -> None:
    lesson, outcome = trained
    figures = outcome.figures
    assert (figures["training_pictures"], figures["training_patients"]) == (48, 12)
    assert (figures["validation_pictures"], figures["validation_patients"]) == (24, 6)
    assert 1 <= figures["best_epoch"] <= figures["epochs"] <= 6
    loss = lesson.losses(outcome.output, toy(24, 1, 6).targets).mean()
    assert figures["validation_loss"] == pytest.approx(float(loss), abs=1e-5)


def test_the_same_run_gives_the_same_weights(trained: tuple[DiscriminationLesson, TrainedRadiographNetwork]) -> None:
    assert_same(weights_of(train()[0]), weights_of(trained[0]))
    other = weights_of(train(SETTINGS.model_copy(update={"seed": 1}))[0])
    assert any(not torch.equal(tensor, other[name]) for name, tensor in weights_of(trained[0]).items())


@pytest.mark.parametrize("moment", [0.3, 0.55])
def test_an_interrupted_run_ends_like_an_uninterrupted_one(
    trained: tuple[DiscriminationLesson, TrainedRadiographNetwork], tmp_path: Path, moment: float
) -> None:
    def interrupt(task: str, fraction: float) -> None:
        if fraction > moment:
            raise Cancelled(task)

    with pytest.raises(Cancelled):
        train(checkpoints=tmp_path, callback=interrupt)
    assert list(tmp_path.glob("checkpoint-*"))
    reached: list[float] = []
    lesson, outcome = train(checkpoints=tmp_path, callback=lambda task, fraction: reached.append(fraction))
    assert reached[0] > moment - 1 / 6 - 0.01, "it goes on from the newest checkpoint"
    assert_same(weights_of(lesson), weights_of(trained[0]))
    assert outcome.figures == trained[1].figures
    assert torch.equal(outcome.output, trained[1].output)


def test_a_finished_run_is_not_trained_again(
    trained: tuple[DiscriminationLesson, TrainedRadiographNetwork], tmp_path: Path
) -> None:
    train(checkpoints=tmp_path)
    reached: list[float] = []
    lesson, outcome = train(checkpoints=tmp_path, callback=lambda task, fraction: reached.append(fraction))
    assert reached in ([], [1.0])
    assert_same(weights_of(lesson), weights_of(trained[0]))
    assert outcome.figures == trained[1].figures


def test_checkpoints_of_another_run_are_refused(tmp_path: Path) -> None:
    short = SETTINGS.model_copy(update={"epochs": 1})
    train(short, checkpoints=tmp_path)
    for other in (
        {"settings": short.model_copy(update={"seed": 1})},
        {"settings": short.model_copy(update={"learning_rate": 0.5})},
        {"settings": short, "training": toy(seed=5)},
        {"settings": short, "validation": toy(24, 5, 6)},
        {"settings": short, "training": toy(patients=11)},
        {"settings": short, "initial_state": DiscriminationLesson(short).model.state()},
    ):
        with pytest.raises(ConfigError, match="checkpoints of a run with other settings or pictures"):
            train(checkpoints=tmp_path, **other)  # type: ignore[arg-type]
    # How often checkpoints are written changes nothing that is learnt.
    train(short.model_copy(update={"checkpoint_epochs": 5}), checkpoints=tmp_path)


def test_a_run_that_gets_no_better_stops_early_with_its_best_weights() -> None:
    watch = Watch()
    settings = SETTINGS.model_copy(update={"epochs": 30, "stop_after": 2, "learning_rate": 0.3})
    lesson, outcome = train(settings, observers=(watch,))
    losses = watch.losses
    best = int(np.argmin(losses)) + 1
    assert len(losses) < 30
    assert (outcome.figures["epochs"], outcome.figures["best_epoch"]) == (len(losses), best)
    assert len(losses) == best + 2
    found = float(lesson.losses(outcome.output, toy(24, 1, 6).targets).mean())
    assert found == pytest.approx(min(losses), rel=1e-5)
    again = outputs_of(lesson, toy(24, 1, 6), find_workplace("cpu"), 8, settings.amp)
    torch.testing.assert_close(again, outcome.output)  # the network holds the weights that are reported


def test_the_learning_rate_is_divided_by_5_when_the_loss_stalls(tmp_path: Path) -> None:
    """At such a rate the loss goes up and down; after two epochs without a lower one the rate falls."""
    watch = Watch()
    settings = SETTINGS.model_copy(update={"epochs": 9, "stop_after": 9, "patience": 2, "learning_rate": 0.5})
    train(settings, checkpoints=tmp_path, observers=(watch,))
    stalls, lowest, divided = 0, math.inf, 0
    for loss in watch.losses:
        stalls, lowest = (0, loss) if loss < lowest * (1 - 1e-4) else (stalls + 1, lowest)
        if stalls == 2:
            stalls, divided = 0, divided + 1
    assert len(watch.losses) == 9
    assert divided >= 1, watch.losses
    newest = CheckpointFolder(tmp_path).load_latest()
    assert newest is not None
    assert newest.optimizer["optimizer"]["param_groups"][0]["lr"] == pytest.approx(0.5 / 5.0**divided)


def test_a_run_begins_with_the_given_weights() -> None:
    given = DiscriminationLesson(SETTINGS.model_copy(update={"seed": 9})).model.state()
    slow = SETTINGS.model_copy(update={"epochs": 1, "learning_rate": 1e-9})
    found = weights_of(train(slow, initial_state=given)[0])
    for name, tensor in given.items():
        if name.endswith("weight"):
            torch.testing.assert_close(found[name], tensor, atol=1e-5, rtol=0)
    other = SETTINGS.model_copy(update={"network": SETTINGS.network.model_copy(update={"widths": (4, 4, 4, 8)})})
    with pytest.raises(ConfigError, match="cxr_discrimination: the initial weights do not fit"):
        train(other, initial_state=given)


@pytest.mark.parametrize("count", [2, 3, 9])
def test_fewer_pictures_than_a_batch_are_learnt_from(count: int) -> None:
    watch = Watch()
    short = SETTINGS.model_copy(update={"epochs": 1})
    train(short, training=toy(count, patients=2), say=watch.say)
    assert f"{count} pictures of 2 patients" in watch.lines[0]
    assert "1 steps an epoch" in watch.lines[0]


def test_rare_classes_are_drawn_more_often_where_they_are_balanced() -> None:
    rare = toy(40)
    rare = rare.only([row for row in range(40) if rare.targets[row] != 2 or row < 3])
    drawn: list[Tensor] = []

    class Counting(DiscriminationLesson):
        def vary(self, pictures: Tensor, targets: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
            drawn.append(targets)
            return super().vary(pictures, targets, generator)

    for balance, expected in ((0.0, 1 / len(rare)), (1.0, 1 / 3)):
        settings = SETTINGS.model_copy(update={"balance": balance, "epochs": 12, "stop_after": 12})
        drawn.clear()
        train_lesson(Counting(settings), rare, toy(6, 1, 3), settings, device="cpu", say=quiet)
        assert float((torch.cat(drawn) == 2).float().mean()) == pytest.approx(expected, abs=0.07)


def test_outputs_do_not_depend_on_the_batch(trained: tuple[DiscriminationLesson, TrainedRadiographNetwork]) -> None:
    found = [outputs_of(trained[0], toy(11, 1), find_workplace("cpu"), batch) for batch in (2, 11)]
    torch.testing.assert_close(*found, atol=1e-5, rtol=1e-5)
    assert found[0].shape == (11, 3)

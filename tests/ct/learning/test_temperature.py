"""Temperatures: an over-sure classifier is cooled, its labels stay, and too few patches are left alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pneumoscreen.ct.classifier import ClassifierModel
from pneumoscreen.ct.learning.classifier import train_classifier
from pneumoscreen.ct.learning.temperature import FEWEST_PATCHES, calibrate

from .test_classifier import SETTINGS, quiet, toy

OVERSURE = 8.0


@pytest.fixture(scope="module")
def model() -> ClassifierModel:
    """M1 cannot tell the two infections apart; its logits are made larger than its knowledge."""
    trained = train_classifier(toy(), SETTINGS.model_copy(update={"epochs": 3}), device="cpu", say=quiet).model
    with torch.no_grad():
        head = trained.network.heads["m1"].classify
        head.weight.mul_(OVERSURE)
        head.bias.mul_(OVERSURE)
    return trained


def test_an_oversure_head_is_cooled_and_figures_tell_it(model: ClassifierModel) -> None:
    unseen = toy(400, seed=5)
    found = calibrate(model, unseen)
    m1 = found.figures["m1"]
    assert found.note == ""
    assert m1["temperature"] > 2.0
    for figure in ("negative_log_likelihood", "expected_calibration_error"):
        assert m1[figure]["after"] < m1[figure]["before"]
    assert m1["expected_calibration_error"]["after"] < 0.1
    assert set(found.figures) == set(found.model.settings.temperatures) == {"m1", "m2"}
    assert found.model.settings.temperatures["m1"] == m1["temperature"]


def test_temperatures_change_no_label_and_no_weight(model: ClassifierModel) -> None:
    found = calibrate(model, toy(200, seed=6)).model
    assert all(torch.equal(tensor, model.state()[name]) for name, tensor in found.state().items())
    logits = torch.randn(50, 3)
    for head in ("m1", "m2"):
        before, after = model.probabilities(logits, head), found.probabilities(logits, head)
        assert torch.equal(before.argmax(dim=1), after.argmax(dim=1))


def test_a_second_fit_starts_from_the_plain_logits(model: ClassifierModel) -> None:
    patches = toy(200, seed=7)
    once = calibrate(model, patches)
    assert calibrate(once.model, patches).figures == once.figures


@pytest.mark.parametrize(
    ("count", "patients"), [(FEWEST_PATCHES - 1, 10), (FEWEST_PATCHES + 50, 1)], ids=["patches", "patients"]
)
def test_too_little_to_fit_on_is_said(model: ClassifierModel, count: int, patients: int) -> None:
    few = toy(count)
    few = replace(few, patients=np.array([f"p{i % patients}" for i in range(count)]))
    found = calibrate(model.with_temperatures({"m1": 3.0}), few)
    assert found.figures == {} and found.model.settings.temperatures == {}
    assert found.note.startswith(f"no temperature was fitted: {count} validation patches of {patients} patient")

"""A temperature for X-ray networks: fitted where there is enough to fit it on."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import softmax

from pneumoscreen.cxr.learning.temperature import FEWEST_PICTURES, fitted_temperature


def drawn(count: int, heat: float) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Logits, and labels drawn from them at a temperature."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (count, 3))
    labels = [rng.choice(3, p=row) for row in softmax(logits / heat, axis=1)]
    return logits, np.array(labels)


@pytest.mark.parametrize("heat", [0.5, 1.0, 3.0])
def test_it_is_the_one_that_the_labels_were_drawn_at(heat: float) -> None:
    logits, labels = drawn(4000, heat)
    notes: list[str] = []
    found = fitted_temperature(logits, labels, [f"p{row}" for row in range(4000)], notes.append)
    assert found == pytest.approx(heat, rel=0.15)
    assert notes == []


def test_two_classes_are_fitted_as_well() -> None:
    rng = np.random.default_rng(0)
    logit = rng.normal(0, 4, 4000)
    labels = (rng.random(4000) < 1 / (1 + np.exp(-logit / 2.0))).astype(np.int64)
    logits = np.stack([np.zeros_like(logit), logit], axis=1)
    found = fitted_temperature(logits, labels, [f"p{row}" for row in range(4000)], lambda line: None)
    assert found == pytest.approx(2.0, rel=0.15)


@pytest.mark.parametrize(("count", "patients"), [(FEWEST_PICTURES - 1, FEWEST_PICTURES - 1), (FEWEST_PICTURES + 10, 1)])
def test_too_few_are_said_to_be_too_few(count: int, patients: int) -> None:
    logits, labels = drawn(count, 3.0)
    notes: list[str] = []
    found = fitted_temperature(logits, labels, [f"p{row % patients}" for row in range(count)], notes.append)
    assert found == 1.0
    (note,) = notes
    assert f"{count} validation pictures of {patients} patient" in note

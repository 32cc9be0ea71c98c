"""Temperature scaling: a known temperature is found again, and only certainty changes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pneumoscreen.metrics.calibration import negative_log_likelihood
from pneumoscreen.metrics.temperature import HIGHEST, LOWEST, apply_temperature, fit_temperature


def drawn(seed: int, count: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated probabilities and labels drawn from them."""
    rng = np.random.default_rng(seed)
    weights = np.exp(rng.normal(0.0, 2.0, (count, 3)))
    probabilities = weights / weights.sum(axis=1, keepdims=True)
    labels = np.minimum((rng.random((count, 1)) > probabilities.cumsum(axis=1)).sum(axis=1), 2)
    return probabilities, labels


@settings(max_examples=20, deadline=None)
@given(st.floats(0.4, 6.0), st.integers(0, 10**6))
def test_a_known_temperature_is_found_again(temperature, seed):
    probabilities, labels = drawn(seed)
    too_sure = apply_temperature(probabilities, 1.0 / temperature)
    assert fit_temperature(too_sure, labels) == pytest.approx(temperature, rel=0.1)


@settings(max_examples=30, deadline=None)
@given(st.floats(LOWEST, HIGHEST), st.integers(0, 10**6))
def test_scaling_keeps_the_likeliest_class_and_is_undone_by_its_inverse(temperature, seed):
    probabilities, _ = drawn(seed, 50)
    scaled = apply_temperature(probabilities, temperature)
    assert scaled.sum(axis=1) == pytest.approx(np.ones(50))
    assert (scaled.argmax(axis=1) == probabilities.argmax(axis=1)).all()
    assert apply_temperature(scaled, 1.0 / temperature) == pytest.approx(probabilities, abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(0, 10**6))
def test_no_other_temperature_within_the_bounds_is_likelier(count, seed):
    probabilities, labels = drawn(seed, count)
    fitted = fit_temperature(probabilities, labels)
    best = negative_log_likelihood(apply_temperature(probabilities, fitted), labels)
    for other in np.geomspace(LOWEST, HIGHEST, 25):
        assert best <= negative_log_likelihood(apply_temperature(probabilities, other), labels) + 1e-6


def test_patches_that_are_all_right_or_all_wrong_end_at_the_bounds():
    probabilities = np.tile([0.7, 0.2, 0.1], (5, 1))
    assert fit_temperature(probabilities, np.zeros(5, dtype=np.int64)) == pytest.approx(LOWEST, rel=1e-3)
    assert fit_temperature(probabilities, np.full(5, 2)) == pytest.approx(HIGHEST, rel=1e-3)
    assert fit_temperature(probabilities, np.full(5, 2), 0.5, 2.0) == pytest.approx(2.0, rel=1e-3)


def test_a_certainty_stays_finite():
    certain = np.array([[1.0, 0.0, 0.0]])
    assert np.isfinite(apply_temperature(certain, 5.0)).all()
    assert np.isfinite(fit_temperature(certain, np.array([1])))


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(ValueError, match="without labelled patches"):
        fit_temperature(np.zeros((0, 3)), np.zeros(0, dtype=np.int64))
    with pytest.raises(ValueError, match="0 < low < high"):
        fit_temperature(np.full((1, 3), 1 / 3), np.array([0]), 2.0, 1.0)
    with pytest.raises(ValueError, match="greater than 0"):
        apply_temperature(np.full((1, 3), 1 / 3), 0.0)

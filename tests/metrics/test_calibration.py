"""Calibration figures against their definitions, and on probabilities that are calibrated by construction."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pneumoscreen.metrics.calibration import Judged, expected_calibration_error, negative_log_likelihood, reliability


def honest(count: int, seed: int, sharpness: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, and labels drawn from them; sharpened afterwards they claim too much."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0.0, 2.0, (count, 3))
    weights = np.exp(logits)
    labels = (rng.random((count, 1)) > np.cumsum(weights / weights.sum(1, keepdims=True), axis=1)).sum(axis=1)
    weights = np.exp(logits * sharpness)
    return weights / weights.sum(axis=1, keepdims=True), np.minimum(labels, 2)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_the_error_of_honest_probabilities_is_near_0_and_that_of_sharpened_ones_is_not(seed):
    assert expected_calibration_error(*honest(4000, seed)) < 0.04
    assert expected_calibration_error(*honest(4000, seed, sharpness=4.0)) > 0.1


def test_figures_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.3, 0.7]])
    labels = np.array([0, 1, 1, 1])
    figures = Judged.of_classes(probabilities, labels).figures(bins=2)
    # All lie in the upper bin: confidence (.9 + .6 + .8 + .7) / 4, three of four right.
    assert figures["confidence"] == pytest.approx(0.75)
    assert figures["accuracy"] == pytest.approx(0.75)
    assert figures["expected_calibration_error"] == pytest.approx(0.0)
    assert figures["negative_log_likelihood"] == pytest.approx(-np.log([0.9, 0.4, 0.8, 0.7]).mean())
    assert figures["brier"] == pytest.approx(2 * np.mean([0.01, 0.36, 0.04, 0.09]))
    assert expected_calibration_error(probabilities, labels, bins=10) == pytest.approx((0.1 + 0.6 + 0.2 + 0.3) / 4)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 60), st.integers(1, 20), st.integers(0, 10**6))
def test_bins_hold_every_item_once_within_their_edges(count, bins, seed):
    probabilities, labels = honest(count, seed)
    found = reliability(probabilities, labels, bins)
    assert len(found) == bins
    assert sum(b.count for b in found) == count
    assert all(b.low - 1e-9 <= b.confidence <= b.high + 1e-9 for b in found if b.count)
    right = sum(b.count * b.accuracy for b in found if b.count)
    assert right == pytest.approx((probabilities.argmax(axis=1) == labels).sum())


def test_an_event_counts_its_own_probability_and_a_certainty_lies_in_the_last_bin():
    judged = Judged.of_events(np.array([0.0, 0.2, 1.0]), np.array([False, True, True]))
    assert [b.count for b in judged.reliability(5)] == [1, 1, 0, 0, 1]
    assert judged.figures()["brier"] == pytest.approx(0.64 / 3)
    assert judged.figures()["negative_log_likelihood"] == pytest.approx(-np.log(0.2) / 3)


def test_a_certain_mistake_costs_much_but_not_everything():
    assert negative_log_likelihood(np.array([[1.0, 0.0]]), np.array([1])) == pytest.approx(-np.log(1e-12))


def test_two_patches_of_every_patient_make_the_interval_as_wide_as_one():
    probabilities, labels = honest(200, 1, 2.0)
    twice, patients = np.repeat(probabilities, 2, axis=0), np.arange(200)
    once = Judged.of_classes(probabilities, labels).intervals(patients)["brier"]
    paired = Judged.of_classes(twice, np.repeat(labels, 2)).intervals(np.repeat(patients, 2))["brier"]
    apart = Judged.of_classes(twice, np.repeat(labels, 2)).intervals(np.arange(400))["brier"]
    assert (paired.low, paired.high) == pytest.approx((once.low, once.high))
    assert apart.high - apart.low < 0.85 * (once.high - once.low)


def test_nothing_has_no_figures_and_what_does_not_fit_is_refused():
    nothing = np.zeros((0, 3)), np.zeros(0, dtype=np.int64)
    assert np.isnan(expected_calibration_error(*nothing))
    assert np.isnan(negative_log_likelihood(*nothing))
    with pytest.raises(ValueError, match="do not fit 2 labels"):
        reliability(np.full((3, 3), 1 / 3), np.zeros(2, dtype=np.int64))
    with pytest.raises(ValueError, match="outside the 3 classes"):
        reliability(np.full((1, 3), 1 / 3), np.array([3]))
    with pytest.raises(ValueError, match="at least one bin"):
        reliability(np.full((1, 3), 1 / 3), np.array([0]), 0)
    with pytest.raises(ValueError, match="do not fit"):
        Judged.of_events(np.zeros(2), np.zeros(3, dtype=bool))

"""How many labels a curve needs: the rule has algebra, and it is tested on that."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pneumoscreen.simulation.curves import labels_to_match, labels_to_reach, rising

VALUES = st.lists(st.floats(0.0, 1.0, allow_subnormal=False), min_size=2, max_size=8).map(np.array)


def _labels(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return 12.0 + 6.0 * np.arange(len(values))


@given(VALUES)
def test_a_curve_made_rising_rises_and_stays_near(values: NDArray[np.float64]) -> None:
    curve = rising(values)
    assert (np.diff(curve) >= 0).all()
    assert curve.mean() == pytest.approx(values.mean())
    assert rising(curve) == pytest.approx(curve)
    ordered = np.sort(values)
    assert rising(ordered) == pytest.approx(ordered)


@given(VALUES, st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_a_higher_target_never_needs_fewer_labels(values: NDArray[np.float64], one: float, other: float) -> None:
    low, high = sorted((one, other))
    labels = _labels(values)
    assert labels_to_reach(labels, values, low) <= labels_to_reach(labels, values, high)


@given(VALUES, st.floats(0.0, 1.0), st.floats(0.0, 0.5))
def test_a_better_curve_never_needs_more_labels(values: NDArray[np.float64], target: float, better: float) -> None:
    labels = _labels(values)
    assert labels_to_reach(labels, values + better, target + 1e-9) <= labels_to_reach(labels, values, target + 1e-9)


@given(VALUES, st.floats(-0.5, 1.5))
def test_it_lies_within_the_labels_or_is_never(values: NDArray[np.float64], target: float) -> None:
    labels, highest = _labels(values), rising(values)[-1]
    found = labels_to_reach(labels, values, target)
    assert math.isinf(found) == (highest < target - 1e-12)
    assert math.isinf(found) or labels[0] <= found <= labels[-1]


@given(VALUES)
def test_a_curve_reaches_its_own_end(values: NDArray[np.float64]) -> None:
    labels = _labels(values)
    assert labels_to_reach(labels, values, float(rising(values)[-1])) <= labels[-1]


def test_straight_lines_lie_between_the_points() -> None:
    labels, values = np.array([12.0, 18.0, 24.0]), np.array([0.6, 0.7, 0.9])
    assert labels_to_reach(labels, values, 0.65) == pytest.approx(15.0)
    assert labels_to_reach(labels, values, 0.75) == pytest.approx(19.5)
    assert labels_to_reach(labels, values, 0.5) == 12.0
    assert labels_to_reach(labels, values, 0.95) == math.inf


def test_a_lucky_round_does_not_count_as_having_arrived() -> None:
    labels, values = 12.0 + 6.0 * np.arange(5), np.array([0.5, 0.9, 0.6, 0.6, 0.95])
    assert labels_to_reach(labels, values, 0.85) > 30.0


def test_a_strategy_that_is_two_rounds_ahead_needs_that_much_less() -> None:
    labels = 12.0 + 6.0 * np.arange(6)
    baseline = np.array([[0.5, 0.6, 0.7, 0.75, 0.8, 0.85], [0.5, 0.58, 0.68, 0.77, 0.8, 0.85]])
    ahead = np.hstack([baseline[:, :1], baseline[:, 3:], np.full((2, 2), 0.9)])
    found = labels_to_match(labels, ahead, baseline)
    assert (found.estimate, found.low, found.high) == pytest.approx((30.0, 30.0, 30.0))
    same = labels_to_match(labels, baseline, baseline)
    assert (same.estimate, same.low, same.high) == (42.0, 42.0, 42.0)


def test_never_is_infinite_also_in_the_interval() -> None:
    labels = np.array([12.0, 18.0, 24.0])
    baseline = np.array([[0.5, 0.6, 0.9], [0.5, 0.7, 0.8]])
    worse = np.array([[0.5, 0.5, 0.5], [0.5, 0.8, 0.85]])
    found = labels_to_match(labels, worse, baseline)
    assert math.isinf(found.estimate)
    assert math.isinf(found.high)
    assert found.low < 24.0


def test_one_seed_has_no_interval() -> None:
    labels, values = np.array([12.0, 18.0]), np.array([[0.5, 0.7]])
    found = labels_to_match(labels, values, values)
    assert found.estimate == 18.0
    assert math.isnan(found.low)
    assert math.isnan(found.high)

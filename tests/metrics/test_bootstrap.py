"""Intervals over cases."""

import math

import numpy as np
import pytest

from pneumoscreen.metrics.bootstrap import Interval, cluster_bootstrap


def mean_of_patches(cases):
    return float(np.mean(np.concatenate(cases)))


def test_the_interval_of_a_mean_has_the_width_that_theory_gives():
    values = np.random.default_rng(3).normal(5.0, 2.0, 200)
    interval = cluster_bootstrap(list(values), lambda cases: float(np.mean(cases)))
    half = 1.96 * values.std() / math.sqrt(len(values))
    assert interval.estimate == pytest.approx(values.mean())
    assert interval.low == pytest.approx(values.mean() - half, abs=0.15 * half)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.15 * half)


def test_patches_of_one_case_do_not_narrow_the_interval():
    truth = np.random.default_rng(5).random(40)
    one = cluster_bootstrap([np.array([t]) for t in truth], mean_of_patches)
    thirty = cluster_bootstrap([np.full(30, t) for t in truth], mean_of_patches)
    assert (thirty.low, thirty.high) == pytest.approx((one.low, one.high))


def test_the_same_seed_gives_the_same_interval():
    cases = [0.0, 1.0, 1.0, 0.0, 1.0]
    first, again, other = (cluster_bootstrap(cases, np.mean, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.estimate == other.estimate


def test_draws_without_a_figure_are_left_out():
    interval = cluster_bootstrap([1, 0, 0], lambda cases: 1.0 if sum(cases) else float("nan"))
    assert (interval.low, interval.high) == (1.0, 1.0)
    nothing = cluster_bootstrap([0], lambda cases: float("nan"))
    assert math.isnan(nothing.low)
    assert math.isnan(nothing.high)


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((0.5, 0.25, 0.75), "0.500 [0.250, 0.750]"),
        ((0.5, np.nan, np.nan), "0.500 (no interval)"),
        ((np.nan, np.nan, np.nan), "not defined"),
    ],
)
def test_a_reader_sees_no_nan(numbers: tuple[float, float, float], text: str):
    assert str(Interval(*numbers)) == text


def test_no_case_and_no_level_are_refused():
    with pytest.raises(ValueError, match="at least one case"):
        cluster_bootstrap([], np.mean)
    with pytest.raises(ValueError, match="level"):
        cluster_bootstrap([1.0], np.mean, level=1.0)

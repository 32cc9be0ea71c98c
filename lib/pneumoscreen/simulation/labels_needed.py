"""How many labels a learning curve needs to reach a value, and how sure that is."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from ..metrics.bootstrap import LEVEL, Interval, cluster_weights


def rising(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rising curve nearest to a measured one [n].

    Ours: more labels do not make a classifier worse in truth, and without this the first lucky round would count as
    having arrived, for good.
    """
    return np.asarray(isotonic_regression(values).x, dtype=np.float64)


def labels_to_reach(labels: NDArray[np.float64], values: NDArray[np.float64], target: float) -> float:
    """Labels from which on a curve, made rising, is at the target; infinite where it never is.

    Args:
        labels: [n], ascending.
        values: [n], higher is better; straight lines are drawn between them.
        target: the value to reach.
    """
    curve = rising(values)
    # Without a tolerance the end of a curve might miss itself by a rounding error.
    there = np.flatnonzero(curve >= target - 1e-12)
    if not there.size:
        return math.inf
    place = int(there[0])
    if place == 0:
        return float(labels[0])
    low, high = curve[place - 1], curve[place]
    share = min(max((target - low) / (high - low), 0.0), 1.0)
    return float(labels[place - 1] + share * (labels[place] - labels[place - 1]))


def labels_to_match(
    labels: NDArray[np.float64], values: NDArray[np.float64], baseline: NDArray[np.float64], level: float = LEVEL
) -> Interval:
    """Labels with which the mean of some runs reaches what the mean of the baseline's runs has at the end.

    The interval is that of a bootstrap over seeds, each drawn with its run and the baseline's together. Infinite
    means that the curve did not get there within its labels.

    Args:
        labels: [n], ascending.
        values: [seeds, n], higher is better.
        baseline: [seeds, n], of the same seeds.
        level: share of the draws that the interval holds.
    """

    def reached(weights: NDArray[np.float64]) -> float:
        target = float(rising(weights @ baseline)[-1])
        return labels_to_reach(labels, weights @ values, target)

    seeds = len(values)
    estimate = reached(np.full(seeds, 1.0 / seeds))
    if seeds == 1:
        return Interval(estimate, math.nan, math.nan)
    drawn = [reached(weights / seeds) for weights in cluster_weights(seeds)]
    # Infinity has no middle: the bounds are values that were drawn.
    low, high = np.quantile(drawn, [(1.0 - level) / 2, (1.0 + level) / 2], method="inverted_cdf")
    return Interval(estimate, float(low), float(high))

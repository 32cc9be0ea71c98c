"""Confidence intervals that respect that the patches and regions of one patient are not independent."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

CaseT = TypeVar("CaseT")

RESAMPLES = 2000
LEVEL = 0.95
SEED = 20200221


@dataclass(frozen=True)
class Interval:
    """An estimate and its percentile interval."""

    estimate: float
    low: float
    high: float

    def __str__(self) -> str:
        if np.isnan(self.estimate):
            return "not defined"
        if np.isnan(self.low):
            return f"{self.estimate:.3f} (no interval)"
        return f"{self.estimate:.3f} [{self.low:.3f}, {self.high:.3f}]"

    def to_dict(self) -> dict[str, float | None]:
        """The three numbers as JSON takes them; NaN as null."""
        return {name: None if np.isnan(value) else value for name, value in vars(self).items()}

    def rounded(self) -> dict[str, float | None]:
        """The same with four decimals, as a card tells them."""
        return {name: None if value is None else round(value, 4) for name, value in self.to_dict().items()}


def ratio(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    """``part / whole``, of the shape of ``part``; NaN where there is nothing in the whole."""
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)


def cluster_bootstrap(
    cases: Sequence[CaseT],
    statistic: Callable[[Sequence[CaseT]], float],
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = SEED,
) -> Interval:
    """Percentile bootstrap that draws whole cases with replacement.

    Ours: the paper gives no intervals. Cases, not patches, are drawn, because the patches of a case
    share its patient, its scanner and its diagnosis.

    Args:
        cases: what is known of each case, in any form that ``statistic`` takes.
        statistic: a figure of a list of cases; draws for which it is NaN are left out.
        resamples: number of draws.
        level: share of the draws that the interval holds.
        seed: the same seed gives the same interval.

    Raises:
        ValueError: if there is no case, or the level does not lie between 0 and 1.
    """
    if not cases:
        raise ValueError("a confidence interval needs at least one case")
    if not 0.0 < level < 1.0:
        raise ValueError(f"the level of an interval must lie between 0 and 1, got {level}")
    generator = np.random.default_rng(seed)
    draws = generator.integers(0, len(cases), size=(resamples, len(cases)))
    values = np.array([statistic([cases[i] for i in draw]) for draw in draws], dtype=np.float64)
    return percentile_interval(float(statistic(cases)), values, level)


def cluster_weights(clusters: int, resamples: int = RESAMPLES, seed: int = SEED) -> NDArray[np.int64]:
    """How often each cluster is in each of the draws of ``cluster_bootstrap``: [resamples, clusters], rows sum to n.

    Raises:
        ValueError: if there is no cluster.
    """
    if clusters < 1:
        raise ValueError("a confidence interval needs at least one case")
    draws = np.random.default_rng(seed).integers(0, clusters, size=(resamples, clusters))
    return np.stack([np.bincount(draw, minlength=clusters) for draw in draws])


def bootstrap_of_sums(
    sums: NDArray[np.number[Any]],
    figures: Callable[[NDArray[Any]], NDArray[np.float64]],
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = SEED,
) -> list[Interval]:
    """The intervals of ``cluster_bootstrap`` for figures that follow from sums over the clusters.

    Counts of confusion, of hits, of bins of confidence are such sums: all draws of all figures are then one product
    of matrices.

    Args:
        sums: [clusters, ...], what each patient adds.
        figures: k figures [draws, k] of total sums [draws, ...]; NaN where a figure is not defined. The interval of
            a figure is NaN where there is one patient only.
        resamples: number of draws.
        level: share of the draws that an interval holds.
        seed: the same seed gives the same draws as everywhere else.

    Raises:
        ValueError: if there is no cluster.
    """
    weights = cluster_weights(len(sums), resamples, seed).astype(np.float64)
    drawn = figures((weights @ sums.reshape(len(sums), -1)).reshape(-1, *sums.shape[1:]))
    estimates = figures(sums.sum(axis=0, keepdims=True))[0]
    if len(sums) == 1:
        # One patient drawn again and again is always the same: that is no certainty.
        drawn = np.full_like(drawn, np.nan)
    return [percentile_interval(float(value), drawn[:, i], level) for i, value in enumerate(estimates)]


def percentile_interval(estimate: float, values: NDArray[np.float64], level: float = LEVEL) -> Interval:
    """The interval that holds a share of the draws' values; NaN values are left out."""
    values = values[~np.isnan(values)]
    if not values.size:
        return Interval(estimate, float("nan"), float("nan"))
    low, high = np.quantile(values, [(1.0 - level) / 2, (1.0 + level) / 2])
    return Interval(estimate, float(low), float(high))

"""Confidence intervals that respect that the patches and regions of one patient are not independent."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

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
        return f"{self.estimate:.3f} [{self.low:.3f}, {self.high:.3f}]"


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
    values = values[~np.isnan(values)]
    estimate = float(statistic(cases))
    if not values.size:
        return Interval(estimate, float("nan"), float("nan"))
    low, high = np.quantile(values, [(1.0 - level) / 2, (1.0 + level) / 2])
    return Interval(estimate, float(low), float(high))

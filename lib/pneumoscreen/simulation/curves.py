"""Learning curves of a simulation: what each number of labels was worth, and how many reach a value, with intervals."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import isotonic_regression

from ..metrics.bootstrap import LEVEL, Interval, cluster_weights
from .ledger import Ledger, Turn
from .settings import Plan
from .subject import Subject

BASELINE = "random"


@dataclass(frozen=True)
class Reached:
    """With how many labels a strategy has what random choice has at the end.

    Attributes:
        labels: start cases included; infinite where it does not get there.
        share_of_all: of random's labels, start cases included.
        share_of_new: of those that random chose.
    """

    labels: Interval
    share_of_all: Interval
    share_of_new: Interval


@dataclass(frozen=True)
class Curves:
    """The figures of every strategy.

    Attributes:
        subject: of the simulation: its figures.
        plan: of the simulation.
        first_seed: of its runs.
        values: by strategy and figure float64 [seeds, rounds + 1].
        labelled: by strategy and seed the cases in the order of their labels.
    """

    subject: type[Subject]
    plan: Plan
    first_seed: int
    values: dict[str, dict[str, NDArray[np.float64]]]
    labelled: dict[str, dict[int, tuple[str, ...]]]

    @classmethod
    def of(cls, ledger: Ledger, plan: Plan, subject: Subject) -> "Curves":
        """The curves of a simulation that is done."""
        first = subject.settings.first_seed
        seeds = plan.seeds_from(first)
        values: dict[str, dict[str, NDArray[np.float64]]] = {}
        labelled: dict[str, dict[int, tuple[str, ...]]] = {}
        for name in plan.strategies:
            rows = [
                [ledger.record(turn) for turn in (Turn.start(s), *(Turn(s, name, n + 1) for n in range(plan.rounds)))]
                for s in seeds
            ]
            values[name] = {f: np.array([[r.figures[f] for r in row] for row in rows]) for f in subject.figures}
            labelled[name] = {seed: row[-1].labelled for seed, row in zip(seeds, rows, strict=True)}
        return cls(type(subject), plan, first, values, labelled)

    def mean(self, strategy: str, figure: str) -> list[Interval]:
        """Mean over the seeds after each round."""
        return [mean_interval(column) for column in self.values[strategy][figure].T]

    def gain(self, strategy: str, figure: str) -> Interval:
        """What the last round has over the start, seed by seed; above 0 is better."""
        values = self._better_up(strategy, figure)
        return mean_interval(values[:, -1] - values[:, 0])

    def lead(self, strategy: str, figure: str) -> Interval | None:
        """Mean over all rounds of what a strategy has over random choice, seed by seed; above 0 is better."""
        if BASELINE not in self.values or strategy == BASELINE:
            return None
        difference = self._better_up(strategy, figure) - self._better_up(BASELINE, figure)
        return mean_interval(difference[:, 1:].mean(axis=1))

    def reached(self, strategy: str, figure: str) -> Reached | None:
        """How soon a strategy has what random choice has at the end; None where random choice was not simulated."""
        return self._reached[strategy, figure] if BASELINE in self.values else None

    @cached_property
    def _reached(self) -> dict[tuple[str, str], Reached]:
        labels = np.array(self.plan.labels, dtype=np.float64)
        first, last = float(labels[0]), float(labels[-1])
        found = {}
        for name in self.values:
            for figure in self.subject.figures:
                needed = labels_to_match(labels, self._better_up(name, figure), self._better_up(BASELINE, figure))
                found[name, figure] = Reached(needed, _scaled(needed, 0.0, last), _scaled(needed, first, last))
        return found

    def to_dict(self) -> dict[str, Any]:
        """All figures as plain JSON values; null where a value is not reached or not defined."""
        return {
            "labels": self.plan.labels,
            "seeds": list(self.plan.seeds_from(self.first_seed)),
            "interval": f"{LEVEL:.0%}; of means by Student's t over seeds, of labels by bootstrap over seeds",
            "strategies": {
                name: {
                    **{figure: self._figure(name, figure) for figure in self.subject.figures},
                    "labelled": {str(seed): list(cases) for seed, cases in self.labelled[name].items()},
                }
                for name in self.values
            },
        }

    def _figure(self, name: str, figure: str) -> dict[str, Any]:
        lead, reached = self.lead(name, figure), self.reached(name, figure)
        return {
            "mean": [_plain(value) for value in self.mean(name, figure)],
            "seeds": self.values[name][figure].tolist(),
            "gain": _plain(self.gain(name, figure)),
            "lead_over_random": _plain(lead) if lead else None,
            "to_reach_random": {key: _plain(value) for key, value in vars(reached).items()} if reached else None,
        }

    def _better_up(self, strategy: str, figure: str) -> NDArray[np.float64]:
        values = self.values[strategy][figure]
        return -values if figure in self.subject.lower_is_better else values


def mean_interval(values: NDArray[np.float64], level: float = LEVEL) -> Interval:
    """Mean of independent runs [n] with Student's interval, which a bootstrap of five values would make too short."""
    mean, n = float(np.mean(values)), len(values)
    if n < 2:
        return Interval(mean, math.nan, math.nan)
    half = float(stats.t.ppf((1.0 + level) / 2, n - 1) * np.std(values, ddof=1) / math.sqrt(n))
    return Interval(mean, mean - half, mean + half)


def _scaled(interval: Interval, first: float, last: float) -> Interval:
    return Interval(*((value - first) / (last - first) for value in vars(interval).values()))


def _plain(interval: Interval) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in vars(interval).items()}


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

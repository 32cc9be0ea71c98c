"""How a trained network compares with the one in use, on the same validation patients.

Ours throughout: the papers do not say when a retrained network takes the place of the old one. A figure of the new
one less that of the old one, over the same draws of whole patients, gives the interval that decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..metrics.bootstrap import Interval, bootstrap_of_sums


@dataclass(frozen=True)
class Comparison:
    """A figure of a new network, of the one in use, and of both over the same draws of patients.

    Attributes:
        metric: what is compared, in words; higher is better.
        patients: over how many.
        candidate: the new network's figure.
        current: that of the one in use; None where there is none.
        difference: the first less the second; None where there is none in use.
        also: further figures that do not decide, by name: of the new network and of the one in use.
    """

    metric: str
    patients: int
    candidate: Interval
    current: Interval | None = None
    difference: Interval | None = None
    also: dict[str, tuple[float | None, float | None]] = field(default_factory=dict)

    @property
    def is_defined(self) -> bool:
        """Whether the patients had anything in them to compare on."""
        return self.difference is None or not np.isnan(self.difference.estimate)

    @property
    def is_worse(self) -> bool:
        """Whether the new network is worse beyond the interval of the difference.

        One patient gives no interval; then the difference itself decides.
        """
        if self.difference is None:
            return False
        high = self.difference.high
        return bool((self.difference.estimate if np.isnan(high) else high) < 0.0)


def compare_scores(
    metric: str, patients: Sequence[str], candidate: NDArray[np.float64], current: NDArray[np.float64] | None
) -> Comparison:
    """Compare the mean scores of two networks over the same draws of patients.

    Args:
        metric: what the scores are, in words.
        patients: of each picture.
        candidate: scores [n] of the new network.
        current: those of the one in use; None where there is none.
    """
    names, owner = np.unique(np.asarray(patients), return_inverse=True)
    columns = [np.ones(len(candidate)), candidate, *([] if current is None else [current])]
    sums = np.zeros((len(names), len(columns)))
    np.add.at(sums, owner, np.stack(columns, axis=1))

    def figures(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        means = drawn[:, 1:] / drawn[:, :1]
        return means if current is None else np.column_stack([means, means[:, 0] - means[:, 1]])

    intervals = bootstrap_of_sums(sums, figures)
    before, difference = intervals[1:] if current is not None else (None, None)
    return Comparison(metric, len(names), intervals[0], before, difference)

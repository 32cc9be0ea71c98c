"""How a trained network of the X-ray method compares with the one in use, on the same validation patients (ours)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..evaluation.bootstrap import bootstrap_of_sums
from .comparison import Comparison


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

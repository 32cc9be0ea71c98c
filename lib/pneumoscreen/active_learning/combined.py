"""The default strategy: cases of which the networks are unsure and that are unlike those already read.

Ours. A case's worth is the mean of its ranks by uncertainty and by epistemic doubt (ranks, because the two have
different scales and change with every training), multiplied by its distance to the nearest case that is read, given
out or chosen. The product, and not a sum, because a near-duplicate of a chosen case must be worth next to nothing
however unsure the networks are of it: until they are trained again they are just as unsure of it as of its twin.
Choosing is greedy, so that n cases asked for at once are the n that would have come one by one.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from .diversity import distances


def combined(
    uncertainty: NDArray[np.float64],
    epistemic: NDArray[np.float64],
    embeddings: NDArray[np.float32],
    read: NDArray[np.float32],
    count: int,
) -> list[int]:
    """Indices of the chosen cases, the most wanted first.

    Args:
        uncertainty: [n].
        epistemic: [n].
        embeddings: [n, d].
        read: [m, d], embeddings of the cases already read or given out.
        count: how many to choose, at most n.
    """
    left = np.arange(len(uncertainty))
    nearest = distances(embeddings, read)
    chosen: list[int] = []
    while len(chosen) < count:
        best = int(np.argmax(_worth(uncertainty[left], epistemic[left], nearest[left])))
        pick = int(left[best])
        chosen.append(pick)
        left = np.delete(left, best)
        if len(chosen) < count:
            nearest = np.minimum(nearest, distances(embeddings, embeddings[pick : pick + 1]))
    return chosen


def _worth(
    uncertainty: NDArray[np.float64], epistemic: NDArray[np.float64], nearest: NDArray[np.float64]
) -> NDArray[np.float64]:
    rank = (rankdata(uncertainty) + rankdata(epistemic)) / (2 * len(uncertainty))
    return rank * np.where(np.isfinite(nearest), nearest, 1.0)

"""How unsure the weights themselves are of a case: Monte-Carlo dropout and the mutual information (BALD).

Gal and Ghahramani 2016; Houlsby et al. 2011. Where a patch is plainly between two types, every draw says so: its
entropy is high and nothing more is learnt from it. Where the draws contradict each other, a label would decide
between them. Ours: how the patches of a case become one figure.
"""

import numpy as np
from numpy.typing import NDArray

from .uncertainty import LEAST_SURE_PATCHES, entropies, mean_of_highest

DRAWS = 20
"""Ours: of dropout. The heads are small and the convolutions run once, so that draws cost next to nothing."""


def mutual_information(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Entropy of the mean minus mean of the entropies, as a share of the greatest possible, 0 to 1, for each patch.

    Args:
        samples: [draws, n, classes]; without draws nothing is known and the answer is 0.
    """
    if not len(samples):
        return np.zeros(samples.shape[1])
    return np.clip(entropies(samples.mean(axis=0)) - entropies(samples).mean(axis=0), 0.0, 1.0)


def epistemic(samples: NDArray[np.float64]) -> float:
    """Mean mutual information of the patches of a case on which the draws contradict each other most.

    Args:
        samples: [draws, n, classes] of the patches of one case.
    """
    return mean_of_highest(mutual_information(samples).tolist(), LEAST_SURE_PATCHES)

"""Temperature scaling (Guo et al. 2017): one number a classifier that makes it as sure as it is right.

Ours: the paper does not calibrate. Noisy-OR multiplies over-confidence, so the temperature is fitted on the patches
of the validation patients and stored with the weights. It changes no patch's label, only how sure it is.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

LOWEST = 0.25
HIGHEST = 10.0
"""Ours: bounds that few patches, or patches that are all right, cannot push the temperature past."""


def fit_temperature(
    probabilities: NDArray[np.float64], labels: NDArray[np.int64], low: float = LOWEST, high: float = HIGHEST
) -> float:
    """The temperature in [low, high] under which the labels are likeliest.

    Args:
        probabilities: float64 [n, classes] at temperature 1; their logarithms serve as logits, since a softmax
            forgets only what is the same in every class.
        labels: int64 [n], the true column of each row.
        low: smallest temperature; below 1 it makes surer.
        high: largest temperature.

    Raises:
        ValueError: if there is no item or the bounds are not 0 < low < high.
    """
    if not len(labels):
        raise ValueError("a temperature cannot be fitted without labelled patches")
    if not 0.0 < low < high:
        raise ValueError(f"the bounds of a temperature must be 0 < low < high, got {low} and {high}")
    logits = _logits(probabilities)
    rows = np.arange(len(labels))

    def loss(log_temperature: float) -> float:
        return float(-log_softmax(logits / np.exp(log_temperature), axis=1)[rows, labels].mean())

    # The likelihood is concave in 1/T, so that the search along log T finds its one summit.
    found = minimize_scalar(loss, bounds=(np.log(low), np.log(high)), method="bounded", options={"xatol": 1e-6})
    return float(np.clip(np.exp(found.x), low, high))


def apply_temperature(probabilities: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """The probabilities [n, classes] that the same logits give under another temperature; rows sum to 1.

    Raises:
        ValueError: if the temperature is not greater than 0.
    """
    if not temperature > 0.0:
        raise ValueError(f"a temperature must be greater than 0, got {temperature}")
    return np.asarray(np.exp(log_softmax(_logits(probabilities) / temperature, axis=1)))


def _logits(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.log(np.maximum(probabilities, np.finfo(np.float64).tiny)))


FEWEST_PATIENTS = 2
"""Ours: below either nothing is fitted: one patient's scanner would set the confidence of all cases."""

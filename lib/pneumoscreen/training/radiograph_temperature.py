"""How sure a network of the X-ray method may be: a temperature fitted on the validation patients (ours)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from ..evaluation.temperature import fit_temperature
from .recipes import Say
from .temperature import FEWEST_PATIENTS

FEWEST_PICTURES = 30
"""Ours: below this many nothing is fitted."""


def fitted_temperature(
    logits: NDArray[np.float64], labels: NDArray[np.int64], patients: Sequence[str], note: Say
) -> float:
    """The temperature under which the labels [n] of logits [n, classes] are likeliest; 1 where there are too few."""
    count = len(set(patients))
    if len(labels) < FEWEST_PICTURES or count < FEWEST_PATIENTS:
        note(
            f"no temperature was fitted: {len(labels)} validation pictures of {count} "
            f"patient{'s' if count != 1 else ''} are too few ({FEWEST_PICTURES} of {FEWEST_PATIENTS} are needed)"
        )
        return 1.0
    return round(fit_temperature(softmax(logits, axis=1), labels), 4)

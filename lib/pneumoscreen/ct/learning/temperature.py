"""Temperatures of a trained classifier: how sure it may be, fitted on the validation patches.

Ours: the paper does not calibrate. The Noisy-OR of a case multiplies the over-confidence of its patches, so each head
gets the temperature under which the labels of the validation patches are likeliest.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...metrics.calibration import expected_calibration_error, negative_log_likelihood
from ...metrics.temperature import FEWEST_PATIENTS, apply_temperature, fit_temperature
from ..classifier import ClassifierModel, Head
from .classifier_data import PatchSet, logits_of

FEWEST_PATCHES = 100


@dataclass(frozen=True)
class Calibrated:
    """A classifier with its temperatures.

    Attributes:
        model: the same weights.
        figures: for the card: by head the temperature and both figures at 1 and at the temperature, on the very
            patches that it was fitted on; empty where nothing was fitted.
        note: why nothing was fitted; empty where something was.
    """

    model: ClassifierModel
    figures: dict[str, Any]
    note: str = ""


def calibrate(model: ClassifierModel, validation: PatchSet) -> Calibrated:
    """Fit a temperature for each head."""
    patients = len(np.unique(validation.patients))
    if len(validation) < FEWEST_PATCHES or patients < FEWEST_PATIENTS:
        note = (
            f"no temperature was fitted: {len(validation)} validation patches of {patients} "
            f"patient{'s' if patients != 1 else ''} are too few ({FEWEST_PATCHES} of {FEWEST_PATIENTS} are needed)"
        )
        return Calibrated(model.with_temperatures({}), {}, note)
    temperatures: dict[Head, float] = {}
    figures: dict[str, Any] = {}
    for head, plain in _probabilities(model.with_temperatures({}), validation).items():
        temperatures[head] = round(fit_temperature(plain, validation.labels), 4)
        scaled = apply_temperature(plain, temperatures[head])
        figures[head] = {
            "temperature": temperatures[head],
            "expected_calibration_error": _before_and_after(expected_calibration_error, plain, scaled, validation),
            "negative_log_likelihood": _before_and_after(negative_log_likelihood, plain, scaled, validation),
        }
    return Calibrated(model.with_temperatures(temperatures), figures)


def _before_and_after(
    figure: Callable[[NDArray[np.float64], NDArray[np.int64]], float],
    plain: NDArray[np.float64],
    scaled: NDArray[np.float64],
    patches: PatchSet,
) -> dict[str, float]:
    return {"before": round(figure(plain, patches.labels), 4), "after": round(figure(scaled, patches.labels), 4)}


def _probabilities(model: ClassifierModel, patches: PatchSet) -> dict[Head, NDArray[np.float64]]:
    """Probabilities [n, classes] of each head."""
    found: dict[Head, list[NDArray[np.float64]]] = {head: [] for head in model.settings.heads}
    for _, logits in logits_of(model.network, model.device, patches):
        for head in found:
            found[head].append(model.probabilities(logits[head], head).numpy())
    return {head: np.concatenate(parts) for head, parts in found.items()}

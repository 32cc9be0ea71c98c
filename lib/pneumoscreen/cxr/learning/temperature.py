"""How sure a network of the X-ray method may be: a temperature fitted on the validation patients (ours)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from torch import Tensor

from ...metrics.temperature import FEWEST_PATIENTS, fit_temperature
from ...models.network import NetworkModel
from ...report.wording import plural
from ...training.recipes import Say
from ..localization import OpacityCalibration
from .data import PictureSet

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


def calibrated(
    model: NetworkModel[Any, Any], output: Tensor, validation: PictureSet, note: Say
) -> NetworkModel[Any, Any]:
    """The trained network with the temperature under which the validation labels are likeliest.

    Args:
        model: the network; one that has no temperature (the lung boxes) comes back as it is.
        output: its logits on the validation pictures: [n, classes], or [n] of yes against no.
        validation: the pictures with their labels and patients.
        note: takes a sentence where nothing was fitted.
    """
    if "temperature" not in type(model.settings).model_fields:
        return model
    logits = output.double().numpy()
    if logits.ndim == 1:
        logits = np.stack([np.zeros_like(logits), logits], axis=1)
    fitted = fitted_temperature(logits, validation.targets.long().numpy(), validation.patients, note)
    settings = model.settings.model_copy(update={"temperature": fitted})
    if getattr(settings, "opacity", None) is not None:
        # What goes on from weights with a calibration keeps one: of the new logits, which are log odds by their loss.
        people = plural(len(set(validation.patients)), "validation patient")
        told = f"{plural(len(validation), 'lung')} of {people}"
        opacity = OpacityCalibration(intercept=0.0, slope=1.0 / fitted, calibrated_on=told)
        settings = settings.model_copy(update={"opacity": opacity, "temperature": 1.0})
    scaled = type(model).untrained(settings, device=model.device)
    scaled.network.load_state_dict(model.network.state_dict())
    return scaled

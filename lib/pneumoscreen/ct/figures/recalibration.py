"""Temperatures and the probability of an infection for a published classifier, fitted on the validation patients."""

from collections.abc import Mapping
from typing import Any

from ...errors import PneumoScreenError
from ...evidence import Calibration
from ...metrics.infection_calibration import fit_calibration
from ...metrics.temperature import fit_temperature
from ...models.store import ModelStore, Weights
from ..classifier import MODEL_NAME, ClassifierModel
from .cohort import CohortResult

SAME = 0.005
"""Ours: temperatures nearer than this are the same one; a version that changes nothing is not worth its number."""


def fit_heads(validation: CohortResult) -> dict[str, float]:
    """The temperature of each classifier, from the patches of validation cases.

    Raises:
        PneumoScreenError: if the cases have no patches.
    """
    found: dict[str, float] = {}
    for head in validation.heads:
        items = validation.under({head: 1.0}).patch_items(head)
        if not len(items.labels):
            raise PneumoScreenError("no candidate region of the validation cases has patches; add validation cases")
        found[head] = round(fit_temperature(items.probabilities, items.labels), 4)
    return found


def publish_temperatures(
    store: ModelStore,
    weights: Weights,
    temperatures: Mapping[str, float],
    validation: CohortResult,
    command: str,
    split: Mapping[str, float] | None = None,
) -> int | None:
    """Store the same weights under new temperatures as the newest version.

    Args:
        store: of the models.
        weights: the version that was calibrated.
        temperatures: of each of its classifiers.
        validation: what they were fitted on.
        command: for the card.
        split: shares of the studies folder, for the card.

    Returns:
        The version, or None where the weights have these temperatures already.

    Raises:
        ModelError: if it cannot be published.
    """
    model = ClassifierModel.load(weights)
    fitted = {head: temperatures[head] for head in model.settings.heads}
    if all(abs(model.settings.temperatures.get(head, 1.0) - value) < SAME for head, value in fitted.items()):
        return None
    patches = sum(len(outcome.true_patches) for outcome in validation.outcomes)
    note: dict[str, Any] = {
        "from_version": weights.version,
        "temperatures": fitted,
        "validation_patients": len({outcome.patient for outcome in validation.outcomes}),
        "validation_cases": len(validation.outcomes),
        "validation_patches": patches,
        "command": command,
        **({"split": dict(split)} if split else {}),
    }
    calibrated = model.with_temperatures(fitted)
    infection = fit_infection(validation.under(temperatures))
    if infection is not None:
        calibrated = calibrated.with_calibration(infection)
    card = {**weights.card, "network": calibrated.card_network(), "calibration": note}
    return store.publish(MODEL_NAME, weights.state, card)


def fit_infection(validation: CohortResult) -> Calibration | None:
    """How evidence becomes the probability of an infection on validation cases; None where all are of one kind."""
    evidence = [outcome.heads[validation.head].evidence for outcome in validation.outcomes]
    infected = [outcome.diagnosis != validation.classes.none_found for outcome in validation.outcomes]
    if all(infected) or not any(infected):
        return None
    return fit_calibration(evidence, infected, f"{len(evidence)} validation cases, {sum(infected)} with an infection")

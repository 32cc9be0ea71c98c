"""The probability that a scan shows an infection at all, fitted on the evidence of cases of known truth (ours)."""

from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression

from ..errors import PneumoScreenError
from ..evidence import Calibration
from .calibration import Judged

PENALTY = 1.0
"""Ours: ridge on the slope. On cases that evidence tells apart without fault the slope would have no bound, and a
little more noise in the scan would move the probability from one end to the other."""


def fit_calibration(evidence: Sequence[float], infected: Sequence[bool], calibrated_on: str) -> Calibration:
    """Logistic regression of the truth on the evidence, both kinds of case weighing the same.

    Args:
        evidence: of each case, as ``evidence.case_evidence`` gives it.
        infected: whether it shows an infection.
        calibrated_on: the cases in words, for every document.

    Raises:
        PneumoScreenError: if all cases are of one kind.
    """
    truth = np.asarray(infected, dtype=bool)
    if truth.all() or not truth.any():
        raise PneumoScreenError(
            "the probability of an infection is fitted on cases with and without one; add the others"
        )
    fitted = LogisticRegression(C=PENALTY, class_weight="balanced")
    fitted.fit(np.asarray(evidence, dtype=np.float64)[:, None], truth)
    # More evidence never lowers the probability, whatever a small sample says.
    return Calibration(float(fitted.intercept_[0]), max(float(fitted.coef_[0, 0]), 0.0), calibrated_on)


def probabilities(evidence: Sequence[float], calibration: Calibration) -> np.ndarray:
    """Probability of an infection, float64 [n], of cases on which no reader has spoken."""
    values = np.asarray(evidence, dtype=np.float64)
    return np.asarray(1.0 / (1.0 + np.exp(-(calibration.intercept + calibration.slope * values))))


def reliability_figures(
    evidence: Sequence[float], infected: Sequence[bool], calibration: Calibration
) -> dict[str, float]:
    """Calibration error, likelihood and Brier score of a calibration on cases, by name."""
    judged = Judged.of_events(probabilities(evidence, calibration), np.asarray(infected, dtype=bool))
    return {name: round(value, 4) for name, value in judged.figures(bins=10).items()}

"""How well the extent of X-rays agrees with readers' scores of severity, lung by lung (ours)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from ...metrics.bootstrap import Interval, cluster_bootstrap
from ...xray_findings import ZONES

EXTENTS = {"up to 2": (0.0, 2.0), "2 to 5": (2.0, 5.0), "over 5": (5.0, 9.0)}
"""Ours: a reader's score of an infected lung, of 9: more than the first number, up to the second."""


@dataclass(frozen=True)
class ScoredLung:
    """A lung with both scores, from 0 to 9, and whose it is."""

    patient: str
    reader: float
    model: float


@dataclass(frozen=True)
class ExtentFigures:
    """Agreement over lungs.

    Attributes:
        lungs: how many have both scores.
        correlation: of the ranks (Spearman).
        difference: mean of the absolute differences, in points of 9.
        over: mean of the model's score less the reader's.
    """

    lungs: int
    correlation: Interval
    difference: Interval
    over: Interval

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain JSON types."""
        told = {name: getattr(self, name).to_dict() for name in ("correlation", "difference", "over")}
        return {"lungs": self.lungs, **told}

    def __str__(self) -> str:
        return (
            f"{self.lungs} lungs: rank correlation {self.correlation}; absolute difference {self.difference} of 9; "
            f"model less reader {self.over}"
        )


def lung_score(severity: Mapping[str, float], side: str) -> float | None:
    """Sum of the zones of a lung; None where one is not told."""
    zones = [severity.get(f"{side}_{zone}") for zone in ZONES]
    return None if any(zone is None for zone in zones) else float(sum(zone or 0.0 for zone in zones))


def extent_figures(lungs: Sequence[ScoredLung]) -> ExtentFigures | None:
    """Agreement with intervals that draw patients; None with fewer than three lungs, or where a score never varies."""
    if len(lungs) < 3 or any(len({getattr(lung, name) for lung in lungs}) < 2 for name in ("reader", "model")):
        return None
    patients: dict[str, list[ScoredLung]] = {}
    for lung in lungs:
        patients.setdefault(lung.patient, []).append(lung)
    clusters = [np.array([(lung.reader, lung.model) for lung in found]) for found in patients.values()]
    correlation, difference, over = (
        cluster_bootstrap(clusters, lambda drawn, figure=figure: figure(*np.concatenate(drawn).T))  # type: ignore[misc]
        for figure in (_correlation, _difference, _over)
    )
    return ExtentFigures(len(lungs), correlation, difference, over)


def _correlation(reader: Any, model: Any) -> float:
    constant = len(np.unique(reader)) < 2 or len(np.unique(model)) < 2
    return float("nan") if constant else float(spearmanr(reader, model).statistic)


def _difference(reader: Any, model: Any) -> float:
    return float(np.abs(model - reader).mean())


def _over(reader: Any, model: Any) -> float:
    return float((model - reader).mean())

"""The figures of a screened image that may drift: of the image itself, and of what the model makes of it.

Only what documents hold; no pixel is read. Kernel, dose and grey values are not in a document, and so not here.

A training keeps the figures of its images in the card of its network (ours): of each figure the number of images,
mean, standard deviation, and at most ``MOST_KEPT`` values that stand for all.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..case import Case
from ..case_kinds import KINDS
from ..regions import MODEL

CARD_INPUTS = "inputs"
"""Field of a card: the figures of the training images, as ``kept_figures`` gives them."""
MOST_KEPT = 100
"""Ours: as many as the patients that a site's own reference has at most."""
_LUNG_BOXES = "lung_boxes_percent"

PROTOCOL = (
    "Ask whether a scanner, a protocol or the way of export has changed, and evaluate the model on such images "
    "before you trust it on them (pneumoscreen evaluate --cases)."
)
LUNGS = "Look at the lungs in the newest reports: they may be cut off or not be found as before."
FINDINGS = (
    "The patients may be others than before, or the model may fail on new images: have some of the newest cases read "
    "without the model shown, and compare."
)


@dataclass(frozen=True)
class Feature:
    """One figure of an image.

    Attributes:
        key: in JSON files and metrics.
        name: on pages.
        unit: likewise; empty for numbers without one.
        digits: after the point.
        is_output: whether the model says it; such figures are compared under the same models only.
        advice: what to do where it has drifted.
        value: of a document; None where it has none.
    """

    key: str
    name: str
    unit: str
    digits: int
    is_output: bool
    advice: str
    value: Callable[[Case], float | None]

    @property
    def is_kept(self) -> bool:
        """Whether cards keep it: what is known of an image that no network has judged, its drawn boxes included."""
        return not self.is_output or self.key == _LUNG_BOXES

    def text(self, value: float) -> str:
        """A value with its unit."""
        return f"{value:.{self.digits}f}" + (f" {self.unit}" if self.unit else "")


def _lungs_ml(case: Case) -> float | None:
    return math.fsum(lung.volume_ml for lung in case.lungs.values()) if case.lungs else None


def _affected(case: Case) -> float | None:
    volume = _lungs_ml(case)
    if not volume:
        return None
    return math.fsum(lung.volume_ml * lung.affected_percent for lung in case.lungs.values()) / volume


def _infection(case: Case) -> float | None:
    known = case.verdict is not None and case.verdict.infection is not None
    return case.verdict.infection.probability if known and case.verdict and case.verdict.infection else None


def _regions(case: Case) -> float:
    return float(sum(region.source == MODEL for region in case.regions))


def _best_score(case: Case) -> float | None:
    return max((region.score for region in case.regions if region.source == MODEL), default=None)


def _lung_boxes(case: Case) -> float | None:
    boxes = {} if case.cxr is None else case.cxr.boxes
    if not boxes:
        return None
    return 100.0 * math.fsum(w * h for _, _, w, h in boxes.values()) / (case.image.size[0] * case.image.size[1])


def _opacity(case: Case) -> float | None:
    opacity = None if case.cxr is None else case.cxr.opacity
    return 100.0 * math.fsum(opacity.values()) / len(opacity) if opacity else None


def _likeliest(case: Case) -> float | None:
    return None if case.cxr is None else max(case.cxr.probabilities.values(), default=None)


_PIXEL = Feature("pixel_mm", "Pixel size", "mm", 2, False, PROTOCOL, lambda case: case.image.spacing_mm[0])
_WIDTH = Feature("width_pixels", "Width of the image", "pixels", 0, False, PROTOCOL, lambda c: float(c.image.size[0]))
_INFECTION = Feature("infection", "Probability of an infection", "", 2, True, FINDINGS, _infection)
_SCANS = (
    Feature("slice_mm", "Distance of slices", "mm", 2, False, PROTOCOL, lambda case: case.image.spacing_mm[2]),
    Feature("slices", "Slices", "", 0, False, PROTOCOL, lambda case: float(case.image.size[2])),
    _PIXEL,
    _WIDTH,
    Feature("lungs_ml", "Volume of the lungs", "ml", 0, False, LUNGS, _lungs_ml),
    Feature("affected_percent", "Affected share of the lungs", "%", 1, True, FINDINGS, _affected),
    _INFECTION,
    Feature("regions", "Candidate regions", "", 0, True, FINDINGS, _regions),
    Feature("best_score", "Highest candidate score", "", 2, True, FINDINGS, _best_score),
)
_PICTURES = (
    _WIDTH,
    Feature("height_pixels", "Height of the image", "pixels", 0, False, PROTOCOL, lambda c: float(c.image.size[1])),
    _PIXEL,
    Feature(_LUNG_BOXES, "Share of the image in the lung boxes", "%", 1, True, LUNGS, _lung_boxes),
    Feature("opacity_percent", "Opaque share of the lungs", "%", 1, True, FINDINGS, _opacity),
    _INFECTION,
    Feature("likeliest", "Probability of the likeliest class", "", 2, True, FINDINGS, _likeliest),
)


def features_of(dimensions: int) -> tuple[Feature, ...]:
    """The figures of images with so many dimensions."""
    return _SCANS if dimensions == 3 else _PICTURES


def kept_figures(images: Iterable[tuple[str, Case]], of: str) -> dict[str, Any]:
    """What a card tells of its training images.

    Each patient counts once, as in a site's own reference.

    Args:
        images: patient and document of each; of one modality.
        of: what the images are, in words.
    """
    first: dict[str, Case] = {}
    for patient, document in images:
        first.setdefault(patient, document)
    figures = {}
    for feature in features_of(KINDS[next(iter(first.values())).modality].dimensions) if first else ():
        found = [value for document in first.values() if (value := feature.value(document)) is not None]
        if feature.is_kept and found:
            figures[feature.key] = _kept(np.array(found, dtype=np.float64))
    return {"of": of, "figures": figures}


def figures_of_card(card: Mapping[str, Any]) -> dict[str, NDArray[np.float64]]:
    """The values that a card keeps, by the figure's key; none where it keeps none, or nothing that can be read."""
    inputs = card.get(CARD_INPUTS)
    figures = inputs.get("figures") if isinstance(inputs, dict) else None
    found = {}
    for key, told in figures.items() if isinstance(figures, dict) else ():
        values = told.get("values") if isinstance(told, dict) else None
        if isinstance(values, list) and all(isinstance(value, int | float) for value in values):
            found[key] = np.array(values, dtype=np.float64)
    return found


def _kept(values: NDArray[np.float64]) -> dict[str, Any]:
    """Number, mean, standard deviation, and values at evenly spaced ranks: all where there are few.

    As they are: a rounded value would lie beside those of the same scanner, and a test takes that for a difference.
    """
    places = (np.arange(MOST_KEPT) + 0.5) / MOST_KEPT
    few = np.sort(values) if len(values) <= MOST_KEPT else np.quantile(values, places, method="inverted_cdf")
    return {"count": len(values), "mean": float(values.mean()), "sd": float(values.std()), "values": few.tolist()}

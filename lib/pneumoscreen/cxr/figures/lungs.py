"""How well the affected side and the lungs' boxes are found, with intervals over patients.

The side is judged on radiographs that truly show COVID-19 and whose infected lungs are known, whatever class the
networks gave them: a picture that the discriminator lost would otherwise improve the localiser.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import geometry
from ...case import CXR_LOCATIONS, SIDES, Vector
from ...metrics.bootstrap import Interval, bootstrap_of_sums, ratio
from ...metrics.confusion import ConfusionMatrix
from ...metrics.curves import Curves, draw_curves
from ...xray_findings import INFECTED, location_of
from .outcome import RadiographOutcome, patients_of, summed_by_patient

BOTH = "both"


@dataclass(frozen=True)
class LocalizationFigures:
    """The figures of the affected side.

    Attributes:
        count: number of radiographs.
        infected: number of infected lungs by side.
        lung_accuracy: share of lungs judged right: ``left``, ``right`` and ``both`` together.
        lung_majority: what always stating the commoner answer would give, over both lungs.
        location: of left, right, bipulmonary and none, rows actual, columns predicted.
        location_accuracy: share of radiographs whose location is right.
        location_majority: what always stating the commonest location would give.
        location_recall: by true location, the share that is right.
        curves: of ``left``, ``right`` and ``both``: the probability of infection of a lung.
    """

    count: int
    infected: dict[str, int]
    lung_accuracy: dict[str, Interval]
    lung_majority: float
    location: ConfusionMatrix
    location_accuracy: Interval
    location_majority: float
    location_recall: dict[str, Interval]
    curves: dict[str, Curves]

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain JSON types."""
        return {
            "pictures": self.count,
            "infected_lungs": dict(self.infected),
            "lung_accuracy": {side: value.to_dict() for side, value in self.lung_accuracy.items()},
            "lung_majority_accuracy": self.lung_majority,
            "location_confusion": self.location.to_dict(),
            "location_accuracy": self.location_accuracy.to_dict(),
            "location_majority_accuracy": self.location_majority,
            "location_recall": {name: value.to_dict() for name, value in self.location_recall.items()},
            "auc": {side: curve.auc.to_dict() for side, curve in self.curves.items()},
            "curves": {side: curve.to_dict() for side, curve in self.curves.items()},
        }


@dataclass(frozen=True)
class BoxFigures:
    """The figures of the lung boxes.

    Attributes:
        count: number of radiographs.
        iou: mean intersection over union: ``left``, ``right`` and ``both`` together.
        exchanged: number of radiographs whose boxes fit better with left and right exchanged.
    """

    count: int
    iou: dict[str, Interval]
    exchanged: int

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain JSON types."""
        return {
            "pictures": self.count,
            "iou": {side: value.to_dict() for side, value in self.iou.items()},
            "exchanged": self.exchanged,
        }


def localization_figures(outcomes: Sequence[RadiographOutcome]) -> LocalizationFigures | None:
    """The figures of the affected side; None where it was measured on no radiograph."""
    outcomes = [outcome for outcome in outcomes if outcome.has_sides]
    if not outcomes:
        return None
    truth = np.array([[outcome.true_sides[side] for side in SIDES] for outcome in outcomes], dtype=bool)
    scores = np.array([[outcome.side_probabilities[side] for side in SIDES] for outcome in outcomes])
    said, owner = scores >= INFECTED, patients_of(outcomes)
    right = np.column_stack([said == truth, (said == truth).mean(axis=1), (said == truth).all(axis=1)])
    actual, predicted = ([location_of(row.tolist()) for row in rows] for rows in (truth, said))
    share = float(truth.mean())
    return LocalizationFigures(
        count=len(outcomes),
        infected={side: int(truth[:, i].sum()) for i, side in enumerate(SIDES)},
        lung_accuracy=dict(zip((*SIDES, BOTH), _means(right[:, :3], owner), strict=True)),
        lung_majority=max(share, 1.0 - share),
        location=ConfusionMatrix.from_labels(CXR_LOCATIONS, actual, predicted),
        location_accuracy=_means(right[:, 3:], owner)[0],
        location_majority=max(actual.count(name) for name in CXR_LOCATIONS) / len(actual),
        location_recall=_recalls(np.array(actual), right[:, 3], owner),
        curves={
            **{side: draw_curves(side, scores[:, i], truth[:, i], owner) for i, side in enumerate(SIDES)},
            BOTH: draw_curves(BOTH, scores.reshape(-1), truth.reshape(-1), np.repeat(owner, len(SIDES))),
        },
    )


def box_figures(outcomes: Sequence[RadiographOutcome]) -> BoxFigures | None:
    """The figures of the lung boxes; None where none was measured."""
    outcomes = [outcome for outcome in outcomes if outcome.has_boxes]
    if not outcomes:
        return None
    straight = np.array([[iou(o.true_boxes[side], o.found_boxes[side]) for side in SIDES] for o in outcomes])
    found = _means(np.column_stack([straight, straight.mean(axis=1)]), patients_of(outcomes))
    return BoxFigures(
        count=len(outcomes),
        iou=dict(zip((*SIDES, BOTH), found, strict=True)),
        exchanged=sum(exchanged(outcome.true_boxes, outcome.found_boxes) for outcome in outcomes),
    )


def iou(first: Vector, second: Vector) -> float:
    """Intersection over union of two boxes x, y, w, h."""
    return float(geometry.iou(_bounds(first), _bounds(second))[0, 0])


def _bounds(box: Vector) -> list[float]:
    return [box[0], box[1], box[0] + box[2], box[1] + box[3]]


def exchanged(truth: Mapping[str, Vector], found: Mapping[str, Vector]) -> bool:
    """Whether the boxes fit better with left and right exchanged."""
    left, right = SIDES
    straight = iou(truth[left], found[left]) + iou(truth[right], found[right])
    return iou(truth[left], found[right]) + iou(truth[right], found[left]) > straight


def _recalls(actual: NDArray[np.str_], right: NDArray[np.float64], owner: NDArray[np.int64]) -> dict[str, Interval]:
    shown = np.stack([actual == name for name in CXR_LOCATIONS], axis=1).astype(np.float64)
    sums = summed_by_patient(np.stack([shown * right[:, None], shown], axis=1), owner)
    return dict(zip(CXR_LOCATIONS, bootstrap_of_sums(sums, _shares), strict=True))


def _shares(sums: NDArray[Any]) -> NDArray[np.float64]:
    return ratio(sums[:, 0], sums[:, 1])


def _means(values: NDArray[Any], owner: NDArray[np.int64]) -> list[Interval]:
    """Means of the columns of [n, k] with intervals."""
    sums = summed_by_patient(np.stack([values, np.ones(values.shape)], axis=1), owner)
    return bootstrap_of_sums(sums, _shares)

"""The figures of a cross-validation: of each fold, of all folds together, and of one set-up less another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...case import SIDES
from ...metrics.bootstrap import Interval, bootstrap_of_sums
from ...xray_findings import INFECTED
from ..figures.figures import class_figures
from ..figures.lungs import BOTH, box_figures, iou, localization_figures
from ..figures.outcome import RadiographOutcome, patients_of, summed_by_patient
from .arms import Arm, TaskName
from .run import ArmResult


@dataclass(frozen=True)
class Difference:
    """A set-up less another on the same X-rays, over the same draws of patients.

    Attributes:
        name: of the set-up.
        against: the other one's name.
        figure: what differs, in words.
        value: of the set-up less the other; above 0 the set-up is better.
    """

    name: str
    against: str
    figure: str
    value: Interval

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {"name": self.name, "against": self.against, "figure": self.figure, "value": self.value.to_dict()}


@dataclass(frozen=True)
class Measured:
    """A set-up with its figures, computed once for JSON, text and page.

    Attributes:
        result: what came of it.
        pooled: ``headline`` of all folds together.
        folds: ``headline`` of each fold.
        commonest: by the figure, what always stating the commonest answer gives; empty where there is no such answer.
        exchanged: X-rays with left and right exchanged; None where no boxes were looked for.
    """

    result: ArmResult
    pooled: dict[str, Interval]
    folds: tuple[dict[str, Interval], ...]
    commonest: dict[str, float]
    exchanged: int | None

    @classmethod
    def of(cls, result: ArmResult) -> "Measured":
        """The figures of a set-up."""
        task, outcomes = result.arm.task, result.outcomes
        return cls(
            result,
            headline(task, outcomes),
            tuple(headline(task, fold.outcomes) for fold in result.folds),
            baseline(task, outcomes),
            exchanged_boxes(outcomes),
        )

    @property
    def arm(self) -> Arm:
        """The set-up."""
        return self.result.arm

    @property
    def count(self) -> int:
        """X-rays judged."""
        return len(self.result.outcomes)


def headline(task: TaskName, outcomes: Sequence[RadiographOutcome]) -> dict[str, Interval]:
    """The figures that stand in the tables, the one that counts first, with intervals over patients.

    Raises:
        ValueError: if nothing was measured.
    """
    if task == "classes":
        classes = class_figures(outcomes)
        if classes is not None:
            means = {name: classes.macro[name] for name in ("sensitivity", "specificity", "precision", "f1")}
            return {"accuracy": classes.accuracy, **means, "AUC": classes.macro_auc}
    if task == "localization":
        sides = localization_figures(outcomes)
        if sides is not None:
            return {
                "accuracy per lung": sides.lung_accuracy[BOTH],
                **{f"{side} lung": sides.lung_accuracy[side] for side in SIDES},
                "location": sides.location_accuracy,
                "AUC": sides.curves[BOTH].auc,
            }
    boxes = box_figures(outcomes)
    if task != "lung_boxes" or boxes is None:
        raise ValueError(f"there are no outcomes of {task}")
    return {"overlap of the boxes": boxes.iou[BOTH], **{f"{side} box": boxes.iou[side] for side in SIDES}}


def baseline(task: TaskName, outcomes: Sequence[RadiographOutcome]) -> dict[str, float]:
    """By the figure, what always stating the commonest answer gives; empty for boxes, which have no such answer."""
    if task == "classes" and (classes := class_figures(outcomes)) is not None:
        return {"accuracy": classes.majority}
    if task == "localization" and (sides := localization_figures(outcomes)) is not None:
        return {"accuracy per lung": sides.lung_majority, "location": sides.location_majority}
    return {}


def exchanged_boxes(outcomes: Sequence[RadiographOutcome]) -> int | None:
    """How many X-rays have left and right exchanged; None where no boxes were looked for."""
    boxes = box_figures(outcomes)
    return boxes.exchanged if boxes is not None else None


def scores_of(task: TaskName, outcomes: Sequence[RadiographOutcome]) -> NDArray[np.float64]:
    """How good each outcome is [n], 0 to 1; their mean is the first figure of ``headline``."""
    if task == "classes":
        return np.array([float(outcome.verdict == outcome.label) for outcome in outcomes])
    if task == "localization":
        return np.array(
            [
                np.mean([(o.side_probabilities[side] >= INFECTED) == o.true_sides[side] for side in SIDES])
                for o in outcomes
            ]
        )
    return np.array([np.mean([iou(o.true_boxes[side], o.found_boxes[side]) for side in SIDES]) for o in outcomes])


def difference(one: Measured, other: Measured) -> Difference:
    """One set-up less another.

    Raises:
        ValueError: if they did not judge the same X-rays.
    """
    found = {outcome.case_id: outcome for outcome in one.result.outcomes}
    theirs = {outcome.case_id: outcome for outcome in other.result.outcomes}
    if set(found) != set(theirs) or one.arm.task != other.arm.task:
        raise ValueError(f"{one.arm.name} and {other.arm.name} did not judge the same X-rays")
    names = sorted(found)
    own, others = [found[name] for name in names], [theirs[name] for name in names]
    gain = scores_of(one.arm.task, own) - scores_of(one.arm.task, others)
    sums = summed_by_patient(np.column_stack([gain, np.ones(len(gain))]), patients_of(own))
    value = bootstrap_of_sums(sums, lambda drawn: drawn[:, :1] / drawn[:, 1:])[0]
    return Difference(one.arm.name, other.arm.name, next(iter(one.pooled)), value)


def differences(measured: Sequence[Measured]) -> list[Difference]:
    """Every set-up less the one that it is compared with."""
    by_name = {each.arm.name: each for each in measured}
    return [difference(each, by_name[each.arm.against]) for each in measured if each.arm.against in by_name]


def document_of(measured: Sequence[Measured], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Everything as plain JSON types; the outcomes stand in the folders of the set-ups."""
    return {
        **facts,
        "set_ups": [_arm(each) for each in measured],
        "differences": [each.to_dict() for each in differences(measured)],
    }


def _arm(measured: Measured) -> dict[str, Any]:
    result = measured.result
    return {
        "name": result.arm.name,
        "title": result.arm.title,
        "task": result.arm.task,
        "by": result.arm.by,
        "settings": result.arm.training.model_dump(mode="json"),
        "pictures": measured.count,
        "patients": len({outcome.patient for outcome in result.outcomes}),
        "pooled": {name: value.to_dict() for name, value in measured.pooled.items()},
        "commonest_answer": measured.commonest,
        "exchanged_boxes": measured.exchanged,
        "folds": [
            {
                "fold": fold.number,
                "facts": dict(fold.facts),
                "figures": {name: value.to_dict() for name, value in figures.items()},
            }
            for fold, figures in zip(result.folds, measured.folds, strict=True)
        ],
    }

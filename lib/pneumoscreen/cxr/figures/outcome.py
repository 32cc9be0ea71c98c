"""What the networks of the X-ray method made of one radiograph, beside what is known of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...case import CXR_CLASSES, SIDES, Vector


@dataclass(frozen=True)
class RadiographOutcome:
    """One radiograph; what was not measured or is not known is empty.

    Attributes:
        case_id: its name.
        patient: whose it is; intervals draw patients.
        label: the true class.
        probabilities: of the classes, in the order of ``CXR_CLASSES``.
        true_sides: whether each lung is infected, by the patient's side.
        side_probabilities: of infection, by the patient's side.
        true_boxes: x, y, w, h of each lung.
        found_boxes: the same, in the same unit, as the network found them.
        reason: why it could not be screened; it then counts as wrong.
    """

    case_id: str
    patient: str
    label: str
    probabilities: tuple[float, ...] = ()
    true_sides: Mapping[str, bool] = field(default_factory=dict)
    side_probabilities: Mapping[str, float] = field(default_factory=dict)
    true_boxes: Mapping[str, Vector] = field(default_factory=dict)
    found_boxes: Mapping[str, Vector] = field(default_factory=dict)
    reason: str | None = None

    @property
    def verdict(self) -> str | None:
        """The likeliest class; None where no class was measured."""
        return CXR_CLASSES[int(np.argmax(self.probabilities))] if self.probabilities else None

    @property
    def has_class(self) -> bool:
        """Whether it counts for the figures of the classes."""
        return bool(self.probabilities) or self.reason is not None

    @property
    def has_sides(self) -> bool:
        """Whether it counts for the figures of the affected side."""
        return all(side in self.true_sides and side in self.side_probabilities for side in SIDES)

    @property
    def has_boxes(self) -> bool:
        """Whether it counts for the figures of the lung boxes."""
        return all(side in self.true_boxes and side in self.found_boxes for side in SIDES)

    def to_dict(self) -> dict[str, Any]:
        """The outcome as plain JSON types."""
        return {
            "case_id": self.case_id,
            "patient": self.patient,
            "label": self.label,
            "verdict": self.verdict,
            "probabilities": list(self.probabilities),
            "true_sides": dict(self.true_sides),
            "side_probabilities": dict(self.side_probabilities),
            "true_boxes": {side: list(box) for side, box in self.true_boxes.items()},
            "found_boxes": {side: list(box) for side, box in self.found_boxes.items()},
            "reason": self.reason,
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "RadiographOutcome":
        """The outcome that ``to_dict`` wrote.

        Raises:
            KeyError, TypeError, ValueError: if it is no such document.
        """
        return cls(
            case_id=str(document["case_id"]),
            patient=str(document["patient"]),
            label=str(document["label"]),
            probabilities=tuple(float(value) for value in document["probabilities"]),
            true_sides={side: bool(value) for side, value in document["true_sides"].items()},
            side_probabilities={side: float(value) for side, value in document["side_probabilities"].items()},
            true_boxes={side: tuple(map(float, box)) for side, box in document["true_boxes"].items()},
            found_boxes={side: tuple(map(float, box)) for side, box in document["found_boxes"].items()},
            reason=document["reason"],
        )


def patients_of(outcomes: Sequence[RadiographOutcome]) -> NDArray[np.int64]:
    """Whose each outcome is: int64 [n], patients counted from 0 in the order in which they come."""
    place = {patient: i for i, patient in enumerate(dict.fromkeys(outcome.patient for outcome in outcomes))}
    return np.array([place[outcome.patient] for outcome in outcomes], dtype=np.int64)


def summed_by_patient(rows: NDArray[Any], patients: NDArray[np.int64]) -> NDArray[np.float64]:
    """What each patient adds: rows [n, ...] of the patients [n] summed to [patients, ...]."""
    sums = np.zeros((int(patients.max(initial=-1)) + 1, *rows.shape[1:]))
    np.add.at(sums, patients, rows)
    return sums

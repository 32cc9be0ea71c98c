"""The three networks as they are cross-validated: what is cut for them, and what their outputs say of each X-ray."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...case import SIDES, Vector
from ...xray_findings import location_of
from ..figures.outcome import RadiographOutcome
from ..learning.data import PictureSet
from ..learning.items import Items, discrimination_items, localization_items, lung_box_items, no_lung_boxes
from ..learning.lessons import DiscriminationLesson, LocalizationLesson, LungBoxLesson, with_anchors
from ..learning.run import Lesson
from ..learning.temperature import fitted_temperature
from ..localization import LUNG_CUT
from ..lung_boxes import decode
from ..truth import LabelledRadiograph
from .arms import TaskName
from .cohort import Entry

Say = Callable[[str], None]


class CrossTask(ABC):
    """What a task does differently from the others."""

    seen_by: frozenset[str] = frozenset()
    """Settings of the network that change what is cut for it."""
    needs_boxes = True

    def cut_of(self, network: Any) -> dict[str, Any]:
        """What the cut pictures depend on."""
        found: dict[str, Any] = network.model_dump(mode="json", include=set(self.seen_by))
        return found

    @abstractmethod
    def items(self, labelled: LabelledRadiograph, network: Any) -> Items:
        """What an X-ray gives this task."""

    def usable(self, entry: Entry) -> bool:
        """Whether an X-ray counts for this task."""
        del entry
        return True

    def stratum(self, entry: Entry) -> str:
        """What every fold gets its share of."""
        return entry.label

    @abstractmethod
    def lesson(self, settings: Any, training: PictureSet, anew: bool) -> Lesson:
        """The network and how it is trained; ``anew``: from random weights."""

    def temperature(self, output: Tensor, validation: PictureSet, say: Say) -> float:
        """Fitted on the validation pictures of the fold."""
        del output, validation, say
        return 1.0

    @abstractmethod
    def outcomes(
        self, entries: Sequence[Entry], output: Tensor, test: PictureSet, lesson: Lesson, temperature: float
    ) -> list[RadiographOutcome]:
        """What the network said of the test X-rays, whose pictures ``test`` holds in their order."""


class ClassTask(CrossTask):
    """The discriminator."""

    seen_by = frozenset({"size", "view", "superpixels"})

    def items(self, labelled: LabelledRadiograph, network: Any) -> Items:
        """What the discriminator looks at."""
        return discrimination_items(labelled, network)

    def lesson(self, settings: Any, training: PictureSet, anew: bool) -> Lesson:
        """The discriminator."""
        del training, anew
        return DiscriminationLesson(settings)

    def temperature(self, output: Tensor, validation: PictureSet, say: Say) -> float:
        """Of the softmax."""
        return fitted_temperature(output.double().numpy(), validation.targets.long().numpy(), validation.patients, say)

    def outcomes(
        self, entries: Sequence[Entry], output: Tensor, test: PictureSet, lesson: Lesson, temperature: float
    ) -> list[RadiographOutcome]:
        """The probabilities of the classes."""
        probabilities = torch.softmax(output.double() / temperature, dim=1).tolist()
        return [
            RadiographOutcome(entry.case_id, entry.patient, entry.label, probabilities=tuple(row))
            for entry, row in zip(entries, probabilities, strict=True)
        ]


class LocalizationTask(CrossTask):
    """The localiser."""

    seen_by = LUNG_CUT

    def items(self, labelled: LabelledRadiograph, network: Any) -> Items:
        """Both lungs; nothing where the affected side is not known."""
        return localization_items(labelled, network)

    def usable(self, entry: Entry) -> bool:
        """COVID-19 X-rays whose affected side is known."""
        return all(side in entry.sides for side in SIDES)

    def stratum(self, entry: Entry) -> str:
        """The affected side."""
        return location_of([entry.sides[side] for side in SIDES])

    def lesson(self, settings: Any, training: PictureSet, anew: bool) -> Lesson:
        """The localiser."""
        del training, anew
        return LocalizationLesson(settings)

    def temperature(self, output: Tensor, validation: PictureSet, say: Say) -> float:
        """Of the sigmoid."""
        logits = output.double().numpy()
        return fitted_temperature(
            np.stack([np.zeros_like(logits), logits], axis=1),
            validation.targets.long().numpy(),
            validation.patients,
            say,
        )

    def outcomes(
        self, entries: Sequence[Entry], output: Tensor, test: PictureSet, lesson: Lesson, temperature: float
    ) -> list[RadiographOutcome]:
        """The probability of infection of each lung, left one first as the items are."""
        probabilities = torch.sigmoid(output.double() / temperature).view(-1, len(SIDES)).tolist()
        return [
            RadiographOutcome(
                entry.case_id,
                entry.patient,
                entry.label,
                true_sides=entry.sides,
                side_probabilities=dict(zip(SIDES, row, strict=True)),
            )
            for entry, row in zip(entries, probabilities, strict=True)
        ]


class LungBoxTask(CrossTask):
    """The lung-box regressor; boxes are shares of the picture's content, which leaves every overlap as it is."""

    seen_by = frozenset({"size"})
    needs_boxes = False

    def items(self, labelled: LabelledRadiograph, network: Any) -> Items:
        """The whole picture and its boxes; nothing where it has none."""
        if not labelled.lung_boxes:
            return no_lung_boxes()
        return lung_box_items(labelled, network)

    def usable(self, entry: Entry) -> bool:
        """X-rays whose own document holds both boxes: a network's boxes are no truth."""
        return entry.has_own_boxes

    def lesson(self, settings: Any, training: PictureSet, anew: bool) -> Lesson:
        """The regressor; from random weights its anchors are those of the training pictures."""
        return LungBoxLesson(with_anchors(settings, training.targets) if anew else settings)

    def outcomes(
        self, entries: Sequence[Entry], output: Tensor, test: PictureSet, lesson: Lesson, temperature: float
    ) -> list[RadiographOutcome]:
        """The boxes that were found beside the true ones."""
        assert isinstance(lesson, LungBoxLesson)
        found = decode(output, lesson.model.anchors).double().numpy()
        truth = test.targets.double().numpy()
        return [
            RadiographOutcome(
                entry.case_id, entry.patient, entry.label, true_boxes=_corners(truth[i]), found_boxes=_corners(found[i])
            )
            for i, entry in enumerate(entries)
        ]


def _corners(boxes: NDArray[np.float64]) -> dict[str, Vector]:
    """Boxes [2, 4] (centre x, centre y, w, h) as x, y, w, h by side."""
    low = boxes[:, :2] - boxes[:, 2:] / 2
    return {side: (*low[i].tolist(), *boxes[i, 2:].tolist()) for i, side in enumerate(SIDES)}


TASKS: dict[TaskName, CrossTask] = {
    "classes": ClassTask(),
    "localization": LocalizationTask(),
    "lung_boxes": LungBoxTask(),
}

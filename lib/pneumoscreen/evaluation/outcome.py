"""What a screening made of one case whose truth is known."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..case import Region
from ..ct.screening import Screener
from ..images.volume import Volume
from ..verdict import Classes, decide
from .confusion import ConfusionMatrix
from .detection import Detection, match
from .truth import TrueCase, infection_lesions, label_patch, label_region


@dataclass(frozen=True)
class HeadOutcome:
    """What one classifier (M1 or M2) made of the case's candidate regions.

    Attributes:
        patches: labels of the patches, in the order of the regions and slices.
        regions: labels of the regions after the vote.
        verdict: label of the case.
    """

    patches: tuple[str, ...]
    regions: tuple[str, ...]
    verdict: str


@dataclass(frozen=True)
class CaseOutcome:
    """Truth and findings of one case.

    Attributes:
        case_id: of the volume.
        diagnosis: the truth.
        true_patches: true labels, in the order of ``HeadOutcome.patches``.
        true_regions: true labels, in the order of ``HeadOutcome.regions``.
        heads: outcome by classifier, ``m1`` and ``m2`` where the weights hold both.
        detection: infection lesions against candidate regions.
        lung_dice: overlap of the lungs with the true ones.
        affected_error: found less true affected share of both lungs, in percentage points.
        timings_s: of the screening.
    """

    case_id: str
    diagnosis: str
    true_patches: tuple[str, ...]
    true_regions: tuple[str, ...]
    heads: dict[str, HeadOutcome]
    detection: Detection
    lung_dice: float
    affected_error: float
    timings_s: dict[str, float]

    def patch_matrix(self, head: str, classes: Classes) -> ConfusionMatrix:
        """Confusion of the case's patches under one classifier."""
        return ConfusionMatrix.from_labels(classes.patch_labels, self.true_patches, self.heads[head].patches)

    def region_matrix(self, head: str, classes: Classes) -> ConfusionMatrix:
        """Confusion of the case's regions, after the vote, under one classifier."""
        return ConfusionMatrix.from_labels(classes.patch_labels, self.true_regions, self.heads[head].regions)

    def case_matrix(self, head: str, classes: Classes) -> ConfusionMatrix:
        """Confusion of the case itself: a single count."""
        return ConfusionMatrix.from_labels(classes.case_labels, [self.diagnosis], [self.heads[head].verdict])

    def to_dict(self) -> dict[str, Any]:
        """The outcome as plain JSON types."""
        return {
            "case_id": self.case_id,
            "diagnosis": self.diagnosis,
            "verdict": {name: head.verdict for name, head in self.heads.items()},
            "lesions": len(self.detection.first_hits),
            "lesions_found": self.detection.found,
            "regions": len(self.true_regions),
            "true_regions": list(self.true_regions),
            "voted_regions": {name: list(head.regions) for name, head in self.heads.items()},
            "lung_dice": self.lung_dice,
            "affected_error": self.affected_error,
            "timings_s": self.timings_s,
        }


def judge_case(case: TrueCase, screener: Screener) -> CaseOutcome:
    """Screen a case of known truth and set what was found beside it.

    The screening runs once, with the screener's own classifier; its candidate regions then go through
    every classifier that the weights hold, so that M1 and M2 are compared on the same patches.

    Raises:
        PneumoScreenError: if the case cannot be screened.
    """
    classes = screener.classes
    screening = screener.screen(case.volume)
    boxes = screening.candidate_boxes
    regions = screening.case.regions
    heads: dict[str, HeadOutcome] = {}
    for head in screener.classifier.settings.heads:
        other = Screener(screener.candidates, screener.classifier, head=head)
        heads[head] = _head_outcome(other.screen_regions(case.volume, screening.lungs, regions), classes)
    lesions = [np.asarray(lesion.box, dtype=np.float64) for lesion in infection_lesions(case, classes)]
    return CaseOutcome(
        case_id=case.volume.case_id,
        diagnosis=case.diagnosis,
        true_patches=_true_patches(case, regions, boxes, classes),
        true_regions=tuple(label_region(box, case, classes) for box in boxes),
        heads=heads,
        detection=match(boxes, [region.score for region in regions], np.array(lesions).reshape(-1, 6)),
        lung_dice=dice(screening.lungs.labels > 0, case.lungs > 0),
        affected_error=_affected_error(case, screening.case.lungs, classes),
        timings_s=dict(screening.case.timings_s),
    )


def dice(found: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    """Dice overlap of two masks; 1 for two empty ones."""
    total = np.count_nonzero(found) + np.count_nonzero(true)
    return 2.0 * np.count_nonzero(found & true) / total if total else 1.0


def _head_outcome(regions: tuple[Region, ...], classes: Classes) -> HeadOutcome:
    voted = [(str(region.label), float(region.confidence or 0.0)) for region in regions]
    return HeadOutcome(
        patches=tuple(patch.label for region in regions for patch in region.patches),
        regions=tuple(label for label, _ in voted),
        verdict=decide(voted, classes).label,
    )


def _true_patches(
    case: TrueCase, regions: tuple[Region, ...], boxes: NDArray[np.float64], classes: Classes
) -> tuple[str, ...]:
    volume: Volume = case.volume
    return tuple(
        label_patch(box, volume.stored_slice(patch.slice), case, classes)  # stored_slice is its own inverse
        for region, box in zip(regions, boxes, strict=True)
        for patch in region.patches
    )


def _affected_error(case: TrueCase, lungs: dict[str, Any], classes: Classes) -> float:
    volume = sum(info.volume_ml for info in lungs.values())
    found = sum(info.volume_ml * info.affected_percent for info in lungs.values()) / volume if volume else 0.0
    lung = case.lungs > 0
    infected = np.isin(case.infection, [lesion.number for lesion in infection_lesions(case, classes)])
    voxels = np.count_nonzero(lung)
    return float(found - (100.0 * np.count_nonzero(infected & lung) / voxels if voxels else 0.0))

"""What a screening made of one scan of a site's table, beside what the table says of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...case import SIDES, Case, ModelInfo, Region
from ...evaluation.site_cases import CLEAR, SiteCase
from ...geometry import ONE_FOCUS, share_of_smaller
from ...verdict import Classes
from ..report.overview import Overview


@dataclass(frozen=True)
class SiteOutcome:
    """One scan of the table.

    Attributes:
        case: the row.
        case_id: name of its document and report; None where the scan was refused.
        verdict: label of the case; None where it was refused.
        flagged: whether the verdict is other than no infection found; a refused scan is not flagged.
        infection: calibrated probability of pneumonia; None where no calibration is known or the scan was refused.
        calibrated_on: what that calibration was fitted on.
        decided: whether the types could be told apart.
        regions: infection regions by the patient's side.
        candidates: all regions, the irrelevant ones included.
        overlaps: pairs of infection regions that overlap by more than ``geometry.ONE_FOCUS`` of the smaller.
        candidate_overlaps: the same among all regions.
        affected: percent of each lung by the patient's side.
        seconds: of the whole screening, reading and report included.
        models: versions of the networks.
        overview: the picture; None where it was refused.
        reason: why it was refused.
        file: what was screened of a folder that holds more; None where the row names the scan itself.
    """

    case: SiteCase
    case_id: str | None = None
    verdict: str | None = None
    flagged: bool = False
    infection: float | None = None
    calibrated_on: str | None = None
    decided: bool = True
    regions: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(SIDES, 0))
    candidates: int = 0
    overlaps: int = 0
    candidate_overlaps: int = 0
    affected: Mapping[str, float] = field(default_factory=dict)
    seconds: float | None = None
    models: Mapping[str, ModelInfo] = field(default_factory=dict)
    overview: Overview | None = None
    reason: str | None = None
    file: str | None = None

    @classmethod
    def of(cls, row: SiteCase, screened: Case, overview: Overview | None, classes: Classes) -> "SiteOutcome":
        """The outcome of a screened scan."""
        infections = infection_regions(screened, classes)
        verdict = screened.verdict
        infection = verdict.infection if verdict else None
        return cls(
            case=row,
            case_id=screened.case_id,
            verdict=verdict.label if verdict else None,
            flagged=verdict is not None and verdict.label != classes.none_found,
            infection=infection.probability if infection else None,
            calibrated_on=infection.calibrated_on if infection else None,
            decided=verdict is None or verdict.decided,
            regions={side: sum(region.side == side for region in infections) for side in SIDES},
            candidates=len(screened.regions),
            overlaps=large_overlaps(boxes_of(infections)),
            candidate_overlaps=large_overlaps(boxes_of(screened.regions)),
            affected={side: info.affected_percent for side, info in screened.lungs.items()},
            seconds=screened.timings_s.get("total"),
            models=screened.models,
            overview=overview,
        )

    @property
    def found(self) -> int:
        """Infection regions of both lungs."""
        return sum(self.regions.values())

    @property
    def false_regions(self) -> int:
        """Infection regions in lungs that the table calls clear."""
        return sum(count for side, count in self.regions.items() if self.case.lungs.get(side) == CLEAR)

    def to_dict(self) -> dict[str, Any]:
        """The outcome as plain JSON types, without its picture."""
        return {
            "row": self.case.row,
            "path": self.case.path,
            "file": self.file,
            "patient": self.case.patient,
            "class": self.case.label,
            "lungs": dict(self.case.lungs),
            "counted": self.case.counted,
            "case_id": self.case_id,
            "verdict": self.verdict,
            "flagged": self.flagged,
            "infection_probability": self.infection,
            "decided": self.decided,
            "regions": dict(self.regions),
            "candidate_regions": self.candidates,
            "false_regions": self.false_regions,
            "overlapping_pairs": self.overlaps,
            "overlapping_candidate_pairs": self.candidate_overlaps,
            "affected_percent": dict(self.affected),
            "seconds": self.seconds,
            "document": None if self.case_id is None else f"{self.case_id}.json",
            "report": None if self.case_id is None else f"{self.case_id}.html",
            "refused": self.reason,
        }


def infection_regions(case: Case, classes: Classes) -> list[Region]:
    """The regions that were taken for an infection: those that the verdict rests on."""
    return [region for region in case.regions if region.opinion and region.opinion[0] != classes.irrelevant]


def boxes_of(regions: Sequence[Region]) -> NDArray[np.float64]:
    """Boxes [n, 6] (x0, y0, z0, x1, y1, z1) of regions, in mm.

    Ours: LPS is taken for the axes along which the sizes are measured, as in every scan that is not oblique; a tilt
    of a few degrees moves the overlap of two regions of one scan by less than their borders are sharp.
    """
    centers = np.array([region.center_mm for region in regions], dtype=np.float64).reshape(-1, 3)
    halves = np.array([region.size_mm for region in regions], dtype=np.float64).reshape(-1, 3) / 2
    return np.concatenate([centers - halves, centers + halves], axis=1)


def large_overlaps(boxes: ArrayLike) -> int:
    """Pairs of boxes [n, 6] (low corner, high corner) that share more than ``ONE_FOCUS`` of the smaller one."""
    given = np.asarray(boxes, dtype=np.float64).reshape(-1, 6)
    return int(np.count_nonzero(np.triu(share_of_smaller(given, given) > ONE_FOCUS, k=1)))

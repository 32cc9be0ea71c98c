"""Our rules beside the paper's: which regions count, how much of a lung they take, whether there is infection at all.

The paper's vote and Noisy-OR (``verdict.py``) take every candidate at its patches' word; on clear lungs that gives an
infection in almost every scan. Here a vote for an infection must be borne out by the candidate network: by its score
and by infected voxels inside the box. A reader's word always goes before. Everything in this module is ours.

Standard library only and Python 3.9 syntax: the server and Slicer derive the same.
"""

import math
from dataclasses import dataclass, replace
from typing import Dict, Iterable, Mapping, Optional, Sequence, Tuple

from .regions import ACCEPTED, CORRECTED, MODEL, LungInfo, Region
from .verdict import DEFAULT_CLASSES, Classes, Infection

SUPPORTED_SCORE = 0.5
"""Candidate score from which a model's region can count as an infection."""
SUPPORTED_ML = 0.1
"""Infected millilitres inside the box from which a model's region can count as an infection."""
LONE_SCORE = 0.85
"""Candidate score that a region needs to carry a verdict alone: on held-out cases the lone false regions of clear lungs
whose three patches agree scored up to .83."""
LONE_ML = 0.5
"""Infected millilitres that a region needs to carry a verdict alone."""


@dataclass(frozen=True)
class Calibration:
    """How evidence becomes the probability of an infection: sigmoid(intercept + slope * evidence).

    Attributes:
        intercept: log odds of an infection without any evidence.
        slope: at least 0, so that more evidence never lowers the probability.
        calibrated_on: what it was fitted on, in words.
    """

    intercept: float
    slope: float
    calibrated_on: str

    def __post_init__(self) -> None:
        if not (math.isfinite(self.intercept) and math.isfinite(self.slope) and self.slope >= 0.0):
            raise ValueError(f"a calibration needs a finite intercept and a slope of at least 0, not {self}")

    @classmethod
    def of(cls, infection: Optional[Infection]) -> Optional["Calibration"]:
        """The calibration that a document was written with; None where it does not say."""
        if infection is None or infection.intercept is None or infection.slope is None:
            return None
        return cls(infection.intercept, infection.slope, infection.calibrated_on)


def counted(regions: Iterable[Region], classes: Classes = DEFAULT_CLASSES) -> Tuple[Region, ...]:
    """The regions with the labels by which they count, derived from their patches, scores and infected volumes.

    A vote that is not borne out becomes irrelevant. Where a single region is left that counts, no reader has spoken
    on it and it is weak, it becomes irrelevant as well: a verdict never rests on it alone. Regions whose infected
    volume is not known (a document of version 1) count by their vote. The label of a region that a reader has spoken
    on stays what the reader was shown.
    """
    judged = [_with_supported_label(region, classes) for region in regions]
    counting = [i for i, region in enumerate(judged) if counts(region, classes)]
    alone = judged[counting[0]] if len(counting) == 1 else None
    if alone is not None and alone.reader is None and _is_weak(alone, classes):
        judged[counting[0]] = _taken_for_irrelevant(alone, classes)
    return tuple(judged)


def counts(region: Region, classes: Classes = DEFAULT_CLASSES) -> bool:
    """Whether a region, its label being derived, counts as an infection; one of confidence 0 adds nothing."""
    return region.opinion is not None and region.opinion[0] in classes.infections and region.opinion[1] > 0.0


def is_borne_out(region: Region) -> bool:
    """Whether score and infected volume of a region allow an infection; where the volume is not known: yes."""
    if region.source != MODEL or region.infected_ml is None:
        return True
    return region.score >= SUPPORTED_SCORE and region.infected_ml >= SUPPORTED_ML


def is_overruled(region: Region, classes: Classes = DEFAULT_CLASSES) -> bool:
    """Whether the patches of a region vote for an infection and its label, being derived, does not."""
    voted = region.patch_vote
    return voted is not None and voted[0] in classes.infections and region.label == classes.irrelevant


def affected(
    lungs: Mapping[str, LungInfo], regions: Sequence[Region], classes: Classes = DEFAULT_CLASSES
) -> Dict[str, LungInfo]:
    """The lungs with the shares that follow from the regions, whose labels are derived.

    A reader's region that the server has not measured adds nothing yet. Where no region is measured (a document of
    version 1, or one from drawn masks) the shares stay, but for a case in which no region counts.

    Args:
        lungs: of the case, by side.
        regions: of the case, as ``counted`` gives them.
        classes: the class list.
    """
    counting = [region for region in regions if counts(region, classes)]
    if counting and all(region.infected_ml is None for region in regions):
        return dict(lungs)
    found = {}
    for side, lung in lungs.items():
        infected_ml = math.fsum(region.infected_ml or 0.0 for region in counting if region.side == side)
        share = min(100.0 * infected_ml / lung.volume_ml, 100.0) if lung.volume_ml > 0.0 else 0.0
        found[side] = replace(lung, affected_percent=share)
    return found


def evidence(region: Region, classes: Classes = DEFAULT_CLASSES) -> float:
    """How much a region that no reader has looked at speaks for an infection: 0 or more, a smooth function.

    An infected volume that is not known is taken for the smallest one that counts.
    """
    infected_ml = SUPPORTED_ML if region.infected_ml is None else region.infected_ml
    return region.score * _infection_of_patches(region, classes) * math.log1p(infected_ml / SUPPORTED_ML)


def case_evidence(regions: Iterable[Region], classes: Classes = DEFAULT_CLASSES) -> float:
    """The evidence of all regions of the model that no reader has spoken on: what a calibration is fitted on."""
    unread = (region for region in regions if region.source == MODEL and region.reader is None)
    return math.fsum(evidence(region, classes) for region in unread)


def infection_of(
    regions: Sequence[Region], calibration: Optional[Calibration], classes: Classes = DEFAULT_CLASSES
) -> Optional[Infection]:
    """The probability that the image shows an infection at all; None without a calibration.

    What no reader has spoken on goes through the calibration. Every reader's mark of an infection is one more way in
    which there can be one: P = 1 - (1 - P(unread)) * prod(1 - confidence of the mark).
    """
    if calibration is None:
        return None
    survival = 1.0 - _sigmoid(calibration.intercept + calibration.slope * case_evidence(regions, classes))
    for region in regions:
        if region.reader is not None and region.reader.label in classes.infections:
            survival *= 1.0 - region.reader.confidence
    return Infection(1.0 - survival, calibration.calibrated_on, calibration.intercept, calibration.slope)


def _with_supported_label(region: Region, classes: Classes) -> Region:
    voted = region.patch_vote
    if voted is None:
        return region
    if voted[0] in classes.infections:
        stood_alone = _is_weak(region, classes) and _was_shown_irrelevant(region, voted[0], classes)
        if stood_alone or not is_borne_out(region):
            return _taken_for_irrelevant(region, classes)
    return _labelled(region, *voted)


def _labelled(region: Region, label: str, confidence: float) -> Region:
    """The region with a label; the same object where it has it already."""
    if (region.label, region.confidence) == (label, confidence):
        return region
    return replace(region, label=label, confidence=confidence)


def _is_weak(region: Region, classes: Classes) -> bool:
    """Whether a region is too weak to carry a verdict alone: by score and volume, or since a patch disagrees.

    On held-out cases, tumours in clear lungs that scored up to .93 had a patch without infection among the three.
    """
    if region.source != MODEL or region.infected_ml is None:
        return False
    if region.score < LONE_SCORE or region.infected_ml < LONE_ML:
        return True
    return any(patch.label not in classes.infections for patch in region.patches)


def _was_shown_irrelevant(region: Region, voted: str, classes: Classes) -> bool:
    """Whether a weak region stood alone, and so as irrelevant, when its reader spoke: mark and state tell."""
    if region.reader is None:
        return False
    said = region.reader.label
    return said == classes.irrelevant if region.state == ACCEPTED else region.state == CORRECTED and said == voted


def _taken_for_irrelevant(region: Region, classes: Classes) -> Region:
    """The region as irrelevant, with the confidence that its patches give to that."""
    known = [p.probabilities[classes.irrelevant] for p in region.patches if classes.irrelevant in p.probabilities]
    voted = region.patch_vote
    confidence = max(known) if known else 1.0 - (voted[1] if voted is not None else 0.0)
    return _labelled(region, classes.irrelevant, confidence)


def _infection_of_patches(region: Region, classes: Classes) -> float:
    """Mean probability of any infection over the patches; without patches by the region's own label."""
    if not region.patches:
        voted = region.patch_vote
        return voted[1] if voted is not None and voted[0] in classes.infections else 0.0
    values = []
    for patch in region.patches:
        if patch.probabilities:
            values.append(min(math.fsum(patch.probabilities.get(name, 0.0) for name in classes.infections), 1.0))
        else:
            values.append(patch.confidence if patch.label in classes.infections else 0.0)
    return math.fsum(values) / len(values)


def _sigmoid(value: float) -> float:
    if value >= 0.0:
        return 1.0 / (1.0 + math.exp(-value))
    grown = math.exp(value)
    return grown / (1.0 + grown)

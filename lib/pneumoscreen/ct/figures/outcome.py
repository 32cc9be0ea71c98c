"""What a screening made of one case whose truth is known."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...case import Patch, Region
from ...evidence import case_evidence, counted
from ...images.volume import Volume
from ...metrics.detection import Detection, match
from ...metrics.temperature import apply_temperature
from ...regions import MODEL, opinions
from ...verdict import Classes, decide
from ..screening import Screener
from ..truth import TrueCase, infection_lesions, label_patch, label_region

Level = Literal["patches", "regions", "cases"]
"""Of the paper's Tables 1 and 2, 3 and 4, 5 and 6."""


class Witness(NamedTuple):
    """What the candidate network says of a region: its score and the infected ml inside; None where not measured."""

    score: float
    infected_ml: float | None


@dataclass(frozen=True)
class HeadOutcome:
    """What one classifier (M1 or M2) made of the case's candidate regions.

    Attributes:
        patches: labels of the patches, in the order of the regions and slices.
        regions: labels of the regions after the vote, as far as the candidate network bears it out.
        verdict: label of the case.
        uncalibrated: float64 [patches, classes], probabilities at temperature 1; rows sum to 1.
        temperature: under which patches voted.
        noisy_or: P of every infection type.
        decided: whether the type could be told.
        evidence: of the case for an infection of any type.
    """

    patches: tuple[str, ...]
    regions: tuple[str, ...]
    verdict: str
    uncalibrated: NDArray[np.float64]
    temperature: float
    noisy_or: dict[str, float]
    decided: bool = True
    evidence: float = 0.0

    @classmethod
    def of(
        cls,
        uncalibrated: NDArray[np.float64],
        sizes: Sequence[int],
        temperature: float,
        classes: Classes,
        witnesses: Sequence[Witness] | None = None,
    ) -> "HeadOutcome":
        """The outcome that patches lead to under a temperature: vote, evidence, Noisy-OR and verdict.

        Args:
            uncalibrated: float64 [patches, classes], probabilities at temperature 1.
            sizes: number of patches of each region, in their order.
            temperature: of the classifier.
            classes: the class list.
            witnesses: of each region; by default regions count by their patches' vote.
        """
        probabilities = apply_temperature(uncalibrated, temperature)
        patches = [_patch(row, classes) for row in probabilities]
        known = witnesses if witnesses is not None else [Witness(1.0, None)] * len(sizes)
        regions = counted(_regions(patches, sizes, known), classes)
        verdict = decide(opinions(regions), classes)
        return cls(
            patches=tuple(patch.label for patch in patches),
            regions=tuple(str(region.label) for region in regions),
            verdict=verdict.label,
            uncalibrated=uncalibrated,
            temperature=temperature,
            noisy_or=dict(verdict.probability),
            decided=verdict.decided,
            evidence=case_evidence(regions, classes),
        )

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """Probabilities [patches, classes] under the outcome's temperature."""
        return apply_temperature(self.uncalibrated, self.temperature)


@dataclass(frozen=True)
class CaseOutcome:
    """Truth and findings of one case.

    Attributes:
        case_id: of the volume.
        patient: whose scan it is; intervals draw patients.
        diagnosis: the truth.
        true_patches: true labels, in the order of ``HeadOutcome.patches``.
        true_regions: true labels, in the order of ``HeadOutcome.regions``.
        sizes: number of patches of each region.
        heads: outcome by classifier, ``m1`` and ``m2`` where the weights hold both.
        detection: infection lesions against candidate regions.
        lung_dice: overlap of the lungs with the true ones.
        affected_error: found less true affected share of both lungs, in percentage points.
        timings_s: of the screening.
        witnesses: of each region; None where regions count by their patches' vote.
        infection: calibrated probability of an infection of any type that the document gives; None without one.
    """

    case_id: str
    patient: str
    diagnosis: str
    true_patches: tuple[str, ...]
    true_regions: tuple[str, ...]
    sizes: tuple[int, ...]
    heads: dict[str, HeadOutcome]
    detection: Detection
    lung_dice: float
    affected_error: float
    timings_s: dict[str, float]
    witnesses: tuple[Witness, ...] | None = None
    infection: float | None = None

    def labels(self, level: Level, head: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """True labels and those under one classifier, of the case's patches, its regions, or the case itself."""
        judged = self.heads[head]
        if level == "patches":
            return self.true_patches, judged.patches
        if level == "regions":
            return self.true_regions, judged.regions
        return (self.diagnosis,), (judged.verdict,)

    def under(self, temperatures: Mapping[str, float], classes: Classes) -> "CaseOutcome":
        """The same patches judged under other temperatures; a classifier that is not named keeps its own."""
        heads = {
            name: HeadOutcome.of(
                head.uncalibrated, self.sizes, temperatures.get(name, head.temperature), classes, self.witnesses
            )
            for name, head in self.heads.items()
        }
        return replace(self, heads=heads)

    def to_dict(self) -> dict[str, Any]:
        """The outcome as plain JSON types, without the patches."""
        return {
            "case_id": self.case_id,
            "patient": self.patient,
            "diagnosis": self.diagnosis,
            "verdict": {name: head.verdict for name, head in self.heads.items()},
            "noisy_or": {name: head.noisy_or for name, head in self.heads.items()},
            "infection": self.infection,
            "lesions": len(self.detection.first_hits),
            "lesions_found": self.detection.found,
            "regions": len(self.true_regions),
            "true_regions": list(self.true_regions),
            "voted_regions": {name: list(head.regions) for name, head in self.heads.items()},
            "lung_dice": self.lung_dice,
            "affected_error": self.affected_error,
            "timings_s": self.timings_s,
        }


def judge_case(case: TrueCase, screener: Screener, patient: str | None = None) -> CaseOutcome:
    """Screen a case of known truth and set what was found beside it.

    The screening runs once, with the screener's own classifier; its candidate regions then go through
    every classifier that the weights hold, so that M1 and M2 are compared on the same patches.

    Args:
        case: scan and truth.
        screener: the networks to judge.
        patient: whose scan it is; None where every case is a patient of its own, as phantoms are.

    Raises:
        PneumoScreenError: if the case cannot be screened.
    """
    classes = screener.classes
    screening = screener.screen(case.volume)
    boxes = screening.candidate_boxes
    regions = screening.case.regions
    temperatures = screener.classifier.settings.temperatures
    uncalibrated = screener.classifier.with_temperatures({}) if temperatures else screener.classifier
    sizes = tuple(len(region.patches) for region in regions)
    witnesses = tuple(Witness(region.score, region.infected_ml) for region in regions)
    heads: dict[str, HeadOutcome] = {}
    for head in screener.classifier.settings.heads:
        other = Screener(screener.candidates, uncalibrated, head=head)
        judged = _probabilities(other.screen_regions(case.volume, screening.lungs, regions), classes)
        heads[head] = HeadOutcome.of(judged, sizes, temperatures.get(head, 1.0), classes, witnesses)
    lesions = [np.asarray(lesion.box, dtype=np.float64) for lesion in infection_lesions(case, classes)]
    infection = screening.case.verdict.infection if screening.case.verdict else None
    return CaseOutcome(
        case_id=case.volume.case_id,
        patient=patient or case.volume.case_id,
        diagnosis=case.diagnosis,
        true_patches=_true_patches(case, regions, boxes, classes),
        true_regions=tuple(label_region(box, case, classes) for box in boxes),
        sizes=sizes,
        heads=heads,
        detection=match(boxes, [region.score for region in regions], np.array(lesions).reshape(-1, 6)),
        lung_dice=dice(screening.lungs.labels > 0, case.lungs > 0),
        affected_error=_affected_error(case, screening.case.lungs, classes),
        timings_s=dict(screening.case.timings_s),
        witnesses=witnesses,
        infection=infection.probability if infection else None,
    )


def _patch(row: NDArray[np.float64], classes: Classes) -> Patch:
    best = int(row.argmax())
    probabilities = dict(zip(classes.patch_labels, (float(value) for value in row), strict=True))
    return Patch(0, classes.patch_labels[best], float(row[best]), 0.0, probabilities)


def _regions(patches: Sequence[Patch], sizes: Sequence[int], witnesses: Sequence[Witness]) -> Iterator[Region]:
    """Regions with these patches, of no place: only what they count as is asked."""
    end = 0
    for number, (size, witness) in enumerate(zip(sizes, witnesses, strict=True), start=1):
        start, end = end, end + size
        yield Region(
            id=f"r{number}",
            source=MODEL,
            center_mm=(0.0, 0.0, 0.0),
            size_mm=(1.0, 1.0, 1.0),
            score=witness.score,
            side="left",
            patches=tuple(patches[start:end]),
            infected_ml=witness.infected_ml,
        )


def dice(found: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    """Dice overlap of two masks; 1 for two empty ones."""
    total = np.count_nonzero(found) + np.count_nonzero(true)
    return 2.0 * np.count_nonzero(found & true) / total if total else 1.0


def _probabilities(regions: Sequence[Region], classes: Classes) -> NDArray[np.float64]:
    rows = [[patch.probabilities[name] for name in classes.patch_labels] for r in regions for patch in r.patches]
    return np.array(rows, dtype=np.float64).reshape(-1, len(classes.patch_labels))


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

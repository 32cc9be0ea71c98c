"""The whole CT method, from a volume to a case document (Xu et al. 2020, figure 2).

lungs -> candidate regions -> patches -> classifier -> vote -> Noisy-OR verdict. Each step stands in its
own module; this one hands the data on, keeps the times and writes the document.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..case import Case, ModelInfo, Patch, Region
from ..evidence import Calibration
from ..images.volume import Volume, box_voxels
from ..method import Progress, timed
from ..models.store import ModelStore
from ..verdict import Classes
from .candidates.finding import CandidateModel, Candidates, find_candidates
from .candidates.infected import infected_ml, lung_infos
from .classifier import ClassifierModel, Head, Judgement, judge
from .lungs.segmentation import Lungs, segment_lungs
from .networks import CANDIDATES, CLASSIFIER
from .patches import PatchImage, RegionError, extract_patches

INFECTION = 3
"""Value of infected voxels in ``Screening.anatomy_map``; 1 and 2 are the lungs."""

STAGE_STARTS = {"read": 0.0, "lungs": 0.03, "candidates": 0.25, "classify": 0.9, "report": 0.97}
"""Share of a whole screening at which a stage starts; ours, from the times on two CPU cores."""

LUNGS = "lungs"
"""The name under which the lungs of a scan are kept for later tasks on it."""


def infection_by(model: ModelInfo | None) -> str:
    """The name under which the infection mask by a candidate network is kept."""
    return f"infection by {model.sha256 if model else None}"


@dataclass(frozen=True)
class Screening:
    """A screened scan: the document, and the arrays that a report and a label map are drawn from.

    Attributes:
        case: the case document.
        lungs: the lung masks.
        infection: bool [z, y, x], infected voxels anywhere in the lungs, as the candidate network sees them.
        candidate_boxes: float64 [n, 6], index boxes of ``case.regions``, in their order.
        judgement: what the classifier made of the patches, those of the first region first; None where
            nothing was classified.
    """

    case: Case
    lungs: Lungs
    infection: NDArray[np.bool_]
    candidate_boxes: NDArray[np.float64]
    judgement: Judgement | None = None

    def label_map(self) -> NDArray[np.unsignedinteger[Any]]:
        """One value a region: region i has value i + 1.

        A region shows its infected voxels, or where it has none, all of its lung. Where regions
        overlap, the one with the higher score is in front.
        """
        count = len(self.candidate_boxes)
        smallest: type[np.unsignedinteger[Any]] = np.uint8 if count < 256 else np.uint16
        labels = np.zeros(self.infection.shape, dtype=smallest)
        for i in reversed(range(count)):
            inside = box_voxels(self.candidate_boxes[i], labels.shape)
            shown = self.infection[inside]
            labels[inside][shown if shown.any() else self.lungs.labels[inside] > 0] = i + 1
        return labels

    def anatomy_map(self) -> NDArray[np.uint8]:
        """Lungs and infection: uint8 [z, y, x], 0 none, 1 left lung, 2 right lung, 3 infection (ours)."""
        return np.where(self.infection, np.uint8(INFECTION), self.lungs.labels)


class Screener:
    """Screens volumes with one pair of networks; holds no state between two of them.

    Args:
        candidates: the network that proposes regions.
        classifier: the network that labels their patches; it names the classes.
        models: versions of the networks, for the document; empty for networks that were never published.
        notes: sentences for the document on versions that were passed over as damaged.
        head: ``m1`` or ``m2``; by default the classifier's own choice.
    """

    def __init__(
        self,
        candidates: CandidateModel,
        classifier: ClassifierModel,
        models: Mapping[str, ModelInfo] | None = None,
        notes: Sequence[str] = (),
        head: Head | None = None,
    ) -> None:
        self.candidates = candidates
        self.classifier = classifier
        self.models = dict(models or {})
        self.notes = tuple(notes)
        self.head = head

    @classmethod
    def from_store(cls, store: ModelStore, device: str | None = None) -> "Screener":
        """Load the current networks; on the GPU where there is one, unless told otherwise.

        Raises:
            ModelError: if a network is not there or does not fit the program.
        """
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        candidates, classifier = store.load(CANDIDATES), store.load(CLASSIFIER)
        return cls(
            CandidateModel.load(candidates, device),
            ClassifierModel.load(classifier, device),
            models={weights.name: weights.info for weights in (candidates, classifier)},
            notes=(*candidates.notes, *classifier.notes),
        )

    def noting(self, note: str) -> "Screener":
        """The same networks with a further sentence for every document."""
        return Screener(self.candidates, self.classifier, self.models, (*self.notes, note), self.head)

    @property
    def classes(self) -> Classes:
        """The class list that the classifier was trained with."""
        return self.classifier.classes

    @property
    def calibration(self) -> Calibration | None:
        """How evidence becomes the probability of an infection, as the classifier's card has it."""
        return self.classifier.calibration

    def screen(
        self,
        volume: Volume,
        progress: Progress | None = None,
        diagnosis: str | None = None,
        read_s: float | None = None,
        draws: int = 0,
    ) -> Screening:
        """Screen one scan.

        Args:
            volume: the scan.
            progress: told of each stage.
            diagnosis: clinical diagnosis, if known; it is written into the document and changes nothing else.
            read_s: seconds that reading took, for the document.
            draws: of dropout, for ``Screening.judgement``; they change nothing else.

        Raises:
            NoLungsError: if the scan shows no lungs.
            Cancelled: if ``progress`` raises it.
        """
        report_progress = progress or (lambda stage, fraction: None)
        timings: dict[str, float] = {} if read_s is None else {"read": read_s}
        with timed("lungs", STAGE_STARTS["lungs"], timings, report_progress):
            lungs = segment_lungs(volume)
        with timed("candidates", STAGE_STARTS["candidates"], timings, report_progress):
            found = find_candidates(volume, lungs, self.candidates, _share(report_progress, "candidates", "classify"))
        with timed("classify", STAGE_STARTS["classify"], timings, report_progress):
            regions, boxes, judgement, notes = self._regions(volume, lungs, found, draws)
        report_progress("report", STAGE_STARTS["report"])
        timings["total"] = sum(timings.values())
        case = Case(
            case_id=volume.case_id,
            modality="CT",
            image=volume.image_info(),
            diagnosis=diagnosis,
            lungs=lung_infos(volume, lungs),
            regions=regions,
            models=self.models,
            timings_s=timings,
            notes=(*volume.notes, *lungs.notes, *notes, *self.notes),
        ).with_verdict(self.classes, self.calibration)
        return Screening(case, lungs, found.infection, boxes, judgement)

    def screen_regions(self, volume: Volume, lungs: Lungs, regions: Sequence[Region]) -> tuple[Region, ...]:
        """Label given regions: the same regions with patches and vote, their readers' marks untouched.

        Raises:
            RegionError: if no patch can be cut from a region; the message names it.
        """
        boxes = [volume.box_from_mm(np.array(region.center_mm), np.array(region.size_mm)) for region in regions]
        images = []
        for region, box in zip(regions, boxes, strict=True):
            try:
                images.append(extract_patches(volume, lungs, box, self.classifier.settings.patches))
            except RegionError as error:
                raise RegionError(f"region {region.id}: {error}") from None
        labelled, _ = self._label(volume, images)
        return tuple(
            replace(region, patches=patches).with_vote() for region, patches in zip(regions, labelled, strict=True)
        )

    def _regions(
        self, volume: Volume, lungs: Lungs, found: Candidates, draws: int
    ) -> tuple[tuple[Region, ...], NDArray[np.float64], Judgement, tuple[str, ...]]:
        """Regions with their patches, best score first, their boxes and judgement, and a note on those left out."""
        kept, images = [], []
        for i, box in enumerate(found.boxes):
            try:
                images.append(extract_patches(volume, lungs, box, self.classifier.settings.patches))
            except RegionError:
                continue  # a candidate beside the lungs is none: nobody drew it, nobody misses it
            kept.append(i)
        labelled, judgement = self._label(volume, images, draws)
        boxes = found.boxes[kept].reshape(-1, 6)
        sides = [lungs.side_of(box) for box in boxes]
        volumes = infected_ml(volume, lungs, found.infection, list(boxes), sides)
        regions = []
        for number, (i, patches) in enumerate(zip(kept, labelled, strict=True)):
            center, size = volume.box_to_mm(found.boxes[i])
            region = Region(
                id=f"r{number + 1}",
                source="model",
                center_mm=tuple(center.tolist()),
                size_mm=tuple(size.tolist()),
                score=float(found.scores[i]),
                side=sides[number],
                patches=patches,
                infected_ml=volumes[number],
            )
            regions.append(region)
        lost = len(found.boxes) - len(kept)
        notes = (f"{lost} candidate regions without lung in their central slices were left out",) if lost else ()
        return tuple(regions), boxes, judgement, notes

    def _label(
        self, volume: Volume, images: Sequence[Sequence[PatchImage]], draws: int = 0
    ) -> tuple[list[tuple[Patch, ...]], Judgement]:
        """The document's patches of each region, by stored slice; all regions go through the network together."""
        judgement = judge([image for region in images for image in region], self.classifier, self.head, draws)
        probabilities = iter(judgement.probabilities)
        labels = self.classes.patch_labels
        labelled = []
        for region in images:
            patches = [_patch(volume, image, next(probabilities), labels) for image in region]
            labelled.append(tuple(sorted(patches, key=lambda patch: patch.slice)))
        return labelled, judgement


def _patch(volume: Volume, image: PatchImage, probabilities: NDArray[np.float64], labels: Sequence[str]) -> Patch:
    best = int(np.argmax(probabilities))
    return Patch(
        slice=volume.stored_slice(image.z),
        label=labels[best],
        confidence=float(probabilities[best]),
        distance_from_edge=image.distance_from_edge,
        probabilities=dict(zip(labels, probabilities.tolist(), strict=True)),
    )


def _share(progress: Progress, stage: str, following: str) -> Callable[[str, float], None]:
    """Progress within one stage, 0 to 1, as progress of the whole."""
    start, end = STAGE_STARTS[stage], STAGE_STARTS[following]
    return lambda _, fraction: progress(stage, start + (end - start) * fraction)

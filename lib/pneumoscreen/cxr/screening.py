"""The whole X-ray method, from a radiograph to a case document (Wang et al. 2020, figure 2).

lung boxes -> superpixels -> discrimination -> localisation, with Grad-CAM and the attention masks. Each step stands
in its own module; this one hands the data on, keeps the times and writes the document.

Published: the discriminator names the class, and the localiser looks only at what it calls COVID-19. Ours, where the
localiser has a calibration: the lungs come first. Whether there is an opacity is asked of each lung by the localiser;
the discriminator then divides what there is between COVID-19 and other pneumonia. Lungs read by radiologists teach
disease within one source, while classes of whole films from several sources teach the source.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from ..case import CXR_CLASSES, CXR_HEALTHY, CXR_POSITIVE, SIDES, Case, Cxr, ModelInfo, Vector, placed
from ..evidence import Calibration
from ..images.radiograph import Radiograph
from ..method import Progress, timed
from ..models.store import ModelStore
from ..models.weights import Weights
from ..verdict import Infection, Verdict
from ..xray_findings import INFECTED, SEEN, location_of
from . import discrimination, localization, lung_boxes
from .discrimination import DiscriminationModel, channels_of, grey_of, view_box
from .gradcam import Judgement, judge
from .localization import LocalizationModel, as_it_lies, lung_of
from .localization import Side as Side
from .lung_boxes import LungBoxModel, find_lung_boxes
from .mirrored import mirror_notes
from .networks import NETWORKS
from .sampling import paste
from .severity import opaque_shares
from .superpixels import superpixels


@dataclass(frozen=True)
class CxrScreening:
    """A screened radiograph: the document, and the arrays that a report is drawn from.

    Attributes:
        case: the case document; boxes in ``case.cxr.boxes``.
        gradcam: float32 [y, x] of the whole picture, 0 to 1, of the network that the verdict begins with: what spoke
            for an opacity in each lung, up to its probability; published: what spoke for the class of the verdict.
            0 outside the lungs' rectangle.
        attention: by side, float32 [128, 64] of that lung's box, 0 to 1: the mask of the localiser; empty where
            nothing was localised.
        superpixels: int32 [y, x] of the whole picture, the number of the superpixel, from 1; 0 outside the lungs'
            rectangle.
        judgement: what the discriminator made of it.
    """

    case: Case
    gradcam: NDArray[np.float32]
    attention: dict[Side, NDArray[np.float32]] = field(default_factory=dict)
    superpixels: NDArray[np.int32] = field(default_factory=lambda: np.zeros((0, 0), np.int32))
    judgement: Judgement | None = None


DECIDED_SHARE = 0.9
"""Ours: a type of pneumonia counts as decided from this share of what the types have together."""
_LEAST = 1e-9
_ROLES = {
    lung_boxes.MODEL_NAME: "lung boxes",
    discrimination.MODEL_NAME: "class",
    localization.MODEL_NAME: "lungs",
}


STAGE_STARTS = {"read": 0.0, "lungs": 0.4, "classify": 0.5, "report": 0.8}
"""Share of a whole screening at which a stage starts; ours, from the times on two CPU cores."""


class CxrScreener:
    """Screens radiographs with three networks; holds no state between two of them.

    Args:
        boxes: finds the lungs.
        discriminator: names the class.
        localiser: names the affected side.
        models: versions of the networks, for the document; empty for networks that were never published.
        notes: sentences for the document on versions that were passed over as damaged.
    """

    def __init__(
        self,
        boxes: LungBoxModel,
        discriminator: DiscriminationModel,
        localiser: LocalizationModel,
        models: Mapping[str, ModelInfo] | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        self.boxes, self.discriminator, self.localiser = boxes, discriminator, localiser
        self.models, self.notes = dict(models or {}), tuple(notes)

    @classmethod
    def from_store(cls, store: ModelStore, device: str | None = None) -> "CxrScreener":
        """Load the current networks; on the GPU where there is one, unless told otherwise.

        Raises:
            ModelError: if a network is not there or does not fit the program.
        """
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        boxes, discriminator, localiser = (store.load(name) for name in NETWORKS)
        return cls(
            LungBoxModel.load(boxes, device),
            DiscriminationModel.load(discriminator, device),
            LocalizationModel.load(localiser, device),
            models={weights.name: weights.info for weights in (boxes, discriminator, localiser)},
            notes=(
                *boxes.notes,
                *discriminator.notes,
                *localiser.notes,
                _seen((boxes, discriminator, localiser)),
            ),
        )

    def noting(self, note: str) -> "CxrScreener":
        """The same networks with a further sentence for every document."""
        return CxrScreener(self.boxes, self.discriminator, self.localiser, self.models, (*self.notes, note))

    def screen(
        self,
        radiograph: Radiograph,
        progress: Progress | None = None,
        diagnosis: str | None = None,
        read_s: float | None = None,
        draws: int = 0,
    ) -> CxrScreening:
        """Screen one radiograph.

        Args:
            radiograph: the picture.
            progress: told of each stage.
            diagnosis: clinical diagnosis, if known; it is written into the document and changes nothing else.
            read_s: seconds that reading took, for the document.
            draws: of dropout, for ``CxrScreening.judgement``; they change nothing else.

        Raises:
            NoLungsError: if the picture shows no two lungs.
            Cancelled: if ``progress`` raises it.
        """
        told = progress or (lambda stage, fraction: None)
        timings: dict[str, float] = {} if read_s is None else {"read": read_s}
        with timed("lungs", STAGE_STARTS["lungs"], timings, told):
            boxes = find_lung_boxes(radiograph, self.boxes).by_side()
        with timed("classify", STAGE_STARTS["classify"], timings, told):
            calibration = self.localiser.calibration
            lungs = self._localise(radiograph, boxes) if calibration else NOT_LOCALISED
            judgement, labels = self._discriminate(radiograph, boxes, draws)
            verdict = _verdict(judgement)
            gradcam = lungs.gradcam
            if calibration:
                verdict = _lungs_first(verdict, lungs.sides, calibration, self.discriminator.settings.tells_types)
            else:
                part = view_box(radiograph, boxes, self.discriminator.settings)
                gradcam = paste(judgement.gradcam, part, radiograph.pixels.shape)
                if verdict.label == CXR_POSITIVE:
                    lungs = self._localise(radiograph, boxes)
            shares, zones = None, None
            if self.localiser.knows_places:
                shares, zones = opaque_shares(lungs.attention, lungs.sides)
            location = location_of([lungs.sides.get(s, 0.0) >= INFECTED for s in SIDES])
        told("report", STAGE_STARTS["report"])
        timings["total"] = sum(timings.values())
        case = Case(
            case_id=radiograph.case_id,
            modality="CXR",
            image=radiograph.image_info(),
            diagnosis=diagnosis,
            verdict=verdict,
            models=self.models,
            timings_s=timings,
            cxr=Cxr(placed(boxes), verdict.probability, lungs.sides, location, opacity=shares, severity=zones),
            notes=(*radiograph.notes, *mirror_notes(radiograph, boxes), *self.notes),
        )
        return CxrScreening(case, gradcam, lungs.attention, labels, judgement)

    def _discriminate(
        self, radiograph: Radiograph, boxes: dict[str, Vector], draws: int
    ) -> tuple[Judgement, NDArray[np.int32]]:
        """The judgement, and the superpixels [y, x] of the whole picture."""
        settings = self.discriminator.settings
        grey = grey_of(radiograph, boxes, settings)
        labels = superpixels(grey)
        judgement = judge(channels_of(grey, settings, labels), self.discriminator, draws=draws)
        part = view_box(radiograph, boxes, settings)
        whole = paste(labels.astype(np.float32), part, radiograph.pixels.shape, nearest=True).astype(np.int32)
        return judgement, whole

    def _localise(self, radiograph: Radiograph, boxes: dict[str, Vector]) -> "_Localised":
        """What the localiser makes of both lungs, each in its place."""
        settings, shape = self.localiser.settings, radiograph.pixels.shape
        lungs = np.stack([lung_of(radiograph, boxes[side], side, settings) for side in SIDES])
        found = self.localiser.localise(lungs)
        left, right = (as_it_lies(mask, side, settings.margin) for mask, side in zip(found.masks, SIDES, strict=True))
        warm: NDArray[np.float32] | None = None
        for heat, side in zip(found.gradcam, SIDES, strict=True):
            warm = paste(as_it_lies(heat, side, settings.margin), boxes[side], shape, over=warm)
        assert warm is not None
        sides = dict(zip(SIDES, found.probabilities.tolist(), strict=True))
        return _Localised(sides, {"left": left, "right": right}, warm)


@dataclass(frozen=True)
class _Localised:
    """Of each lung the probability of infection and the attention mask; the Grad-CAM [y, x] of the whole picture."""

    sides: dict[str, float] = field(default_factory=dict)
    attention: dict[Side, NDArray[np.float32]] = field(default_factory=dict)
    gradcam: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))


NOT_LOCALISED = _Localised()


def _verdict(judgement: Judgement) -> Verdict:
    """The likeliest class; the softmax is the confidence (published)."""
    probability = dict(zip(CXR_CLASSES, judgement.probabilities.tolist(), strict=True))
    return Verdict(max(probability, key=lambda name: probability[name]), "softmax", probability, dict(probability))


def _lungs_first(
    published: Verdict, sides: Mapping[str, float], calibration: Calibration, tells_types: bool
) -> Verdict:
    """Healthy where no lung has an opacity, else the likelier type (ours).

    The infection is as probable as the likelier lung is opaque, under a calibration that was fitted so. The likelier
    type stands to healthy as infection to none, and the other type to it as the discriminator says: so the likeliest
    class is always that of the verdict.
    """
    infection = max(sides.values())
    types = {name: max(published.probability[name], _LEAST) for name in CXR_CLASSES if name != CXR_HEALTHY}
    first = max(types, key=lambda name: types[name])
    odds = {name: infection * types[name] / types[first] if name in types else 1.0 - infection for name in CXR_CLASSES}
    probability = {name: value / sum(odds.values()) for name, value in odds.items()}
    label = first if infection >= INFECTED else CXR_HEALTHY
    is_told = tells_types and types[first] >= DECIDED_SHARE * sum(types.values())
    return Verdict(
        label,
        published.rule,
        probability,
        dict(probability),
        decided=label == CXR_HEALTHY or is_told,
        infection=Infection(infection, calibration.calibrated_on, calibration.intercept, calibration.slope),
    )


def _seen(networks: Sequence[Weights]) -> str:
    """The caution on what the networks in use have learnt from, as their cards tell it."""
    learnt: dict[str, list[str]] = {}
    for weights in networks:
        learnt.setdefault(" ".join(str(weights.card.get("data", "not told")).split()), []).append(_ROLES[weights.name])
    told = "; ".join(f"{', '.join(names)}: {data}" for data, names in learnt.items())
    return f"{SEEN} {told}."

"""What the report shows of each candidate region: its patches, its place in the lungs and its numbers."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...case import Patch, Region
from ...evidence import is_overruled
from ...images.volume import Volume, box_voxels
from ...report import wording
from ...report.outlines import Contour, EdgeLine, edge_line, mask_contours, svg_path
from ...report.pictures import Frame, axial_frame, slice_picture
from ...verdict import Classes
from ..patches import DEFAULT_SETTINGS, middle_slice

CONTEXT_PIXELS = 480
PATCH_PIXELS = 176


@dataclass(frozen=True)
class Share:
    """One class of a stacked bar: style class, name, and its part of the whole in [0, 1]."""

    key: str
    name: str
    value: float


@dataclass(frozen=True)
class PatchView:
    """One patch: its picture and what the classifier said of it."""

    picture: str
    slice: int
    key: str
    name: str
    confidence: float
    distance: float
    speaks: bool
    shares: tuple[Share, ...]


@dataclass(frozen=True)
class Box:
    """A numbered rectangle in mm of a picture."""

    number: int
    key: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Context:
    """The axial slice around a region: picture, outlines, box and distance-from-edge line, in mm of the picture."""

    picture: str
    slice: int
    frame: Frame
    lung_path: str
    infection_path: str
    box: Box
    line: EdgeLine | None


@dataclass(frozen=True)
class RegionCard:
    """One region as the report shows it."""

    number: int
    region: Region
    key: str
    name: str
    confidence: float | None
    relevant: bool
    votes: str
    overruled: str
    slices: str
    distances: str
    context: Context
    patches: tuple[PatchView, ...]


class RegionArtist:
    """Draws the regions of one scan; outlines of a slice are found once, however many regions lie in it.

    Args:
        volume: the scan.
        lungs: labels [z, y, x].
        infection: infected voxels [z, y, x]; what lies outside the regions taken for an infection is not shown.
        axial: frame around both lungs, the same for every region so that the pictures compare.
        regions: the case's regions.
        classes: the class list.
    """

    def __init__(
        self,
        volume: Volume,
        lungs: NDArray[np.uint8],
        infection: NDArray[np.bool_],
        axial: Frame,
        regions: tuple[Region, ...],
        classes: Classes,
    ) -> None:
        self._volume = volume
        self._lungs = lungs
        self._regions = regions
        self._infection = self._counted(infection, classes)
        self._axial = axial
        self._classes = classes
        self._slices: dict[int, tuple[str, list[Contour], str, str]] = {}

    def cards(self) -> list[RegionCard]:
        """A card for every region, infections first, the most confident first."""
        cards = [self._card(number, region) for number, region in enumerate(self._regions, start=1)]
        return sorted(cards, key=lambda card: (not card.relevant, -(card.confidence or 0.0), card.number))

    def index_box(self, region: Region) -> NDArray[np.float64]:
        """The region's index box [z0, y0, x0, z1, y1, x1] on the volume grid."""
        return self._volume.box_from_mm(np.array(region.center_mm), np.array(region.size_mm))

    @property
    def shown_infection(self) -> NDArray[np.bool_]:
        """The infected voxels [z, y, x] that the affected percentages count."""
        return self._infection

    def _card(self, number: int, region: Region) -> RegionCard:
        label, confidence = region.opinion or (None, None)
        box = self.index_box(region)
        key = wording.label_key(label, self._classes)
        return RegionCard(
            number=number,
            region=region,
            key=key,
            name=wording.display_name(label) if label else "Not classified",
            confidence=confidence,
            relevant=label != self._classes.irrelevant,
            votes=wording.votes_in_words(region),
            overruled="" if region.reader else wording.overruled_in_words(region, self._classes),
            slices=_span([patch.slice for patch in region.patches]),
            distances=_distances(region),
            context=self._context(number, box, key),
            patches=tuple(self._patches(region, box)),
        )

    def _counted(self, infection: NDArray[np.bool_], classes: Classes) -> NDArray[np.bool_]:
        counted = np.zeros(infection.shape, dtype=bool)
        for region in self._regions:
            if region.opinion and region.opinion[0] != classes.irrelevant:
                inside = box_voxels(self.index_box(region), infection.shape)
                counted[inside] = infection[inside]
        return counted

    def _patches(self, region: Region, box: NDArray[np.float64]) -> Iterator[PatchView]:
        frame, overruled = self._patch_frame(box), is_overruled(region, self._classes)
        for patch in region.patches:
            yield PatchView(
                picture=slice_picture(self._volume, self._canonical(patch.slice), frame, PATCH_PIXELS),
                slice=patch.slice,
                key=wording.label_key(patch.label, self._classes),
                name=wording.display_name(patch.label),
                confidence=patch.confidence,
                distance=patch.distance_from_edge,
                speaks=region.reader is None and not overruled and wording.speaks_for(region, patch),
                shares=self._shares(patch),
            )

    def _patch_frame(self, box: NDArray[np.float64]) -> Frame:
        """What the classifier saw: the region, widened where it is small."""
        intervals = []
        for axis, spacing in ((1, self._volume.spacing_mm[1]), (2, self._volume.spacing_mm[0])):
            middle = (box[axis] + box[axis + 3]) / 2
            half = max(box[axis + 3] - box[axis], DEFAULT_SETTINGS.min_side_mm / spacing) / 2
            intervals.append((middle - half + 0.5, middle + half - 0.5))
        return axial_frame(self._volume, intervals[0], intervals[1], margin_mm=0.0)

    def _shares(self, patch: Patch) -> tuple[Share, ...]:
        return tuple(
            Share(wording.label_key(label, self._classes), wording.display_name(label), patch.probabilities[label])
            for label in self._classes.patch_labels
            if label in patch.probabilities
        )

    def _context(self, number: int, box: NDArray[np.float64], key: str) -> Context:
        center = (box[:3] + box[3:]) / 2
        z = middle_slice(box, self._volume.hu.shape[0])
        picture, contours, lung_path, infection_path = self._slice(z)
        line = edge_line((center[1], center[2]), self._lungs[z] > 0, contours, self._axial)
        drawn = plane_box(self._axial, (box[1], box[4]), (box[2], box[5]), number, key)
        stored = self._volume.stored_slice(z)
        return Context(picture, stored, self._axial, lung_path, infection_path, drawn, line)

    def _slice(self, z: int) -> tuple[str, list[Contour], str, str]:
        if z not in self._slices:
            contours = mask_contours(self._lungs[z] > 0, self._axial)
            infected = mask_contours(self._infection[z], self._axial)
            picture = slice_picture(self._volume, z, self._axial, CONTEXT_PIXELS)
            self._slices[z] = picture, contours, svg_path(contours, self._axial), svg_path(infected, self._axial)
        return self._slices[z]

    def _canonical(self, stored: int) -> int:
        # stored_slice is its own inverse; a document may name a slice that a shorter scan does not have.
        return int(np.clip(self._volume.stored_slice(stored), 0, self._volume.hu.shape[0] - 1))


def plane_box(frame: Frame, rows: tuple[float, float], columns: tuple[float, float], number: int, key: str) -> Box:
    """A box's rectangle in a picture, from its continuous index interval along the picture's height and width."""
    (x0, ya), (x1, yb) = frame.point(rows[0], columns[0]), frame.point(rows[1], columns[1])
    return Box(number, key, x0, min(ya, yb), x1 - x0, abs(yb - ya))


def _span(slices: list[int]) -> str:
    if not slices:
        return "none"
    low, high = min(slices), max(slices)
    return str(low) if low == high else f"{low}\u2013{high}"


def _distances(region: Region) -> str:
    return " \u00b7 ".join(f"{patch.distance_from_edge:.3f}" for patch in region.patches) or "none"

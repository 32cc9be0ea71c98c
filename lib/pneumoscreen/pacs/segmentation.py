"""The DICOM Segmentation of a CT: both lungs, what is infected in them, and each candidate region as a segment."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial, reduce

import numpy as np
from highdicom import AlgorithmIdentificationSequence
from highdicom.color import CIELabColor
from highdicom.seg import SegmentAlgorithmTypeValues, Segmentation, SegmentationTypeValues, SegmentDescription
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from skimage.color import rgb2lab

from .. import RESEARCH_USE_ONLY, __version__
from ..case import READER, SIDES, Case, Region
from ..images.volume import LEFT, RIGHT, Masks, box_voxels
from ..report import wording
from . import codes
from .about import MAKER, About, finish

MOST_VOXELS = 1_000_000_000
"""Ours, of all segments of one object together: each takes two bytes and more. What is more goes into a
further object of the same series."""
_LUNG_COLOURS = {"left": "#7fb3d5", "right": "#a9cce3"}
_LONGEST_LABEL = 64


@dataclass(frozen=True)
class Segment:
    """A segment to write: what makes its mask [z, y, x] on the volume's grid, and how it is described.

    Ours: masks are made when they are written. Those of twenty regions of a thin scan together take two gigabytes.
    """

    name: str
    mask: Callable[[], NDArray[np.bool_]]
    kind: tuple[Code, Code]
    label: str
    colour: str
    side: str | None = None
    by_reader: bool = False
    said: str = ""


@dataclass(frozen=True)
class SegmentPlace:
    """Where a segment was written: the object and the segment's number in it."""

    seg: Segmentation
    number: int


def segmentations(about: About) -> tuple[list[Dataset], dict[str, SegmentPlace]]:
    """The Segmentation objects of a case, one unless it is too large, and where each segment stands.

    Segments are named ``left``, ``right``, ``infection`` and by the regions' ids; one without a voxel is left out.

    Raises:
        ResultError: if the masks do not lie on the images.
    """
    if about.masks is None:
        return [], {}
    objects: list[Dataset] = []
    places: dict[str, SegmentPlace] = {}
    for group in _groups(list(_segments(about, about.masks)), about.masks.lungs.size):
        seg = _object(about, about.masks, group, len(objects) + 1)
        objects.append(seg)
        places.update({segment.name: SegmentPlace(seg, number) for number, segment in enumerate(group, start=1)})
    return objects, places


def region_mask(masks: Masks, region: Region) -> NDArray[np.bool_]:
    """A region's voxels: what is infected in its box, or where nothing is, all of the lung in it."""
    box = masks.volume.box_from_mm(np.array(region.center_mm), np.array(region.size_mm))
    inside = box_voxels(box, masks.lungs.shape)
    mask = np.zeros(masks.lungs.shape, dtype=np.bool_)
    infected = masks.infection[inside]
    mask[inside] = infected if infected.any() else masks.lungs[inside] > 0
    return mask


def region_label(region: Region) -> str:
    """What a region is called where it is shown: its id, type and confidence."""
    name, confidence = region.opinion or ("unknown", 0.0)
    return f"{region.id}: {wording.display_name(name)}, {wording.plain(wording.percent(confidence))}"


def _segments(about: About, masks: Masks) -> Iterator[Segment]:
    for side, value in zip(SIDES, (LEFT, RIGHT), strict=True):
        lung = partial(np.equal, masks.lungs, value)
        if lung().any():
            kind = (codes.ANATOMY, codes.LUNG)
            yield Segment(side, lung, kind, f"{side.capitalize()} lung", _LUNG_COLOURS[side], side)
    if masks.infection.any():
        colour = wording.PALETTE[0][0]
        yield Segment(
            "infection", lambda: masks.infection, (codes.ABNORMAL, codes.OPACITY), "Infection, both lungs", colour
        )
    for region in about.case.regions:
        mask = partial(region_mask, masks, region)
        if mask().any():
            yield _of_region(about, region, mask)


def _of_region(about: About, region: Region, mask: Callable[[], NDArray[np.bool_]]) -> Segment:
    name, _ = region.opinion or ("unknown", 0.0)
    key = wording.label_key(name, about.classes)
    colours = {f"type-{i}": on_white for i, (on_white, _) in enumerate(wording.PALETTE)}
    return Segment(
        name=region.id,
        mask=mask,
        kind=(codes.ABNORMAL, codes.label(name)),
        label=region_label(region)[:_LONGEST_LABEL],
        colour=colours.get(key, wording.IRRELEVANT_COLOUR[0]),
        side=region.side,
        by_reader=region.source == READER,
        said=f"Candidate score {region.score:.2f}. {RESEARCH_USE_ONLY}",
    )


def _groups(segments: Sequence[Segment], voxels: int) -> Iterator[list[Segment]]:
    """The segments in their order, each group small enough for one object; ``voxels`` is the size of a mask."""
    most = max(3, MOST_VOXELS // voxels)
    for start in range(0, len(segments), most):
        yield list(segments[start : start + most])


def _object(about: About, masks: Masks, group: Sequence[Segment], number: int) -> Segmentation:
    images, shown = list(about.source.images), slice(None)
    if not about.source.frames:
        # Only the slices that show something: half the memory of a scan from the chin to the hip.
        marked = reduce(np.logical_or, (segment.mask() for segment in group))
        found = np.flatnonzero(about.source.planes(masks.volume, marked).any(axis=(1, 2)))
        shown = slice(int(found[0]), int(found[-1]) + 1)
    planes: NDArray[np.bool_] | None = None
    for at, segment in enumerate(group):
        plane = about.source.planes(masks.volume, segment.mask())[shown]
        planes = np.zeros((*plane.shape, len(group)), dtype=np.bool_) if planes is None else planes
        planes[..., at] = plane
    assert planes is not None
    seg = Segmentation(
        source_images=images[shown] if not about.source.frames else images,
        pixel_array=planes,
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[_described(about, segment, place) for place, segment in enumerate(group, start=1)],
        content_label="PNEUMOSCREEN",
        content_description=RESEARCH_USE_ONLY[:64],
        **about.series("SEG", number),
    )
    finish(seg)
    return seg


def _described(about: About, segment: Segment, number: int) -> SegmentDescription:
    category, kind = segment.kind
    by_reader = segment.by_reader
    described = SegmentDescription(
        segment_number=number,
        segment_label=segment.label,
        segmented_property_category=category,
        segmented_property_type=kind,
        # Of a region that a reader drew, the box is the reader's and the voxels in it are the network's.
        algorithm_type=SegmentAlgorithmTypeValues.SEMIAUTOMATIC if by_reader else SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=AlgorithmIdentificationSequence(
            name=MAKER, family=codes.ARTIFICIAL_INTELLIGENCE, version=__version__, parameters=_versions(about)
        ),
        tracking_uid=tracking_uid(about, segment.name),
        tracking_id=tracking_id(about.case, segment.name),
        anatomic_regions=[codes.LUNG],
    )
    if segment.side is not None:
        side = [codes.concept(codes.SIDES[segment.side])]
        if category == codes.ANATOMY:
            described.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = side
        described.AnatomicRegionSequence[0].AnatomicRegionModifierSequence = side
    if segment.said:
        described.SegmentDescription = segment.said
    described.RecommendedDisplayCIELabValue = list(_lab(segment.colour).value)
    return described


def _versions(about: About) -> dict[str, str] | None:
    return {name: str(model.version) for name, model in sorted(about.case.models.items())} or None


def tracking_id(case: Case, name: str) -> str:
    """What a segment is called in all objects about a case."""
    return f"{case.modality} {name}"


def tracking_uid(about: About, name: str) -> str:
    """The UID of a segment in all objects about a case."""
    return about.uid("tracking", name)


def _lab(colour: str) -> CIELabColor:
    rgb = [int(colour[at : at + 2], 16) / 255.0 for at in (1, 3, 5)]
    lightness, a, b = rgb2lab(np.array([[rgb]]))[0, 0].tolist()
    return CIELabColor(lightness, a, b)

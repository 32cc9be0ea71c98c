"""Outlines of what a report speaks of, each on one image: viewers that draw no segments for a report draw these.

OHIF shows a measurement of a report only where it has coordinates on an image, and fails over a report with one that
has none. So each finding has a second group with the same tracking identifier, which says where it is to be seen.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from highdicom import sr
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from ..case import SIDES, Case, Cxr, Region
from ..images.radiograph_header import stored_corners
from ..images.volume import LEFT, RIGHT, Masks
from ..report import wording
from . import codes
from .about import About
from .segmentation import region_label, region_mask


@dataclass(frozen=True)
class Outline:
    """A closed outline on an image.

    Attributes:
        name: of the finding, as the segments are named; or ``verdict``.
        finding: what it is.
        side: of the patient; None for both.
        text: what a viewer writes beside it.
        image: header of the image.
        corners: (column, row) on the image as stored, the first one again at the end.
        frame: of an image with several frames, counted from 1.
    """

    name: str
    finding: Code
    side: str | None
    text: str
    image: Dataset
    corners: NDArray[np.float64]
    frame: int | None = None

    @property
    def area_mm2(self) -> float | None:
        """Of what is inside; None where the image does not say how large its pixels are."""
        spacing = self.image.get("PixelSpacing")
        sides = np.prod(self.corners.max(axis=0) - self.corners.min(axis=0))
        return None if not spacing else float(sides * float(spacing[0]) * float(spacing[1]))

    def region(self) -> sr.ImageRegion:
        """The outline as a report has it."""
        frames = None if self.frame is None else [self.frame]
        return sr.ImageRegion(
            graphic_type=sr.GraphicTypeValues.POLYLINE,
            graphic_data=self.corners,
            source_image=sr.SourceImageForRegion.from_source_image(self.image, frames),
        )


def outlines(about: About) -> Iterator[Outline]:
    """The outline of the verdict, of each lung and of each region."""
    if about.masks is not None:
        yield from _of_ct(about, about.masks)
    elif about.case.cxr is not None:
        yield from _of_xray(about, about.case.cxr)


def _of_ct(about: About, masks: Masks) -> Iterator[Outline]:
    lungs = masks.lungs > 0
    shown = lungs if lungs.any() else np.ones_like(lungs)
    most = masks.infection if masks.infection.any() else shown
    yield _on_image(about, masks, ("verdict", codes.LUNG, None, _verdict_text(about.case)), shown, most)
    for side, value in zip(SIDES, (LEFT, RIGHT), strict=True):
        lung, known = masks.lungs == value, about.case.lungs.get(side)
        if lung.any() and known is not None:
            text = f"{side.capitalize()} lung: {known.affected_percent:.1f} % affected"
            yield _on_image(about, masks, (side, codes.LUNG, side, text), lung)
    for region in about.case.regions:
        found = region_mask(masks, region)
        name, _ = region.opinion or (None, 0.0)
        finding = codes.OPACITY if name is None else codes.label(name)
        said = region.id, finding, region.side, _region_text(region)
        yield _on_image(about, masks, said, found if found.any() else _nearest(masks, region))


def _on_image(
    about: About,
    masks: Masks,
    said: tuple[str, Code, str | None, str],
    mask: NDArray[np.bool_],
    most: NDArray[np.bool_] | None = None,
) -> Outline:
    """The rectangle round a mask on the image that shows most of it, or of ``most``."""
    planes = about.source.planes(masks.volume, mask)
    counted = planes if most is None else np.logical_and(planes, about.source.planes(masks.volume, most))
    at = int(np.argmax((counted if counted.any() else planes).sum(axis=(1, 2), dtype=np.int64)))
    rows, columns = np.flatnonzero(planes[at].any(axis=1)), np.flatnonzero(planes[at].any(axis=0))
    # DICOM's coordinates on an image: pixel i covers i to i + 1.
    (top, bottom), (left, right) = (rows[0], rows[-1] + 1), (columns[0], columns[-1] + 1)
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom), (left, top)], dtype=float)
    frames = about.source.frames
    return Outline(*said, about.source.images[0 if frames else at], corners, at + 1 if frames else None)


def _nearest(masks: Masks, region: Region) -> NDArray[np.bool_]:
    """The voxel at the centre of a region that has none, because it lies between two slices or outside the lungs."""
    index = np.rint(masks.volume.mm_to_index(np.array(region.center_mm))).astype(int)
    mask = np.zeros(masks.lungs.shape, dtype=np.bool_)
    mask[tuple(np.clip(index, 0, np.array(mask.shape) - 1))] = True
    return mask


def _of_xray(about: About, cxr: Cxr) -> Iterator[Outline]:
    image = about.source.first
    found = {side: np.array(stored_corners(lung.box, image)) for side, lung in cxr.lung_boxes.items()}
    corners = np.concatenate(list(found.values())) if found else np.array([(0, 0), (image.Columns, image.Rows)])
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    both = np.array([(left, top), (right, top), (right, bottom), (left, bottom), (left, top)], dtype=float)
    yield Outline("verdict", codes.LUNG, None, _verdict_text(about.case), image, both)
    for side, outline in found.items():
        said = f": opacity {wording.percent(cxr.sides[side])}" if side in cxr.sides else ""
        text = wording.plain(f"{side.capitalize()} lung{said}")
        yield Outline(side, codes.LUNG, side, text, image, outline)


def _verdict_text(case: Case) -> str:
    return f"{wording.capital(wording.case_verdict_name(case))} (research use only)"


def _region_text(region: Region) -> str:
    infected = "" if region.infected_ml is None else f", {region.infected_ml:.1f} ml infected"
    return f"{region_label(region)}{infected}"

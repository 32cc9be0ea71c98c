"""One picture of a screened CT for pages that show many: the lungs from the front with the regions' boxes."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ...images.volume import Volume
from ...report import wording
from ...report.pictures import lung_frames, project
from ...verdict import Classes
from .case_report import ReportSource
from .region_cards import Box, RegionArtist, plane_box

PIXELS = 440


@dataclass(frozen=True)
class Overview:
    """The picture as a data URI, its size in mm, and the boxes on it, numbered as in the case's report."""

    picture: str
    width_mm: float
    height_mm: float
    boxes: tuple[Box, ...]

    def to_dict(self) -> dict[str, Any]:
        """The overview as plain JSON types."""
        return {**asdict(self), "boxes": [asdict(box) for box in self.boxes]}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Overview":
        """The overview that ``to_dict`` wrote.

        Raises:
            KeyError, TypeError, ValueError: if it is no such document.
        """
        boxes = tuple(Box(**box) for box in document["boxes"])
        width, height = float(document["width_mm"]), float(document["height_mm"])
        return cls(str(document["picture"]), width, height, boxes)


def coronal_overview(volume: Volume, screening: ReportSource, classes: Classes, pixels: int = PIXELS) -> Overview:
    """The view from the front that stands in the case's report, smaller.

    Args:
        volume: the scan that was screened.
        screening: the case document, lungs and infection mask.
        classes: the class list.
        pixels: of its longer side.
    """
    labels, infection = np.asarray(screening.lungs.labels), np.asarray(screening.infection)
    regions = screening.case.regions
    axial, coronal = lung_frames(volume, labels)
    artist = RegionArtist(volume, labels, infection, axial, regions, classes)
    pictures = project(volume, labels, artist.shown_infection, axial, coronal, pixels)
    boxes = []
    for number, region in enumerate(regions, start=1):
        z0, _, x0, z1, _, x1 = artist.index_box(region)
        key = wording.label_key(region.opinion[0] if region.opinion else None, classes)
        boxes.append(plane_box(coronal, (float(z0), float(z1)), (float(x0), float(x1)), number, key))
    # Infections are drawn last, over the rest.
    boxes.sort(key=lambda box: box.key != "irrelevant")
    return Overview(pictures.coronal, coronal.width_mm, coronal.height_mm, tuple(boxes))

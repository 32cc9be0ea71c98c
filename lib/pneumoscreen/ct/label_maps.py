"""From a label map that a stock client returns to a case document with regions.

A stock MONAI Label client knows nothing of case documents: it shows the label map of a screening (one value a
region), lets the reader erase, redraw and add segments, and returns values and the segments' names. Ours throughout:

- A segment named ``region 3`` is region r3 of the newest document known of the case; so is value 3 where the client
  sends no names. It keeps that region's label. If it was painted within the region's box it is that region, else its
  box is drawn anew and what the model said of the old box is dropped.
- A segment named as a class is as many regions as there are pieces of it more than ``APART_MM`` apart: readers paint
  all lesions of a kind with one segment.
- What was painted is what is infected: the infected volume of a region that was drawn or redrawn.
- Any other segment is labelled by the infection type of the case's diagnosis, in pieces likewise; without a
  diagnosis it is refused, since nothing says what it is.
- Regions that the client was shown and that are gone from the map it returned are the reader's "no": a model's
  region is marked irrelevant, a reader's is left out. A map that refers to none of the known regions was drawn from
  nothing: it stands alone.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..case import Case, ReaderMark, Region
from ..errors import CaseError, NoLungsError
from ..geometry import box_around
from ..images.volume import Volume
from ..studies.marks import Painting
from ..verdict import Classes
from .lungs.segmentation import Side, segment_lungs

APART_MM = 10.0
MOST_REGIONS = 200
NOTE = "The regions were taken from a label map that a reader painted."

_REGION_NAME = re.compile(r"(?:region[ _-]?|r)(\d{1,6})", re.IGNORECASE)
_NEIGHBOURS = np.ones((3, 3, 3), dtype=bool)

SideOf = Callable[[NDArray[np.float64]], Side]
"""The patient's side of an index box."""

Painted = tuple[NDArray[np.float64], float]
"""Index box and millilitres of what a reader painted."""


def case_from_label_map(
    painting: Painting,
    volume: Volume,
    case: Case,
    known: Case | None,
    side_of: SideOf,
    classes: Classes,
    shown: Collection[int] | None = None,
) -> Case:
    """The document that a label map stands for.

    Args:
        painting: what the reader painted.
        volume: the scan.
        case: what is known of the case apart from its regions: id, image, diagnosis, lungs.
        known: the newest document of the case, whose regions the map may refer to.
        side_of: tells the side of a new region.
        classes: the class list.
        shown: numbers of the regions that the client was shown; None: all.

    Raises:
        CaseError: if a value cannot be labelled; the message names what can be.
    """
    old = {number: region for region in (known.regions if known else ()) if (number := number_of(region)) is not None}
    kept: dict[int, Region] = {}
    drawn: list[tuple[Painted, str]] = []
    for value, window in _extents(painting.values):
        name = painting.names.get(value)
        number, label = _meaning(value, name, old, case.diagnosis, classes)
        if number is not None and number not in kept:
            painted = box_around(window), _ml(painting.values[window] == value, volume)
            kept[number] = _returned(old[number], label, painted, painting, volume, side_of)
            continue
        drawn += [(piece, label) for piece in _pieces(painting.values[window] == value, window, volume)]
    if len(kept) + len(drawn) > MOST_REGIONS:
        raise CaseError(
            f"the label map holds more than {MOST_REGIONS} separate regions; remove specks and submit again"
        )
    regions: list[Region] = []
    if kept or not drawn:
        visible = set(old) if shown is None else set(shown)
        regions = [
            region
            for number in old
            if (region := kept.get(number) or _gone(old[number], number in visible, painting, classes)) is not None
        ]
    fresh = max((number for number in old), default=0)
    for place, (piece, label) in enumerate(drawn, start=1):
        mark = ReaderMark(label, painting.reader, painting.at)
        regions.append(_region(f"r{fresh + place}", piece, mark, volume, side_of))
    return replace(case, regions=tuple(regions), notes=(*case.notes, NOTE)).with_verdict(classes)


def number_of(region: Region) -> int | None:
    """The value that a region has in the label map of its screening; None for one that has none."""
    found = _REGION_NAME.fullmatch(region.id)
    return int(found[1]) if found else None


def sides_of(volume: Volume) -> SideOf:
    """Tells sides by the lungs, segmented at the first question; without lungs, by the middle of the image."""
    answers: list[SideOf] = []

    def by_middle(box: NDArray[np.float64]) -> Side:
        # Canonical: x grows to the patient's left.
        return "left" if (box[2] + box[5]) / 2 > (volume.hu.shape[2] - 1) / 2 else "right"

    def side_of(box: NDArray[np.float64]) -> Side:
        if not answers:
            try:
                answers.append(segment_lungs(volume).side_of)
            except NoLungsError:
                answers.append(by_middle)
        return answers[0](box)

    return side_of


def _extents(values: NDArray[np.uint16]) -> Iterator[tuple[int, tuple[slice, slice, slice]]]:
    """Each value with the smallest window around its voxels."""
    for value, window in enumerate(ndimage.find_objects(values), start=1):
        if window is not None:
            yield value, window


def _meaning(
    value: int, name: str | None, old: Mapping[int, Region], diagnosis: str | None, classes: Classes
) -> tuple[int | None, str]:
    """The known region that a value is, if any, and its label."""
    if name is not None:
        label = {_plain(label): label for label in classes.patch_labels}.get(_plain(name))
        if label is not None:
            return None, label
        found = _REGION_NAME.fullmatch(name.strip())
        number = int(found[1]) if found else None
    else:
        number = value
    region = old.get(number) if number is not None else None
    if region is not None and region.opinion is not None:
        return number, region.opinion[0]
    if diagnosis in classes.infections:
        return number if region is not None else None, str(diagnosis)
    shown = f"value {value}" if name is None else f"segment {name[:80]!r}"
    raise CaseError(
        f"{shown} of the label map is no region that is known of this case, and no diagnosis says what it is; "
        f"name the segment {', '.join(classes.patch_labels)}, or 'region N' after a region of the last screening"
    )


def _returned(
    region: Region,
    label: str,
    painted: Painted,
    painting: Painting,
    volume: Volume,
    side_of: SideOf,
) -> Region:
    """A known region that the reader left standing, or redrew beyond its box."""
    mark = ReaderMark(label, painting.reader, painting.at)
    box = volume.box_from_mm(np.array(region.center_mm), np.array(region.size_mm))
    # A voxel of tolerance: the label map shows whole voxels.
    if (painted[0][:3] >= box[:3] - 1.0).all() and (painted[0][3:] <= box[3:] + 1.0).all():
        return replace(region, reader=mark)
    return _region(region.id, painted, mark, volume, side_of)


def _gone(region: Region, was_shown: bool, painting: Painting, classes: Classes) -> Region | None:
    """A known region that the returned map does not hold; None where the document no longer names it."""
    # One that lay wholly behind others was never shown, so nothing was said of it.
    if region.source == "reader" or not was_shown:
        return None
    return replace(region, reader=ReaderMark(classes.irrelevant, painting.reader, painting.at))


def _region(name: str, painted: Painted, mark: ReaderMark, volume: Volume, side_of: SideOf) -> Region:
    """A region that a reader painted; what they painted is what is infected, in millilitres."""
    box, infected_ml = painted
    center, size = volume.box_to_mm(box)
    return Region(
        id=name,
        source="reader",
        center_mm=tuple(center.tolist()),
        size_mm=tuple(size.tolist()),
        score=1.0,
        side=side_of(box),
        reader=mark,
        infected_ml=infected_ml,
    )


def _ml(mask: NDArray[np.bool_], volume: Volume) -> float:
    return int(np.count_nonzero(mask)) * float(np.prod(volume.spacing_mm)) / 1000.0


def _pieces(mask: NDArray[np.bool_], window: tuple[slice, ...], volume: Volume) -> list[Painted]:
    """Index boxes and millilitres of the parts of a segment that lie clearly apart."""
    # Grown by half the distance on each side, parts that are not apart touch; room around lets them grow.
    reach = [int(APART_MM / 2 / spacing) for spacing in volume.spacing_zyx]
    grown = np.pad(mask, [(r, r) for r in reach]).view(np.uint8)
    for axis, r in enumerate(reach):
        grown = ndimage.maximum_filter1d(grown, 2 * r + 1, axis=axis)
    inner = tuple(slice(r, r + n) for r, n in zip(reach, mask.shape, strict=True))
    parts = ndimage.label(grown, _NEIGHBOURS)[0][inner] * mask
    starts = np.array([s.start for s in window], dtype=np.float64)
    return [
        (box_around(found) + np.tile(starts, 2), _ml(parts[found] == number, volume))
        for number, found in enumerate(ndimage.find_objects(parts), start=1)
        if found is not None
    ]


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())

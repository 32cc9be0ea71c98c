"""Pascal VOC boxes on DICOM slices, as Lung-PET-CT-Dx has them.

An XML file a slice, called after the slice's SOPInstanceUID, with a box in pixels for each object; the DICOM series
lie in folders of any name. The boxes of one object in neighbouring slices become one region.

The objects' names are histologies (A, B, E, G) there, so that without ``--diagnosis`` or ``--label`` the regions are
irrelevant and no infection was found; a name that begins with a patch label is that label.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from ...images import Refused, Volume
from ...images.dicom_header import SliceHeader
from ...importers.found import TOO_MANY, Finding, FoundCase, Layout, Marks, Remark, SourceError, read_text
from ...importers.scans import files_below, find_scans, stem_of
from ...limits import MOST_REGIONS
from ...verdict import DEFAULT_CLASSES
from .boxes import box_around, checked
from .markups import label_in


@dataclass(frozen=True)
class PixelBox:
    """An object in one slice: its name and its first and last column and row, counted from 0."""

    name: str
    columns: tuple[float, float]
    rows: tuple[float, float]


@dataclass(frozen=True)
class _Slices:
    """The annotated slices of one series."""

    files: tuple[tuple[SliceHeader, Path], ...]

    def read(self, volume: Volume) -> Marks:
        boxes = [
            (shown.name, checked(slice_box(shown, header, volume), volume, str(path)))
            for header, path in self.files
            for shown in read_boxes(path)
        ]
        regions = joined(boxes)
        note = f"{len(boxes)} boxes in {len(self.files)} slices became {len(regions)} region"
        findings = tuple(Finding(box, label_in([name])) for name, box in regions)
        return Marks(findings=findings, notes=(f"{note}{'' if len(regions) == 1 else 's'}.",))


def read_boxes(path: Path) -> list[PixelBox]:
    """The objects of one VOC file.

    Raises:
        SourceError: if it is no such file.
    """
    text = read_text(path)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise SourceError(f"{path} declares entities, which an annotation needs not; export it again")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise SourceError(f"{path} is not valid XML ({error}); export it again") from None
    if root.tag != "annotation":
        raise SourceError(f"{path} is no Pascal VOC annotation; leave it out")
    found = []
    for number, item in enumerate(root.iter("object"), start=1):
        if number > MOST_REGIONS:
            raise SourceError(f"{path} object {number}: {TOO_MANY}")
        try:
            x0, y0, x1, y1 = (float(item.findtext(f"bndbox/{n}", "")) for n in ("xmin", "ymin", "xmax", "ymax"))
        except ValueError:
            raise SourceError(f"{path} object {number}: bndbox does not hold four numbers; correct it") from None
        if not (np.isfinite([x0, y0, x1, y1]).all() and x0 <= x1 and y0 <= y1):
            raise SourceError(f"{path} object {number}: its box ends before it begins; correct it")
        found.append(PixelBox((item.findtext("name") or "").strip(), (x0, x1), (y0, y1)))
    return found


def slice_box(shown: PixelBox, header: SliceHeader, volume: Volume) -> NDArray[np.float64]:
    """The index box of an object in one slice, as thick as the slices lie apart.

    Args:
        shown: the object; its pixels belong to the box as a whole.
        header: of the slice.
        volume: of the series, canonical.
    """
    row, column = np.array(header.row_direction), np.array(header.column_direction)
    between_rows, between_columns = header.pixel_spacing_mm or (0.0, 0.0)
    corners = [
        np.array(header.position_mm) + row * x * between_columns + column * y * between_rows
        for x in (shown.columns[0] - 0.5, shown.columns[1] + 0.5)
        for y in (shown.rows[0] - 0.5, shown.rows[1] + 0.5)
    ]
    box = box_around(volume.mm_to_index(np.array(corners)))
    # The slices' normal is the index axis along which the box is flat.
    flat = int(np.argmin(box[3:] - box[:3]))
    box[[flat, flat + 3]] = np.rint((box[flat] + box[flat + 3]) / 2) + np.array([-0.5, 0.5])
    return box


def joined(boxes: Sequence[tuple[str, NDArray[np.float64]]]) -> list[tuple[str, NDArray[np.float64]]]:
    """Boxes of slices as regions.

    Ours: boxes of one name belong together if they overlap in neighbouring slices, or in one slice; the region is
    the smallest box around them.

    Args:
        boxes: name and index box, each one slice thick.
    """
    groups: list[list[tuple[str, NDArray[np.float64]]]] = []
    for name, box in boxes:
        touching = [group for group in groups if any(name == other and _touch(box, there) for other, there in group)]
        merged = [(name, box), *(member for group in touching for member in group)]
        groups = [group for group in groups if not any(group is one for one in touching)] + [merged]
    regions = []
    for group in groups:
        rows = np.array([box for _, box in group])
        regions.append((group[0][0], np.concatenate([rows[:, :3].min(axis=0), rows[:, 3:].max(axis=0)])))
    return sorted(regions, key=lambda region: tuple(region[1]))


def _touch(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Whether two boxes overlap along two axes and overlap or adjoin along the third."""
    overlap = np.minimum(one[3:], other[3:]) - np.maximum(one[:3], other[:3])
    return bool((overlap > -1e-6).all() and np.count_nonzero(overlap > 1e-6) >= 2)


def _holds(source: Path, annotations: Path) -> bool:
    return any("<annotation" in _start(path) for path in _files(source, annotations)[:20])


def _start(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(1000).decode("utf-8", "replace")
    except OSError:
        return ""


def _files(source: Path, annotations: Path) -> list[Path]:
    return list(
        dict.fromkeys(p for folder in dict.fromkeys((source, annotations)) for p in files_below(folder, (".xml",)))
    )


def _find(source: Path, annotations: Path) -> Iterator[FoundCase | Refused | Remark]:
    by_instance = {stem_of(path): path for path in _files(source, annotations)}
    if not by_instance:
        raise SourceError(
            f"{source} has no Pascal VOC files <SOPInstanceUID>.xml; name their folder with --annotations"
        )
    used: set[str] = set()
    waiting: list[FoundCase | Refused] = []
    for item in find_scans(source):
        if isinstance(item, Refused):
            waiting.append(item)
            continue
        shown = [
            (h, by_instance[h.instance_uid])
            for h in item.headers
            if h.instance_uid in by_instance and not h.is_localizer
        ]
        used |= {header.instance_uid for header, _ in shown}
        waiting.append(FoundCase(item, _Slices(tuple(shown)).read if shown else None))
    if not used:
        raise SourceError(
            f"{source}: none of the {len(by_instance)} XML files is called after the SOPInstanceUID of a slice here; "
            "give the series that they belong to"
        )
    yield from waiting
    unused: dict[Path, int] = defaultdict(int)
    for name, path in by_instance.items():
        if name not in used:
            unused[path.parent] += 1
    for folder, count in unused.items():
        yield Remark(f"{folder} has {count} XML files of slices that are not here, such as those of other series")


LAYOUT = Layout(
    name="voc",
    shape="DICOM series with <SOPInstanceUID>.xml (Pascal VOC boxes, such as Lung-PET-CT-Dx)",
    origin="Pascal VOC boxes on DICOM slices.",
    holds=_holds,
    find=_find,
    assumed_diagnosis=DEFAULT_CLASSES.none_found,
)

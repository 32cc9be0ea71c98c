"""Boxes beside scans, as CSV or JSON.

A CSV has the columns ``x0,y0,z0,x1,y1,z1`` and, where wanted, ``case`` (else the file is called ``<case>.csv``),
``unit`` and ``label``. A JSON ``<case>.json`` is a list of objects with the same names, or an object with the list
as ``boxes`` and a ``unit`` and ``label`` for all of them.

``unit`` is ``voxel`` (the default): first and last voxel, both in the box, counted from 0 as the file stores them;
or ``mm``: two opposite corners in the patient's coordinates, LPS as in DICOM and ITK, in either order.
"""

import csv
import io
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from ...config import Settings
from ...images import Input, Refused, Volume
from ...importers.found import TOO_MANY, Finding, FoundCase, Layout, Marks, SourceError, read_text
from ...importers.scans import files_below, find_scans, may_belong, name_of, shared_names, stem_of
from ...limits import MOST_REGIONS
from ...verdict import DEFAULT_CLASSES

_CORNERS = ("x0", "y0", "z0", "x1", "y1", "z1")
Finite = Field(allow_inf_nan=False)


class BoxRow(Settings):
    """One box as its file gives it."""

    x0: float = Finite
    y0: float = Finite
    z0: float = Finite
    x1: float = Finite
    y1: float = Finite
    z1: float = Finite
    unit: Literal["voxel", "mm"] = "voxel"
    label: str | None = None
    case: str | None = None


@dataclass(frozen=True)
class _Boxes:
    """The boxes of one scan, each with the words that name it in an error."""

    rows: tuple[tuple[str, BoxRow], ...]

    def read(self, volume: Volume) -> Marks:
        if len(self.rows) > MOST_REGIONS:
            raise SourceError(f"{self.rows[MOST_REGIONS][0]}: {TOO_MANY}")
        stored = volume.to_sitk(np.zeros(volume.hu.shape, dtype=np.uint8))
        return Marks(findings=tuple(_finding(row, where, volume, stored) for where, row in self.rows))


def _finding(row: BoxRow, where: str, volume: Volume, stored: sitk.Image) -> Finding:
    if row.label is not None and row.label not in DEFAULT_CLASSES.patch_labels:
        raise SourceError(f"{where}: label {row.label!r} is not one of {', '.join(DEFAULT_CLASSES.patch_labels)}")
    corners = np.array([[row.x0, row.y0, row.z0], [row.x1, row.y1, row.z1]])
    if row.unit == "voxel":
        if (corners[1] < corners[0]).any():
            raise SourceError(f"{where}: its last voxel comes before its first; give x0 <= x1, y0 <= y1, z0 <= z1")
        # Voxel k covers k - 0.5 to k + 0.5.
        corners = corners + np.array([[-0.5], [0.5]])
        corners = np.array([stored.TransformContinuousIndexToPhysicalPoint(c.tolist()) for c in corners])
    box = box_around(volume.mm_to_index(corners))
    return Finding(checked(box, volume, where), row.label)


def box_around(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The smallest index box around index points [n, 3]."""
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


def checked(box: NDArray[np.float64], volume: Volume, where: str) -> NDArray[np.float64]:
    """A box that can be of this scan.

    Raises:
        SourceError: if it is empty or its centre lies outside the scan.
    """
    center = (box[:3] + box[3:]) / 2
    if not (np.isfinite(box).all() and (box[3:] > box[:3]).all()):
        raise SourceError(f"{where}: the box is empty; give it a size along every axis")
    if (center < -0.5).any() or (center > np.array(volume.hu.shape) - 0.5).any():
        raise SourceError(
            f"{where}: the box lies outside its scan; check its unit and its coordinate system (LPS or RAS)"
        )
    return box


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        SourceError: if it is none.
    """
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{path} is not valid JSON ({str(error)[:100]}); export it again") from None


def _rows(path: Path) -> list[tuple[str, BoxRow]] | None:
    """The boxes of a file with the words that name each; None if it is no file of boxes."""
    if path.name.lower().endswith(".csv"):
        table = csv.DictReader(io.StringIO(read_text(path)))
        try:
            columns = [(name or "").strip().lower() for name in table.fieldnames or ()]
            if not set(_CORNERS) <= set(columns):
                return None
            table.fieldnames = columns
            rows = list(table)
        except csv.Error as error:
            raise SourceError(f"{path} is no CSV after line {table.line_num} ({error}); export it again") from None
        entries: list[Any] = [{key: value for key, value in row.items() if key in BoxRow.model_fields} for row in rows]
        entries = [{key: value.strip() for key, value in row.items() if value and value.strip()} for row in entries]
        first = 2
    else:
        document = read_json(path)
        shared = document if isinstance(document, dict) else {"boxes": document}
        if not isinstance(shared.get("boxes"), list):
            return None
        common = {key: shared[key] for key in ("unit", "label", "case") if shared.get(key) is not None}
        entries = [{**common, **entry} if isinstance(entry, dict) else entry for entry in shared["boxes"]]
        first = 1
    kind = "line" if path.name.lower().endswith(".csv") else "box"
    return [(f"{path} {kind} {n}", _row(entry, f"{path} {kind} {n}")) for n, entry in enumerate(entries, start=first)]


def _row(entry: Any, where: str) -> BoxRow:
    try:
        return BoxRow.model_validate(entry)
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(map(str, fault["loc"])) or "the box"
        raise SourceError(f"{where}: {field}: {fault['msg']}; correct it") from None


def _files(*folders: Path) -> list[Path]:
    names = [path for folder in dict.fromkeys(folders) for path in files_below(folder, (".csv", ".json"))]
    return [path for path in dict.fromkeys(names) if not path.name.lower().endswith(".mrk.json")]


def _holds(source: Path, annotations: Path) -> bool:
    return any(_is_boxes(path) for path in _files(source, annotations))


def _is_boxes(path: Path) -> bool:
    try:
        return _rows(path) is not None
    except SourceError:
        return True  # a broken one is named when it is read


def _find(source: Path, annotations: Path) -> Iterator[FoundCase | Refused]:
    boxes: list[_Named] = []
    for path in _files(source, annotations):
        try:
            boxes += [_Named((row.case or stem_of(path)).lower(), path, where, row) for where, row in _rows(path) or ()]
        except SourceError as error:
            yield Refused(path, str(error))
    scans = find_scans(source)
    shared = shared_names([item for item in scans if isinstance(item, Input)])
    for item in scans:
        if isinstance(item, Refused):
            yield item
            continue
        mine, others = list[_Named](), list[_Named]()
        for box in boxes:
            (mine if box.is_of(item, shared) else others).append(box)
        boxes = others
        yield FoundCase(item, _Boxes(tuple((box.where, box.row) for box in mine)).read if mine else None)
    for name, path in sorted({(box.name, box.path) for box in boxes}):
        yield Refused(path, f"{path} has boxes of {name}, which is no scan here; name the case as its scan")


@dataclass(frozen=True)
class _Named:
    """A box with the name of its case, in small letters, and where it stands."""

    name: str
    path: Path
    where: str
    row: BoxRow

    def is_of(self, scan: Input, shared: Collection[str]) -> bool:
        if self.name == scan.case_id.lower():
            return True
        return self.name in (name_of(scan), scan.path.name.lower()) and may_belong(self.path, scan, shared)


LAYOUT = Layout(
    name="boxes",
    shape="<case>.nii.gz with <case>.csv, <case>.json or one CSV with the columns case,x0,y0,z0,x1,y1,z1",
    origin="boxes drawn elsewhere.",
    holds=_holds,
    find=_find,
)

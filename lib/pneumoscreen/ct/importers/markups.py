"""Markups of 3D Slicer and MONAI Label: ROI nodes in JSON (markups schema 1.0.x).

``<case>.mrk.json`` or ``<case>_<anything>.mrk.json``, in any folder; in a folder with one scan any name will do.
MONAI Label's ``labels/final/<case>.json`` with the same content is read as well. Points alone are refused: a point
has no size, and a region is a box.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...case import lps_to_ras
from ...images import Input, Refused, Volume
from ...importers.found import Finding, FoundCase, Layout, Marks, SourceError
from ...importers.scans import files_below, find_scans, may_belong, name_of, shared_names, stem_of
from ...verdict import DEFAULT_CLASSES
from .boxes import checked, read_json

_UNIT_MM = {"mm": 1.0, "um": 0.001, "cm": 10.0, "m": 1000.0}
_SYSTEMS = ("LPS", "RAS")
_BOX_TYPES = ("Box", "BoundingBox")
_ROTATED = 0.02


@dataclass(frozen=True)
class _Rois:
    """The markups of one scan, by the file they come from."""

    files: tuple[Path, ...]

    def read(self, volume: Volume) -> Marks:
        findings: list[Finding] = []
        turned = 0
        for path in self.files:
            for roi, where in _rois(path):
                box, is_turned = _box(roi, volume, where)
                findings.append(Finding(checked(box, volume, where), label_in(_words(roi, path))))
                turned += is_turned
        note = f"{turned} rotated ROI{'s were' if turned > 1 else ' was'} replaced by the upright box around it."
        return Marks(findings=tuple(findings), notes=(note,) if turned else ())


def label_in(words: list[str]) -> str | None:
    """The patch label that one of the names begins with, "COVID-19-2" being ``covid19``; None if none does."""
    plain = {label: _plain(label) for label in DEFAULT_CLASSES.patch_labels}
    for word in map(_plain, words):
        for label, start in sorted(plain.items(), key=lambda item: -len(item[1])):
            if word.startswith(start):
                return label
    return None


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _markups(path: Path) -> list[Any] | None:
    """The markups of a file; None if it is no file of markups."""
    document = read_json(path)
    if not isinstance(document, dict) or not isinstance(document.get("markups"), list):
        return None
    return list(document["markups"])


def _rois(path: Path) -> list[tuple[dict[str, Any], str]]:
    markups = _markups(path) or []
    rois = [
        (m, f"{path} ROI {n}") for n, m in enumerate(markups, start=1) if isinstance(m, dict) and m.get("type") == "ROI"
    ]
    if markups and not rois:
        kinds = sorted({str(m.get("type")) for m in markups if isinstance(m, dict)})
        raise SourceError(
            f"{path} holds markups of type {', '.join(kinds)[:60] or 'unknown'} and no ROI, so no region has a size; "
            "draw each region as an ROI box"
        )
    return rois


def _box(roi: dict[str, Any], volume: Volume, where: str) -> tuple[NDArray[np.float64], bool]:
    """Index box around an ROI, and whether the ROI is turned against the image's axes."""
    system = roi.get("coordinateSystem", "LPS")  # the schema's default
    if system not in _SYSTEMS:
        raise SourceError(f"{where}: coordinateSystem is neither LPS nor RAS; export it again from 3D Slicer")
    if roi.get("roiType", "Box") not in _BOX_TYPES:
        raise SourceError(f"{where}: roiType is not Box; draw the region as a box")
    unit = roi.get("coordinateUnits", "mm")
    scale = _UNIT_MM.get(unit[0] if isinstance(unit, list) and unit and isinstance(unit[0], str) else str(unit))
    if scale is None:
        raise SourceError(f"{where}: coordinateUnits is none of {', '.join(_UNIT_MM)}; export it in mm")
    center = np.array(_numbers(roi, "center", 3, where)) * scale
    size = np.abs(_numbers(roi, "size", 3, where)) * scale
    # Row by row; a column is the direction of one of the ROI's axes.
    axes = np.reshape(_numbers(roi, "orientation", 9, where), (3, 3)) if roi.get("orientation") else np.eye(3)
    if np.abs(axes.T @ axes - np.eye(3)).max() > 0.01:
        raise SourceError(f"{where}: orientation is no rotation; export it again from 3D Slicer")
    if system == "RAS":
        center = np.array(lps_to_ras(center.tolist()))
        axes = np.array([lps_to_ras(axis) for axis in axes.T.tolist()]).T
    # Along the image's own axes, which an oblique scan turns a little against the patient's.
    along = np.abs(volume.direction.T @ axes)
    box = volume.box_from_mm(center, along @ size)
    return box, bool(np.sort(along, axis=None)[:6].max() > _ROTATED)


def _numbers(roi: dict[str, Any], name: str, count: int, where: str) -> list[float]:
    value = roi.get(name)
    if not isinstance(value, list) or len(value) != count or not all(isinstance(v, int | float) for v in value):
        raise SourceError(f"{where}: {name} must hold {count} numbers; export it again from 3D Slicer")
    if not np.isfinite(np.asarray(value, dtype=np.float64)).all():
        raise SourceError(f"{where}: {name} holds a value that is no finite number; draw the region again")
    return [float(v) for v in value]


def _words(roi: dict[str, Any], path: Path) -> list[str]:
    """Where a label may stand: the control points, the markup's own name and label, the file's name."""
    points = roi.get("controlPoints")
    first = points[0] if isinstance(points, list) and points and isinstance(points[0], dict) else {}
    label = roi.get("label")
    own = label.get("value") if isinstance(label, dict) else label
    found = [first.get("description"), first.get("label"), own, roi.get("description"), roi.get("name")]
    return [word for word in found if isinstance(word, str)] + stem_of(path).split("_")[1:]


def _files(source: Path, annotations: Path) -> list[Path]:
    found = []
    for folder in dict.fromkeys((source, annotations)):
        for path in files_below(folder, (".json",)):
            if path.name.lower().endswith(".mrk.json") or _is_markups(path):
                found.append(path)
    return list(dict.fromkeys(found))


def _is_markups(path: Path) -> bool:
    try:
        return _markups(path) is not None
    except SourceError:
        return False


def _holds(source: Path, annotations: Path) -> bool:
    return bool(_files(source, annotations))


def _find(source: Path, annotations: Path) -> Iterator[FoundCase | Refused]:
    scans = find_scans(source)
    files: dict[str, list[Path]] = defaultdict(list)
    for path in _files(source, annotations):
        scan = _scan_of(path, [item for item in scans if isinstance(item, Input)])
        if scan is None:
            yield Refused(path, f"{path} belongs to no scan here; name it after its scan, as <case>.mrk.json")
        else:
            files[scan.case_id].append(path)
    for item in scans:
        if isinstance(item, Refused):
            yield item
        else:
            mine = tuple(files.get(item.case_id, ()))
            yield FoundCase(item, _Rois(mine).read if mine else None)


def _scan_of(path: Path, scans: list[Input]) -> Input | None:
    """The scan whose name the file's begins with, the longest first; else the only scan of the file's folder."""
    stem, shared = stem_of(path).lower(), shared_names(scans)
    for scan in sorted(scans, key=lambda scan: -len(name_of(scan))):
        name = name_of(scan)
        begins = stem == name or (stem.startswith(name) and not stem[len(name)].isalnum())
        if begins and may_belong(path, scan, shared):
            return scan
    beside = [scan for scan in scans if path.parent in (scan.path.parent, scan.path if scan.headers else None)]
    return beside[0] if len(beside) == 1 else None


LAYOUT = Layout(
    name="markups",
    shape="<case>.nii.gz with <case>.mrk.json (ROI nodes of 3D Slicer or MONAI Label)",
    origin="ROI markups of 3D Slicer or MONAI Label.",
    holds=_holds,
    find=_find,
)

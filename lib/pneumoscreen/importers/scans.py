"""The scans of a source folder, each with the name it gets in the studies folder."""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..images import Input, Refused, find_inputs
from ..images.inputs import VOLUME_SUFFIXES
from ..studies.patients import patient_of

_RESERVED = ("labels", "annotations", "audit")
"""Folders that a studies folder has for itself."""
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_UNIQUE = re.compile(r"_\d+$")
_LONGEST = 80


def files_below(folder: Path, endings: Sequence[str]) -> list[Path]:
    """Files with one of these endings in a folder and those inside it, in order; hidden ones are passed over."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [
            Path(place, name)
            for name in sorted(names)
            if name.lower().endswith(tuple(endings)) and not name.startswith(".")
        ]
    return found


def stem_of(path: Path) -> str:
    """A file's name without its ending, ``.mrk.json``, ``.nii.gz`` and ``.seg.nrrd`` included."""
    name = path.name
    for ending in sorted((*VOLUME_SUFFIXES, ".seg.nrrd", ".mrk.json", ".json", ".csv", ".xml"), key=len, reverse=True):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return name


def find_scans(source: Path, is_other: Callable[[Path], bool] = lambda path: False) -> list[Input | Refused]:
    """The CTs of a folder.

    Args:
        source: the folder.
        is_other: whether a volume file is a mask, say, and no scan.
    """
    kept = []
    files = []
    for item in find_inputs([source]):
        is_other_kind = isinstance(item, Input) and item.modality != "CT"
        if not is_other_kind and not is_other(item.path):
            kept.append(item)
            files += [item.path] if isinstance(item, Input) and not item.headers else []
    # Asked for again by themselves: a mask of the same name must not have taken the scan's id.
    ids = {item.path: item.case_id for item in find_inputs(files) if isinstance(item, Input)}
    shared = shared_names([item for item in kept if isinstance(item, Input)])
    return [_named(item, ids, shared) if isinstance(item, Input) else item for item in kept]


def name_of(scan: Input) -> str:
    """The name that the files of a scan's annotations begin with, in small letters."""
    return (scan.path.name if scan.headers else stem_of(scan.path)).lower()


def shared_names(scans: Sequence[Input]) -> set[str]:
    """The names that several files or folders have: whose annotations go by the folder as well."""
    counts = Counter(name_of(scan) for scan in {scan.path: scan for scan in scans}.values())
    return {name for name, count in counts.items() if count > 1}


def may_belong(path: Path, scan: Input, shared: Collection[str]) -> bool:
    """Whether an annotation of the scan's name can be this scan's: where others share the name, it lies beside it."""
    return name_of(scan) not in shared or scan.path.parent in path.parents


def anonymous_name(scan: Input) -> Input:
    """The scan with a name and a source made of hashes, for sites whose folders are named after patients.

    Ours: the visits of one patient still have names that tell so (see ``studies.patients``).
    """
    scan = with_hidden_source(scan)
    if scan.series_uid:
        return replace(scan, case_id=f"case_{_short_hash(scan.series_uid)}")
    patient = patient_of(scan, {})
    return replace(scan, case_id=f"case_{_short_hash(patient)}{scan.case_id[len(patient) :]}")


def with_hidden_source(scan: Input) -> Input:
    """The scan with a hash in the place of where it was found."""
    return replace(scan, source_below=scan.source_below and _short_hash(scan.source_below))


def _named(scan: Input, ids: Mapping[Path, str], shared: Collection[str]) -> Input:
    """Ours: where scans share a name, a file is told by its folder but a series by a hash.

    Numbers in the order of finding would be other ones when a scan is added.
    """
    name = ids.get(scan.path, scan.case_id)
    if name_of(scan) in shared and scan.series_uid:
        name = f"{_UNIQUE.sub('', name)}_{_short_hash(scan.series_uid)}"
    elif name_of(scan) in shared:
        name = _UNSAFE.sub("_", f"{scan.path.parent.name}_{stem_of(scan.path)}").strip("._-")[-_LONGEST:]
    name = re.sub(r"\.{2,}", ".", name)
    return replace(scan, case_id=f"case_{name}" if name.lower() in _RESERVED else name)


def _short_hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:12]

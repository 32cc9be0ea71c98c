"""COVID-19-CT-Seg (Ma et al. 2020): twenty scans with masks of lungs and infection, in folders side by side.

``COVID-19-CT-Seg_20cases/<case>.nii.gz`` with ``Infection_Mask/<case>.nii.gz`` (1 infection),
``Lung_Mask/<case>.nii.gz`` (1 and 2, the two lungs) and ``Lung_and_Infection_Mask/<case>.nii.gz`` (3 infection);
also as the files are passed on elsewhere, ``ct_scans/coronacases_org_001.nii`` with masks of the shorter name.

The Radiopaedia half of the scans are pictures: the lung window from -1250 to 250 HU in 256 grey levels. They are
turned back into (approximate) Hounsfield units and written anew.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...images import Input, Refused, Volume, read_input
from ...images.canonical import to_volume
from ...images.mask_file import read_mask
from ...images.volume_file import read_volume_file
from ...importers.found import FoundCase, Layout, Marks, MarksError, SourceError
from ...importers.scans import files_below, find_scans, stem_of
from ...verdict import DEFAULT_CLASSES
from .sides import lungs_in_our_convention, nearer_lung

WINDOW_HU = (-1250.0, 250.0)
_INFECTION_VALUE = 3
_MASK_FOLDERS = {"infection_mask": "infection", "lung_mask": "lungs", "lung_and_infection_mask": "both"}
_SCAN_FOLDERS = re.compile(r"covid-19-ct-seg.*|ct_scans?", re.IGNORECASE)
_TWO_STUDIES = re.compile(r"(radiopaedia_\d+)_(\d+)_(\d+)")


@dataclass(frozen=True)
class _Masks:
    """The masks of one scan, None where there is none, and how they are read."""

    infection: Path | None = None
    lungs: Path | None = None
    both: Path | None = None

    def read(self, volume: Volume) -> Marks:
        both = read_mask(self.both, volume) if self.both else None
        infection = self._infection(volume, both)
        if self.lungs is not None:
            lungs, notes = lungs_in_our_convention(read_mask(self.lungs, volume), volume)
        elif both is not None:
            clear = np.where(both == _INFECTION_VALUE, 0, both).astype(np.uint16)
            lungs, notes = lungs_in_our_convention(clear, volume)
            lungs = nearer_lung(both > 0, lungs)  # infected lung is lung
        else:
            return Marks(infection)
        return Marks(infection, lungs, notes=notes)

    def _infection(self, volume: Volume, both: NDArray[np.uint16] | None) -> NDArray[np.bool_]:
        if self.infection is not None:
            return read_mask(self.infection, volume) > 0
        if both is None:
            raise MarksError("it has a lung mask and no infection mask; add the folder Infection_Mask")
        return both == _INFECTION_VALUE


def read_scan(scan: Input) -> Volume:
    """The scan in Hounsfield units, also where it was made of 8-bit pictures; these have no hash of their own yet.

    Raises:
        ImageError: if it cannot be read or is no CT.
    """
    if scan.headers:
        return read_input(scan)
    raw = read_volume_file(scan.path)
    low, high = float(raw.values.min()), float(raw.values.max())
    if low < 0 or not 1 < high <= 255:
        return to_volume(raw, scan.case_id, scan.path, scan.source_below)
    bottom, top = WINDOW_HU
    values = np.rint(raw.values.astype(np.float32) / 255.0 * (top - bottom) + bottom).astype(np.int16)
    note = f"The scan is a picture of the window {bottom:g} to {top:g} HU in 256 grey levels, turned back into HU."
    raw = replace(raw, values=values, sha256="", notes=(*raw.notes, note))
    return to_volume(raw, scan.case_id, scan.path, scan.source_below)


def case_name(stem: str) -> str:
    """The name of a case from that of its scan or mask file, the same for both.

    Ours: two of the Radiopaedia patients were scanned twice; a series becomes a visit (``_t859021``), so that the
    patient stays on one side of the split.
    """
    name = stem.replace("_org", "").replace("covid-19-pneumonia-", "").removesuffix("-dcm")
    return _TWO_STUDIES.sub(r"\1_t\2\3", name)


def _folders(source: Path) -> dict[str, Path]:
    """The folders of the layout, the source's own or one level below it, by what is in them."""
    inner = sorted(path for path in source.iterdir() if path.is_dir())
    found: dict[str, Path] = {}
    for folder in [*inner, *(path for one in inner for path in sorted(one.iterdir()) if path.is_dir())]:
        kind = _MASK_FOLDERS.get(folder.name.lower()) or ("scans" if _SCAN_FOLDERS.fullmatch(folder.name) else None)
        if kind is not None:
            found.setdefault(kind, folder)
    return found


def _holds(source: Path, annotations: Path) -> bool:
    return {"scans"} < _folders(source).keys()


def _find(source: Path, annotations: Path) -> Iterator[FoundCase | Refused]:
    folders = _folders(source)
    if "scans" not in folders:
        raise SourceError(f"{source} has no folder COVID-19-CT-Seg_20cases; unpack the scans beside the masks")
    masks = {
        kind: {case_name(stem_of(path)): path for path in files_below(folder, (".nii", ".nii.gz"))}
        for kind, folder in folders.items()
        if kind != "scans"
    }
    for item in find_scans(folders["scans"]):
        if isinstance(item, Refused):
            yield item
            continue
        name = case_name(stem_of(item.path))
        mine = _Masks(**{kind: files[name] for kind, files in masks.items() if name in files})
        scan = replace(item, case_id=case_name(item.case_id))
        marks = mine.read if mine != _Masks() else None
        yield FoundCase(scan, marks, DEFAULT_CLASSES.infections[0] if marks else None, read_scan)


LAYOUT = Layout(
    name="covid19-ct-seg",
    shape="COVID-19-CT-Seg_20cases/ beside Infection_Mask/ and Lung_Mask/",
    origin="COVID-19-CT-Seg, Ma et al. 2020, doi:10.5281/zenodo.3757476, whose licence applies.",
    holds=_holds,
    find=_find,
)

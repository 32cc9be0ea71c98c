"""The DICOM series and radiographs of folders, however their files are spread over them.

Exporters start a new folder after so many files: a series is gathered over all that is searched. A damaged file costs
the series that it belongs to, since no result is better than one on an incomplete scan: by its header where that still
says so, else by its folder.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from .case_ids import short_hash, stem_of
from .content_kind import not_readable
from .dicom_file import DicomFile, read_dicom_file
from .dicom_header import SliceHeader
from .dicom_series import RADIOGRAPHS, is_companion, is_ct
from .dicom_start import is_blank
from .faults import DamagedError
from .folders import Kind, files_in, kind_of
from .found import Found, Input, PassedOver, Refused, folded, names_of

_Key = tuple[str, ...]
_NO_IMAGE = "is a DICOM object without an image (an index, a report, a plan)"
_UNKNOWN = "is of no kind that is read"
_COPY = "is a copy of a slice of a series in another folder"
_DOUBT = (
    "Damaged files that do not say which series they belong to lie beside the slices; if they are of this one, "
    "the result is that of an incomplete scan."
)


@dataclass
class DicomFolder:
    """The DICOM files that lie directly in a folder.

    Attributes:
        path: the folder.
        headers: of the images.
        faults: the files that cannot be used.
        passed_over: the files that are no images.
    """

    path: Path
    headers: list[SliceHeader] = field(default_factory=list)
    faults: list[DicomFile] = field(default_factory=list)
    passed_over: list[PassedOver] = field(default_factory=list)

    @classmethod
    def of(cls, path: Path, files: Sequence[Path]) -> "DicomFolder":
        """Look at the files of a folder; those of other kinds are left alone, those of no kind are passed over."""
        found = cls(path)
        kinds = {file: kind_of(file) for file in files}
        for file in (file for file, kind in kinds.items() if kind is Kind.DICOM):
            one = read_dicom_file(file)
            found.headers += one.headers
            if one.fault is not None:
                found.faults.append(one)
            elif not one.headers:
                found.passed_over.append(PassedOver(file, _NO_IMAGE))
        shapes = {_shape(header.path) for header in found.headers}
        for file in (file for file, kind in kinds.items() if kind is Kind.UNKNOWN):
            # Among slices, a file that is named as they are or holds nothing was one.
            if shapes and (
                _shape(file) in shapes or ((file.suffix[1:].isdigit() or not file.suffix) and is_blank(file))
            ):
                fault = DamagedError(f"{file} is damaged or no DICOM file; copy it again from the scanner or archive")
                found.faults.append(DicomFile(file, fault=fault))
            else:
                reason = str(not_readable(file, (), _UNKNOWN)).removeprefix(f"{file} ")
                found.passed_over.append(PassedOver(file, reason))
        return found

    @property
    def is_of_ct(self) -> bool:
        """Whether its pictures are those of a CT: slices, or what may have been some."""
        return any(is_ct([header]) for header in self.headers) or bool(self.faults and not self.headers)


@dataclass
class _Series:
    """Slices of one series, in the order of their folders."""

    folders: list[Path]
    headers: list[SliceHeader]
    notes: tuple[str, ...] = ()


def series_of(found: Sequence[DicomFolder]) -> list[Found]:
    """The series and radiographs of folders that are searched together, and what is refused or passed over."""
    items: list[Found] = [item for folder in found for item in folder.passed_over]
    radiographs = [h for folder in found for h in folder.headers if h.modality in RADIOGRAPHS]
    with_radiographs = {header.path.parent for header in radiographs}
    gathered = _gathered(found, items)
    cts = [series for series in gathered if is_ct(series.headers)]
    examined = {folder for series in cts for folder in series.folders} | with_radiographs
    patients = {series.headers[0].patient_key for series in cts} - {""}
    kept = []
    for series in gathered:
        is_beside = series.folders[0] in examined
        if is_ct(series.headers) or not (is_beside or is_companion(series.headers, patients)):
            kept.append(series)
        else:
            items += _companions(series.headers)
    items += _without_spoilt(kept, found)
    return [*items, *radiograph_inputs(radiographs)]


def folders_of_series(paths: Sequence[Path]) -> list[list[Path]]:
    """The folders of each DICOM series that lies in several of these, in their order; no folder in two lists."""
    gathered = _gathered([DicomFolder.of(path, files_in(path)) for path in paths], [])
    counts = Counter(folder for series in gathered for folder in series.folders)
    return [
        series.folders
        for series in gathered
        if len(series.folders) > 1 and all(counts[folder] == 1 for folder in series.folders)
    ]


def _gathered(found: Sequence[DicomFolder], items: list[Found]) -> list[_Series]:
    """The series over all folders; copies of a part of one go to ``items``."""
    parts: dict[_Key, dict[Path, list[SliceHeader]]] = defaultdict(lambda: defaultdict(list))
    for folder in found:
        for header in folder.headers:
            if header.modality not in RADIOGRAPHS:
                parts[header.series_key or (str(folder.path),)][folder.path].append(header)
    gathered: list[_Series] = []
    for by_folder in parts.values():
        gathered += _joined(by_folder, items)
    order = {folder.path: number for number, folder in enumerate(found)}

    def rank(series: _Series) -> tuple[int, int, str]:
        first = series.headers[0]
        return order[series.folders[0]], first.series_number or 0, first.series_uid

    return sorted(gathered, key=rank)


def _joined(by_folder: dict[Path, list[SliceHeader]], items: list[Found]) -> list[_Series]:
    """The parts of one series as one, but for whole copies: other acquisitions or copies are series of their own.

    Ours: folders hold parts of one series where less than half of the slices of one lie where slices of the other do.
    """
    joined: list[_Series] = []
    for path, headers in sorted(by_folder.items(), key=lambda part: -len(part[1])):
        places = {_place(header) for header in headers}
        for series in joined:
            there = {_place(header) for header in series.headers}
            if len(places & there) * 2 < len(places):
                series.headers += headers
                series.folders.append(path)
                break
            if len(headers) < len(series.headers) and {h.instance_uid for h in headers} <= {
                h.instance_uid for h in series.headers
            }:
                items += [PassedOver(file, _COPY) for file in dict.fromkeys(h.path for h in headers)]
                break
        else:
            joined.append(_Series([path], list(headers)))
    order = {path: number for number, path in enumerate(by_folder)}
    for series in joined:
        if len(series.folders) > 1:
            series.folders.sort(key=order.__getitem__)
            series.notes = (f"The series lies in {len(series.folders)} folders; they were read as one.",)
    return joined


def _place(header: SliceHeader) -> object:
    """Where a slice lies, to a tenth of a millimetre; another object for each where that is not known."""
    if header.position_mm is None:
        return header.path, header.frame
    return tuple(round(10 * value) for value in (*header.position_mm, *(header.row_direction or ())))


def _shape(path: Path) -> str:
    """A file's name whatever its numbers: the slices of a series have one shape."""
    return re.sub(r"\d+", "0", path.name)


def _companions(headers: Sequence[SliceHeader]) -> list[PassedOver]:
    """What lies in the folder of a CT or an X-ray and is none."""

    def kind(header: SliceHeader) -> str:
        if header.is_localizer:
            return "is a scout view"
        return "is a screenshot or an image of another modality in the folder of a CT or X-ray"

    return [PassedOver(path, kind(header)) for path, header in {h.path: h for h in headers}.items()]


def _without_spoilt(series: Sequence[_Series], found: Sequence[DicomFolder]) -> list[Found]:
    """Inputs for the series that are whole; one sentence for each that damaged files belong to, or may belong to."""
    spoilt: dict[int, list[DicomFile]] = defaultdict(list)
    doubtful: set[int] = set()
    alone: list[DicomFile] = []
    of_folder: dict[Path, list[int]] = defaultdict(list)
    of_key: dict[_Key | None, list[int]] = defaultdict(list)
    for number, one in enumerate(series):
        of_key[one.headers[0].series_key].append(number)
        for path in one.folders:
            of_folder[path].append(number)
    for folder in found:
        here = [number for number in of_folder[folder.path] if is_ct(series[number].headers)]
        for fault in folder.faults:
            own = of_key[fault.series]
            # A file that is of another kind than its name says is no slice.
            in_doubt = here if fault.series is None and isinstance(fault.fault, DamagedError) else []
            if fault.series is not None and own:
                spoilt[next((number for number in own if number in here), own[0])].append(fault)
            elif len(in_doubt) == 1:
                spoilt[in_doubt[0]].append(fault)
            else:
                alone.append(fault)
                doubtful.update(in_doubt)
    items: list[Found] = [_spoilt(faults) for faults in spoilt.values()]
    items += [Refused(path, reason) for path, reason in folded(Refused(one.path, str(one.fault)) for one in alone)]
    for number, one in enumerate(series):
        if number not in spoilt:
            notes = (*one.notes, *([_DOUBT] if number in doubtful else []))
            is_alone = len(of_folder[one.folders[0]]) == 1
            items.append(replace(series_input(one.folders[0], one.headers, is_alone), notes=notes))
    return items


def _spoilt(faults: Sequence[DicomFile]) -> Refused:
    """The refusal of a series with damaged files."""
    folder = faults[0].path.parent
    if all(isinstance(one.fault, DamagedError) for one in faults):
        names = names_of([one.path for one in faults])
        return Refused(folder, f"{folder} holds damaged DICOM files ({names}); copy the series again")
    path, reason = folded([Refused(one.path, str(one.fault)) for one in faults])[0]
    return Refused(path, reason)


def series_input(path: Path, headers: Sequence[SliceHeader], alone: bool) -> Input:
    """The input of a series in a folder or file; ``alone``: no other series lies there."""
    first = headers[0]
    stem = stem_of(path)
    if any(h.names_patient for h in headers):
        stem = f"case_{short_hash(first.series_uid or stem)}"
    if not alone:
        number = first.series_number
        stem += f"_series{number}" if number is not None and 0 <= number < 1_000_000 else "_series"
    return Input(stem, path, first.series_uid, tuple(headers))


def radiograph_inputs(headers: Sequence[SliceHeader]) -> list[Input]:
    """One input for each file."""
    files: dict[Path, list[SliceHeader]] = {}
    for header in headers:
        files.setdefault(header.path, []).append(header)
    inputs = [series_input(path, frames, alone=True) for path, frames in files.items()]
    return [replace(item, modality="CXR") for item in inputs]

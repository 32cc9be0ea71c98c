"""What the user gave - files, DICOM folders, folders of cases - as one ``Input`` for each case."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from ..errors import PneumoScreenError
from .case_ids import DICOM_SUFFIXES, PICTURE_SUFFIXES, VOLUME_SUFFIXES, short_hash, source_below, stem_of, unique_id
from .content_kind import is_picture, not_readable
from .dicom_header import SliceHeader, looks_like_dicom, read_headers
from .dicom_series import RADIOGRAPHS, group_series, is_ct
from .faults import AbsentError, DamagedError, NotCTError, UnsupportedError
from .folders import entries, folders, may_be_dicom

Modality = Literal["CT", "CXR"]


@dataclass(frozen=True)
class Input:
    """One case to read.

    Attributes:
        case_id: unique among the inputs found together, and safe as a file name.
        path: the file, or the folder of the DICOM series.
        series_uid: which series of the folder, or None for a file of another format.
        headers: the headers of that series or DICOM radiograph, so that they are read once.
        modality: "CT", or "CXR" for a chest X-ray. Nothing but the kind of the file is known yet.
        source_below: where it lies below what the user named; see ``below``.
    """

    case_id: str
    path: Path
    series_uid: str | None = None
    headers: tuple[SliceHeader, ...] = field(default=(), repr=False, compare=False)
    modality: Modality = "CT"
    source_below: str | None = None


@dataclass(frozen=True)
class Refused:
    """A path that cannot become a case; ``reason`` is the whole sentence to show, the path included."""

    path: Path
    reason: str


def find_inputs(paths: Sequence[Path]) -> list[Input | Refused]:
    """The cases behind the paths that a user gave, in their order; folders are searched in order of names.

    A file given by name is either an ``Input`` or ``Refused``. A picture is an X-ray. Within folders junk is passed
    over: hidden files, documents, pictures beside a CT, and scout views, screenshots and objects that are no
    images beside a CT series. Volumes and pictures are not opened yet: they may still be refused by ``read_input``
    and ``read_radiograph``.
    """
    found: list[Input | Refused] = []
    # `a` and `b/../a` are one case; realpath, unlike Path.resolve, bears links that lead in a circle.
    given: dict[str, Path] = {}
    for path in paths:
        given.setdefault(os.path.realpath(path), Path(path))
    for path in given.values():
        try:
            items = _find_in_folder(path) if path.is_dir() else [file_input(path)]
            found += [below(item, path) if isinstance(item, Input) else item for item in items]
        except PneumoScreenError as error:
            found.append(Refused(path, str(error)))
        except OSError:
            found.append(Refused(path, f"{path} cannot be opened; check its name and that it may be read"))
    return _with_unique_ids(found)


def below(given: Input, root: Path) -> Input:
    """The input with the place of its file or folder below ``root``, as its document will give it.

    Ours: where that place holds a part of the patient's name, its hash stands for it, as for the case's name.
    """
    place = source_below(given.path, root)
    if place is not None and any(_is_named(header, given.path, place) for header in given.headers):
        place = short_hash(place)
    return replace(given, source_below=place)


def _is_named(header: SliceHeader, path: Path, place: str) -> bool:
    """Whether a place holds a part of the patient's name; a series' file names count although it leaves them out."""
    parts = len(Path(place).parts) + (header.path != path)
    return 0 < header.naming_part <= parts


def series_in_folder(folder: Path) -> list[Input | Refused]:
    """The DICOM series and radiographs whose files lie directly in a folder; empty if there is no DICOM file in it."""
    files = [path for path in entries(folder) if path.is_file() and may_be_dicom(path)]
    headers: list[SliceHeader] = []
    damaged: list[Refused] = []
    for path in files:
        try:
            headers += read_headers(path)
        except PneumoScreenError as error:
            damaged.append(Refused(path, str(error)))
    radiographs = [header for header in headers if header.modality in RADIOGRAPHS]
    groups = group_series(header for header in headers if header.modality not in RADIOGRAPHS)
    # An examination's folder also holds scout views, dose reports and screenshots.
    groups = [group for group in groups if is_ct(group)] or ([] if radiographs else groups)
    if damaged and len(groups) == 1:
        # It may be a slice of the only series there: better no result than one on an incomplete scan.
        names = ", ".join(refused.path.name for refused in damaged[:3]) + (" and more" if len(damaged) > 3 else "")
        return [Refused(folder, f"{folder} holds damaged DICOM files ({names}); copy the series again")]
    if files and not headers and not damaged:
        return [Refused(folder, f"{folder} holds DICOM files without images; give a chest CT series")]
    inputs = [_series_input(folder, group, alone=len(groups) == 1) for group in groups]
    return [*inputs, *_radiograph_inputs(radiographs), *damaged]


def file_input(path: Path) -> Input:
    """The input of one file given by name.

    Raises:
        ImageError: if it is absent or of a kind that is not read.
    """
    name = path.name.lower()
    if not path.exists():
        raise AbsentError(f"{path} does not exist; check the path")
    if not path.is_file():
        raise UnsupportedError(f"{path} is neither a file nor a folder; give a CT")
    if name.endswith(VOLUME_SUFFIXES):
        return Input(stem_of(path), path)
    if name.endswith(PICTURE_SUFFIXES):
        return Input(stem_of(path), path, modality="CXR")
    if name == "dicomdir":
        raise UnsupportedError(f"{path} is an index of a DICOM medium; give the folder of the series")
    if path.stat().st_size == 0:
        raise DamagedError(f"{path} is empty; copy it again")
    if is_picture(path):
        return Input(stem_of(path), path, modality="CXR")
    if not name.endswith(DICOM_SUFFIXES) and not looks_like_dicom(path):
        fault = not_readable(path, (), "is of no kind that is read")
        if isinstance(fault, UnsupportedError):
            raise fault
        raise UnsupportedError(
            f"{path} is of no kind that is read; "
            "give a DICOM folder, a .nii, .nii.gz, .nrrd, .nhdr, .mha or .mhd file, or an X-ray as DICOM, PNG or JPEG"
        )
    headers = read_headers(path)
    if not headers:
        raise NotCTError(f"{path} is a DICOM file without an image; give a chest CT series")
    if headers[0].modality in RADIOGRAPHS:
        return _radiograph_inputs(headers)[0]
    if headers[0].modality == "CT" and len(headers) == 1:
        raise UnsupportedError(f"{path} is a single DICOM slice; give the folder that holds its whole series")
    return _series_input(path, headers, alone=True)


def modality_of(path: Path) -> Modality:
    """What kind of image a file or DICOM folder of the studies holds, from its name and first header alone.

    Raises:
        ImageError: if that header cannot be read.
    """
    name = path.name.lower()
    if name.endswith(PICTURE_SUFFIXES):
        return "CXR"
    if name.endswith(VOLUME_SUFFIXES):
        return "CT"
    files = [file for file in entries(path) if file.is_file() and may_be_dicom(file)] if path.is_dir() else [path]
    headers = read_headers(files[0]) if files else []
    return "CXR" if headers and headers[0].modality in RADIOGRAPHS else "CT"


def _find_in_folder(folder: Path) -> list[Input | Refused]:
    found: dict[Path, list[Input | Refused]] = {}
    pictures: dict[Path, list[Input | Refused]] = {}
    for inner in folders(folder):
        try:
            files = [path for path in entries(inner) if not path.is_dir()]
            series = series_in_folder(inner)
        except (AbsentError, OSError):
            # One folder that may not be read does not cost the others their result.
            found[inner] = [Refused(inner, f"{inner} cannot be opened; check that it may be read")]
            continue
        found[inner] = [*_in_folder(files, VOLUME_SUFFIXES), *series]
        pictures[inner] = _in_folder(files, PICTURE_SUFFIXES)
    # A folder that could not be opened says nothing of the pictures beside it.
    held = [inner for inner in pictures if found[inner]]
    for inner, items in pictures.items():
        if not any(_beside(inner, other) for other in held):
            found[inner] = items
    if not any(found.values()):
        raise UnsupportedError(
            f"{folder} holds no CT and no X-ray; give a DICOM folder or one with NIfTI, NRRD, MHA or picture files"
        )
    return [item for items in found.values() for item in items]


def _beside(folder: Path, other: Path) -> bool:
    """Whether pictures in a folder belong to what the other one holds: in it, above it or below it."""
    return folder.is_relative_to(other) or other.is_relative_to(folder)


def _in_folder(files: Sequence[Path], suffixes: tuple[str, ...]) -> list[Input | Refused]:
    return [_file_in_folder(path) for path in files if path.name.lower().endswith(suffixes)]


def _file_in_folder(path: Path) -> Input | Refused:
    try:
        return file_input(path)
    except PneumoScreenError as error:
        return Refused(path, str(error))
    except OSError:
        return Refused(path, f"{path} cannot be opened; check that it may be read")


def _series_input(path: Path, headers: Sequence[SliceHeader], alone: bool) -> Input:
    first = headers[0]
    stem = stem_of(path)
    if any(h.names_patient for h in headers):
        stem = f"case_{short_hash(first.series_uid or stem)}"
    if not alone:
        number = first.series_number
        stem += f"_series{number}" if number is not None and 0 <= number < 1_000_000 else "_series"
    return Input(stem, path, first.series_uid, tuple(headers))


def _radiograph_inputs(headers: Sequence[SliceHeader]) -> list[Input]:
    """One input for each file."""
    files: dict[Path, list[SliceHeader]] = {}
    for header in headers:
        files.setdefault(header.path, []).append(header)
    inputs = [_series_input(path, frames, alone=True) for path, frames in files.items()]
    return [replace(item, modality="CXR") for item in inputs]


def _with_unique_ids(found: Sequence[Input | Refused]) -> list[Input | Refused]:
    # Some file systems take "CT" and "ct" for the same name.
    taken: set[str] = set()
    unique: list[Input | Refused] = []
    for item in found:
        if isinstance(item, Input):
            item = replace(item, case_id=unique_id(item.case_id, taken))
            taken.add(item.case_id.lower())
        unique.append(item)
    return unique

"""What the user gave - files, DICOM folders, folders of cases - as one ``Input`` for each case."""

import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

from ..errors import PneumoScreenError
from .dicom_header import SliceHeader, looks_like_dicom, read_headers
from .dicom_series import group_series, is_ct
from .faults import AbsentError, DamagedError, NotCTError, UnsupportedError

VOLUME_SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
_DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
_JUNK_SUFFIXES = (".json", ".html", ".htm", ".txt", ".csv", ".tsv", ".md", ".xml", ".pdf", ".log", ".yaml", ".yml")
_JUNK_NAMES = ("thumbs.db", "desktop.ini", "dicomdir", "lockfile", "version")
# A studies folder keeps its label maps, documents and records here, beside the images.
_JUNK_FOLDERS = ("labels", "annotations", "audit", "__macosx")
_MAX_ID = 80


@dataclass(frozen=True)
class Input:
    """One case to read.

    Attributes:
        case_id: unique among the inputs found together, and safe as a file name.
        path: the file, or the folder of the DICOM series.
        series_uid: which series of the folder, or None for a file of another format.
        headers: the headers of that series, so that they are read once.
    """

    case_id: str
    path: Path
    series_uid: str | None = None
    headers: tuple[SliceHeader, ...] = field(default=(), repr=False, compare=False)


@dataclass(frozen=True)
class Refused:
    """A path that cannot become a case; ``reason`` is the whole sentence to show, the path included."""

    path: Path
    reason: str


def find_inputs(paths: Sequence[Path]) -> list[Input | Refused]:
    """The cases behind the paths that a user gave, in their order; folders are searched in order of names.

    A file given by name is either an ``Input`` or ``Refused``. Within folders junk is passed over:
    hidden files, documents, pictures beside a CT, and scout views, screenshots and objects that are no
    images beside a CT series. Volumes are not opened yet: they may still be refused by ``read_input``.
    """
    found: list[Input | Refused] = []
    # `a` and `b/../a` are one case; realpath, unlike Path.resolve, bears links that lead in a circle.
    given: dict[str, Path] = {}
    for path in paths:
        given.setdefault(os.path.realpath(path), Path(path))
    for path in given.values():
        try:
            found += _find_in_folder(path) if path.is_dir() else [_find_file(path)]
        except PneumoScreenError as error:
            found.append(Refused(path, str(error)))
        except OSError:
            found.append(Refused(path, f"{path} cannot be opened; check its name and that it may be read"))
    return _with_unique_ids(found)


def series_in_folder(folder: Path) -> list[Input | Refused]:
    """The DICOM series whose files lie directly in a folder; empty if there is no DICOM file in it."""
    files = [path for path in _entries(folder) if path.is_file() and _may_be_dicom(path)]
    headers: list[SliceHeader] = []
    damaged: list[Refused] = []
    for path in files:
        try:
            headers += read_headers(path)
        except PneumoScreenError as error:
            damaged.append(Refused(path, str(error)))
    groups = group_series(headers)
    # An examination's folder also holds scout views, dose reports and screenshots.
    groups = [group for group in groups if is_ct(group)] or groups
    if damaged and len(groups) == 1:
        # It may be a slice of the only series there: better no result than one on an incomplete scan.
        names = ", ".join(refused.path.name for refused in damaged[:3]) + (" and more" if len(damaged) > 3 else "")
        return [Refused(folder, f"{folder} holds damaged DICOM files ({names}); copy the series again")]
    if files and not groups and not damaged:
        return [Refused(folder, f"{folder} holds DICOM files without images; give a chest CT series")]
    inputs = [_series_input(folder, group, alone=len(groups) == 1) for group in groups]
    return [*inputs, *damaged]


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
        return Input(_stem(path), path)
    if name.endswith(PICTURE_SUFFIXES):
        raise UnsupportedError(f"{path} is a picture, and X-ray screening is not in this version; give a chest CT")
    if name == "dicomdir":
        raise UnsupportedError(f"{path} is an index of a DICOM medium; give the folder of the series")
    if path.stat().st_size == 0:
        raise DamagedError(f"{path} is empty; copy it again")
    if not name.endswith(_DICOM_SUFFIXES) and not looks_like_dicom(path):
        raise UnsupportedError(
            f"{path} is of no kind that is read; "
            "give a DICOM folder or a .nii, .nii.gz, .nrrd, .nhdr, .mha or .mhd file"
        )
    headers = read_headers(path)
    if not headers:
        raise NotCTError(f"{path} is a DICOM file without an image; give a chest CT series")
    if headers[0].modality == "CT" and len(headers) == 1:
        raise UnsupportedError(f"{path} is a single DICOM slice; give the folder that holds its whole series")
    return _series_input(path, headers, alone=True)


def _find_file(path: Path) -> Input | Refused:
    return file_input(path)


def _find_in_folder(folder: Path) -> list[Input | Refused]:
    found: list[Input | Refused] = []
    pictures = 0
    for inner in _folders(folder):
        try:
            entries = [path for path in _entries(inner) if not path.is_dir()]
            series = series_in_folder(inner)
        except (AbsentError, OSError):
            # One folder that may not be read does not cost the others their result.
            found.append(Refused(inner, f"{inner} cannot be opened; check that it may be read"))
            continue
        found += [_volume_in_folder(path) for path in entries if path.name.lower().endswith(VOLUME_SUFFIXES)]
        found += series
        pictures += sum(path.name.lower().endswith(PICTURE_SUFFIXES) for path in entries)
    if found:
        return found
    if pictures:
        raise UnsupportedError(
            f"{folder} holds pictures and no CT, and X-ray screening is not in this version; give a chest CT"
        )
    raise UnsupportedError(f"{folder} holds no CT; give a DICOM folder or a folder with NIfTI, NRRD or MHA files")


def _volume_in_folder(path: Path) -> Input | Refused:
    try:
        return file_input(path)
    except PneumoScreenError as error:
        return Refused(path, str(error))
    except OSError:
        return Refused(path, f"{path} cannot be opened; check that it may be read")


def _folders(folder: Path) -> Iterator[Path]:
    yield folder
    try:
        # A link to a folder above would never end.
        inner = [path for path in _entries(folder) if path.is_dir() and not path.is_symlink()]
    except (AbsentError, OSError):
        return  # whoever took the folder finds this out as well, and says it
    for path in inner:
        if path.name.lower() not in _JUNK_FOLDERS:
            yield from _folders(path)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError:
        raise AbsentError(f"{folder} cannot be opened; check that it may be read") from None


def _may_be_dicom(path: Path) -> bool:
    name = path.name.lower()
    if name in _JUNK_NAMES or name.endswith((*VOLUME_SUFFIXES, *PICTURE_SUFFIXES, *_JUNK_SUFFIXES)):
        return False
    if name.endswith(_DICOM_SUFFIXES):
        return True
    try:
        return looks_like_dicom(path)
    except OSError:
        return True  # read_headers names it; left out, a series would lose a slice in silence


def _series_input(path: Path, headers: Sequence[SliceHeader], alone: bool) -> Input:
    first = headers[0]
    stem = _stem(path)
    if any(h.names_patient for h in headers):
        stem = f"case_{_short_hash(first.series_uid or stem)}"
    if not alone:
        number = first.series_number
        stem += f"_series{number}" if number is not None and 0 <= number < 1_000_000 else "_series"
    return Input(stem, path, first.series_uid, tuple(headers))


def _short_hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:8]


def _stem(path: Path) -> str:
    """The name without its suffix, in letters, digits, dot, dash and underscore."""
    name = path.resolve().name if path.name in ("", "..") else path.name
    if path.is_file():
        for suffix in sorted((*VOLUME_SUFFIXES, *_DICOM_SUFFIXES), key=len, reverse=True):
            if name.lower().endswith(suffix):
                name = name[: -len(suffix)]
                break
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9._-]+", "_", ascii_name).strip("._-")[:_MAX_ID] or "case"


def _with_unique_ids(found: Sequence[Input | Refused]) -> list[Input | Refused]:
    # Some file systems take "CT" and "ct" for the same name.
    taken: set[str] = set()
    unique: list[Input | Refused] = []
    for item in found:
        if isinstance(item, Input):
            item = replace(item, case_id=_unique(item.case_id, taken))
            taken.add(item.case_id.lower())
        unique.append(item)
    return unique


def _unique(case_id: str, taken: set[str]) -> str:
    number, candidate = 1, case_id
    while candidate.lower() in taken:
        number += 1
        candidate = f"{case_id}_{number}"
    return candidate

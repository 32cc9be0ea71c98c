"""What the user gave - files, DICOM folders, folders of cases - as one ``Input`` for each case."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ..case_kinds import modality_of_name
from ..errors import PneumoScreenError
from .case_ids import DICOM_SUFFIXES, PICTURE_SUFFIXES, VOLUME_SUFFIXES, short_hash, source_below, stem_of, unique_id
from .content_kind import is_picture, not_readable
from .dicom_file import read_dicom_file, read_headers
from .dicom_series import RADIOGRAPHS
from .dicom_start import looks_like_dicom
from .faults import AbsentError, DamagedError, NotCTError, UnsupportedError
from .folders import Kind, files_in, folders, folders_in, kind_of, kind_of_name
from .found import Found, Input, Modality, PassedOver, Refused
from .series_search import DicomFolder, radiograph_inputs, series_input, series_of

__all__ = [
    "PICTURE_SUFFIXES",
    "VOLUME_SUFFIXES",
    "Input",
    "Modality",
    "PassedOver",
    "Refused",
    "below",
    "file_input",
    "find_inputs",
    "modality_of",
    "search",
    "search_by_folder",
    "series_in_folders",
]

_MOST_ABOVE = 8
"""Folders above an input that its source may name to tell it from another one."""


def find_inputs(paths: Sequence[Path]) -> list[Input | Refused]:
    """What ``search`` finds, without what it passed over."""
    return [item for item in search(paths) if not isinstance(item, PassedOver)]


def search(paths: Sequence[Path]) -> list[Found]:
    """The cases behind the paths that a user gave, in their order; folders are searched in order of names.

    A file given by name is either an ``Input`` or ``Refused``. A picture is an X-ray. A series is gathered over all
    folders that are searched. Within folders hidden files and documents are left out; whatever else might be an image
    and is none, or belongs to another one, is ``PassedOver``: pictures beside a CT, scout views, screenshots, objects
    without an image. Volumes and pictures are not opened yet: they may still be refused by ``read_input`` and
    ``read_radiograph``.
    """
    # `a` and `b/../a` are one case; realpath, unlike Path.resolve, bears links that lead in a circle.
    given: dict[str, Path] = {}
    for path in paths:
        given.setdefault(os.path.realpath(path), Path(path))
    seen: set[str] = set()
    searches = [_Search(path, seen) for path in given.values()]
    of_series: dict[Path, list[Found]] = {}
    for item in series_of([folder for one in searches for folder in one.dicom.values()]):
        of_series.setdefault(_folder_of(item), []).append(item)
    found = [(item, one.root) for one in searches for item in one.items(of_series)]
    return _with_unique_ids(_told_apart(_once(found)))


def search_by_folder(root: Path) -> Iterator[Found]:
    """What ``search`` finds in a folder, in parts: its own files, then each folder in it with all below.

    The headers of one part are held at a time. A series is gathered within a part, and pictures are told to belong to a
    volume by what the part holds; ids are unique within a part.
    """
    seen: set[str] = set()
    yield from _part(_Search(root, seen, alone=True), root)
    for inner in folders_in(root):
        yield from _part(_Search(inner, seen), root)


def _part(one: "_Search", root: Path) -> list[Found]:
    of_series: dict[Path, list[Found]] = {}
    for item in series_of(list(one.dicom.values())):
        of_series.setdefault(_folder_of(item), []).append(item)
    found = [_placed(item, root) for item in one.items(of_series, is_told=True)]
    return _with_unique_ids(_told_apart(_once([(item, root) for item in found])))


class _Search:
    """What lies behind one path that the user gave; ``alone``: without the folders in it."""

    def __init__(self, root: Path, seen: set[str], *, alone: bool = False) -> None:
        self.root = root
        self.dicom: dict[Path, DicomFolder] = {}
        self._files: dict[Path, list[Path]] = {}
        self._found: list[Found] = []
        self._is_searched = root.is_dir() and os.path.realpath(root) in seen
        if alone:
            seen.add(os.path.realpath(root))
            self._look_into(root)
        elif root.is_dir():
            for inner in folders(root, lambda path, reason: self._found.append(PassedOver(path, reason)), seen):
                self._look_into(inner)

    def _look_into(self, folder: Path) -> None:
        try:
            self._files[folder] = files_in(folder)
            self.dicom[folder] = DicomFolder.of(folder, self._files[folder])
        except (AbsentError, OSError):
            # One folder that may not be read does not cost the others their result.
            self._files.pop(folder, None)
            self._found.append(Refused(folder, f"{folder} cannot be opened; check that it may be read"))

    def items(self, of_series: dict[Path, list[Found]], *, is_told: bool = False) -> list[Found]:
        """All that was found, in order of the folders, but for series that begin elsewhere.

        Args:
            of_series: what DICOM files of a folder are, by the folder.
            is_told: whether nothing is to be said of a path that holds no image.
        """
        if not self.root.is_dir():
            return [_placed(_file_item(self.root, "check its name and that it may be read"), self.root)]
        found = list(self._found)
        of_ct = {path for path, one in self.dicom.items() if one.is_of_ct}
        above_ct = {parent for path in of_ct for parent in path.parents}
        for folder, files in self._files.items():
            found += [_file_item(path) for path in files if kind_of_name(path) is Kind.VOLUME]
            found += of_series.get(folder, ())
            is_of_ct = folder in above_ct or not of_ct.isdisjoint((folder, *folder.parents))
            found += self._pictures(folder, [path for path in files if kind_of_name(path) is Kind.PICTURE], is_of_ct)
        is_told = is_told or self._is_searched or any(not isinstance(item, PassedOver) for item in found)
        # A series may have begun in a folder that was named before this one.
        if not is_told and not any(one.headers for one in self.dicom.values()):
            reason = "holds no CT and no X-ray; give a DICOM folder or one with NIfTI, NRRD, MHA or picture files"
            found.append(Refused(self.root, f"{self.root} {reason}"))
        return [_placed(item, self.root) for item in found]

    def _pictures(self, folder: Path, files: Sequence[Path], is_of_ct: bool) -> Iterator[Found]:
        """The pictures of a folder. Ours: those in, above and below a DICOM CT and beside a volume belong to it."""
        is_of_ct = is_of_ct or any(kind_of_name(path) is Kind.VOLUME for path in self._files[folder])
        twins = {stem_of(header.path) for header in self.dicom[folder].headers}
        for path in files:
            if is_of_ct:
                yield PassedOver(path, "is a picture beside a CT; name it to have it screened as an X-ray")
            elif stem_of(path) in twins:
                yield PassedOver(path, "is a picture beside a DICOM file of its name; name it to have it screened")
            else:
                yield _file_item(path)


def _folder_of(item: Found) -> Path:
    """The folder in whose place a series or DICOM file is told."""
    if isinstance(item, Input):
        return item.path if item.modality == "CT" and item.path.is_dir() else item.path.parent
    return item.path if item.path.is_dir() else item.path.parent


def _file_item(path: Path, remedy: str = "check that it may be read") -> Found:
    try:
        return file_input(path)
    except PneumoScreenError as error:
        return Refused(path, str(error))
    except OSError:
        return Refused(path, f"{path} cannot be opened; {remedy}")


def _placed(item: Found, root: Path) -> Found:
    return below(item, root) if isinstance(item, Input) else item


def below(given: Input, root: Path) -> Input:
    """The input with the place of its file or folder below ``root``, as its document will give it.

    Ours: where that place holds a part of the patient's name, its hash stands for it, as for the case's name.
    """
    source = source_below(given.path, root)
    if source is None:
        return replace(given, source_below=None, place=None)
    name = source_below(root, root)
    place = source if given.path == root or name is None else f"{name}/{source}"
    return replace(
        given,
        source_below=short_hash(source) if _is_named(given, source) else source,
        place=None if _is_named(given, place) else place,
    )


def _is_named(given: Input, place: str) -> bool:
    """Whether a place holds a part of the patient's name; a series' file names count although it leaves them out."""
    parts = len(Path(place).parts)
    return any(0 < header.naming_part <= parts + (header.path != given.path) for header in given.headers)


def _once(found: Sequence[tuple[Found, Path]]) -> list[tuple[Found, Path]]:
    """What was found, without files that were named and lie in a folder that was named as well."""
    taken: set[tuple[str, str | None]] = set()
    kept = []
    for item, root in found:
        if isinstance(item, Input):
            key = os.path.realpath(item.path), item.series_uid
            if key in taken:
                continue
            taken.add(key)
        kept.append((item, root))
    files = {path for path, _ in taken}
    return [pair for pair in kept if not (isinstance(pair[0], PassedOver) and os.path.realpath(pair[0].path) in files)]


def _told_apart(found: Sequence[tuple[Found, Path]]) -> list[Found]:
    """What was found; sources of several inputs that would be the same name the folders above too, until they differ.

    So ``a/1.png`` and ``b/1.png``, both named by themselves, are told apart.
    """
    items = [item for item, _ in found]
    for above in range(_MOST_ABOVE):
        paths: dict[str, set[Path]] = {}
        for item in items:
            if isinstance(item, Input) and item.source_below is not None:
                paths.setdefault(item.source_below, set()).add(item.path)
        for number, item in enumerate(items):
            if isinstance(item, Input) and len(paths.get(item.source_below or "", ())) > 1:
                higher = Path(os.path.abspath(found[number][1])).parents[above : above + 1]
                absolute = replace(item, path=Path(os.path.abspath(item.path)))
                if higher:
                    items[number] = replace(item, source_below=below(absolute, higher[0]).source_below)
    return items


def series_in_folders(paths: Sequence[Path]) -> list[Found]:
    """The DICOM series and radiographs whose files lie directly in these folders, gathered over them."""
    return series_of([DicomFolder.of(path, files_in(path)) for path in paths])


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
    told = modality_of_name(name)
    if told is not None:
        return Input(stem_of(path), path, modality=told)
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
        return radiograph_inputs(headers)[0]
    if headers[0].modality == "CT" and len(headers) == 1:
        raise UnsupportedError(f"{path} is a single DICOM slice; give the folder that holds its whole series")
    return series_input(path, headers, alone=True)


def modality_of(path: Path) -> Modality:
    """What kind of image a file or DICOM folder of the studies holds, from its name and first header alone.

    Raises:
        ImageError: if that header cannot be read.
    """
    name = path.name.lower()
    told = modality_of_name(name)
    if told is not None:
        return told
    if name.endswith(PICTURE_SUFFIXES):
        return "CXR"
    if name.endswith(VOLUME_SUFFIXES):
        return "CT"
    files = [file for file in files_in(path) if kind_of(file) is Kind.DICOM] if path.is_dir() else [path]
    found = (read_dicom_file(file) for file in files)
    first = next((one for one in found if one.headers or one.fault), None)
    if first is not None and first.fault is not None:
        raise first.fault
    return "CXR" if first is not None and first.headers[0].modality in RADIOGRAPHS else "CT"


def _with_unique_ids(found: Sequence[Found]) -> list[Found]:
    taken: dict[str, int] = {}
    return [
        replace(item, case_id=unique_id(item.case_id, taken)) if isinstance(item, Input) else item for item in found
    ]

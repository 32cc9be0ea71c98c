"""Which files and folders in a folder of the user's can hold images."""

import os
from collections.abc import Callable, Iterator
from enum import Enum, auto
from pathlib import Path

from .case_ids import DICOM_SUFFIXES, PICTURE_SUFFIXES, VOLUME_SUFFIXES
from .dicom_start import looks_like_dicom
from .faults import AbsentError

_JUNK_SUFFIXES = (".json", ".html", ".htm", ".txt", ".csv", ".tsv", ".md", ".xml", ".pdf", ".log", ".yaml", ".yml")
_JUNK_NAMES = ("thumbs.db", "desktop.ini", "dicomdir", "lockfile", "version")
# A studies folder keeps its label maps, documents and records here, beside the images.
_JUNK_FOLDERS = ("labels", "annotations", "audit", "__macosx")

Say = Callable[[Path, str], object]
"""Takes a path that is left out, and why."""


class Kind(Enum):
    """What a file is by its name and its first bytes."""

    VOLUME = auto()
    PICTURE = auto()
    DICOM = auto()
    JUNK = auto()
    """A document, a table or what a system keeps."""
    UNKNOWN = auto()


def folders(folder: Path, say: Say, seen: set[str]) -> Iterator[Path]:
    """The folder and those below it in order of names, without those that hold no scans.

    Links are followed, but not to what is searched already.

    Args:
        folder: where to begin.
        say: takes the folders and links that are left out although they may hold images.
        seen: real paths of folders that were searched before; they are left out, and more are added.
    """
    yield from _below(folder, say, [os.path.realpath(folder)], seen)


def _below(folder: Path, say: Say, searched: list[str], seen: set[str]) -> Iterator[Path]:
    real = os.path.realpath(folder)
    if real in seen:
        return
    seen.add(real)
    yield folder
    try:
        inner = entries(folder)
    except (AbsentError, OSError):
        return  # whoever took the folder finds this out as well, and says it
    for path in inner:
        if path.is_symlink() and not _is_followed(path, say, searched):
            continue
        if not path.is_dir():
            if path.exists() and not path.is_file() and not _is_told_later(path):
                say(path, "is a device, pipe or socket")
            continue
        if path.name.lower() not in _JUNK_FOLDERS:
            yield from _below(path, say, searched, seen)
        elif _holds_images(path):
            say(path, "is for the label maps and records of a studies folder")


def folders_in(folder: Path) -> list[Path]:
    """The folders directly in one, in order of names, without those that hold no scans; none where it cannot be opened.

    A link is one of them unless it leads to the folder itself or above.
    """
    try:
        inner = entries(folder)
    except AbsentError:
        return []
    real = os.path.realpath(folder)
    return [
        path
        for path in inner
        if path.is_dir() and path.name.lower() not in _JUNK_FOLDERS and not _holds(os.path.realpath(path), real)
    ]


def _is_followed(link: Path, say: Say, searched: list[str]) -> bool:
    """Whether a link leads to a folder that is not searched yet; its target is added to ``searched``."""
    real = os.path.realpath(link)
    if not os.path.exists(real):
        if kind_of_name(link) is Kind.UNKNOWN:
            say(link, "is a link that leads nowhere")
        return False
    if not os.path.isdir(real):
        return True
    above = [root for root in searched if _holds(real, root)]
    if above and real not in searched:
        say(link, "is a link to a folder above, which is not searched; name it")
    if above or any(_holds(root, real) for root in searched):
        return False
    searched.append(real)
    return True


def _holds(folder: str, inner: str) -> bool:
    return inner == folder or inner.startswith(folder.rstrip(os.sep) + os.sep)


def _holds_images(folder: Path) -> bool:
    known = (*VOLUME_SUFFIXES, *PICTURE_SUFFIXES, *DICOM_SUFFIXES)
    return any(name.lower().endswith(known) for _, _, names in os.walk(folder) for name in names)


def entries(folder: Path) -> list[Path]:
    """What lies directly in a folder, in order of names, without hidden files.

    Raises:
        AbsentError: if it cannot be opened.
    """
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError:
        raise AbsentError(f"{folder} cannot be opened; check that it may be read") from None


def files_in(folder: Path) -> list[Path]:
    """The files of ``entries``; also what is named as an image and is no file, but for pipes and the like as DICOM.

    Raises:
        AbsentError: if it cannot be opened.
    """
    return [path for path in entries(folder) if path.is_file() or (not path.is_dir() and _is_told_later(path))]


def _is_told_later(path: Path) -> bool:
    """Whether what is no file is refused by whoever reads it."""
    kind = kind_of_name(path)
    return kind in (Kind.VOLUME, Kind.PICTURE) or (kind is Kind.DICOM and not path.exists())


def kind_of_name(path: Path) -> Kind:
    """What a file is by its name."""
    name = path.name.lower()
    if name.endswith(VOLUME_SUFFIXES):
        return Kind.VOLUME
    if name.endswith(PICTURE_SUFFIXES):
        return Kind.PICTURE
    if name in _JUNK_NAMES or name.endswith(_JUNK_SUFFIXES):
        return Kind.JUNK
    return Kind.DICOM if name.endswith(DICOM_SUFFIXES) else Kind.UNKNOWN


def kind_of(path: Path) -> Kind:
    """What a file is by its name or, where that does not say, by how it begins."""
    kind = kind_of_name(path)
    if kind is not Kind.UNKNOWN:
        return kind
    try:
        return Kind.DICOM if looks_like_dicom(path) else Kind.UNKNOWN
    except OSError:
        return Kind.DICOM  # reading it names it; left out, a series would lose a slice in silence

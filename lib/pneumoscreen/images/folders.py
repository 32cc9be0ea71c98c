"""Which files and folders in a folder of the user's can hold images."""

from collections.abc import Iterator
from pathlib import Path

from .case_ids import DICOM_SUFFIXES, PICTURE_SUFFIXES, VOLUME_SUFFIXES
from .dicom_header import looks_like_dicom
from .faults import AbsentError

_JUNK_SUFFIXES = (".json", ".html", ".htm", ".txt", ".csv", ".tsv", ".md", ".xml", ".pdf", ".log", ".yaml", ".yml")
_JUNK_NAMES = ("thumbs.db", "desktop.ini", "dicomdir", "lockfile", "version")
# A studies folder keeps its label maps, documents and records here, beside the images.
_JUNK_FOLDERS = ("labels", "annotations", "audit", "__macosx")


def folders(folder: Path) -> Iterator[Path]:
    """The folder and those below it in order of names, without links and without those that hold no scans."""
    yield folder
    try:
        # A link to a folder above would never end.
        inner = [path for path in entries(folder) if path.is_dir() and not path.is_symlink()]
    except (AbsentError, OSError):
        return  # whoever took the folder finds this out as well, and says it
    for path in inner:
        if path.name.lower() not in _JUNK_FOLDERS:
            yield from folders(path)


def entries(folder: Path) -> list[Path]:
    """What lies directly in a folder, in order of names, without hidden files.

    Raises:
        AbsentError: if it cannot be opened.
    """
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError:
        raise AbsentError(f"{folder} cannot be opened; check that it may be read") from None


def may_be_dicom(path: Path) -> bool:
    """Whether a file of a folder has to be looked at as DICOM."""
    name = path.name.lower()
    if name in _JUNK_NAMES or name.endswith((*VOLUME_SUFFIXES, *PICTURE_SUFFIXES, *_JUNK_SUFFIXES)):
        return False
    if name.endswith(DICOM_SUFFIXES):
        return True
    try:
        return looks_like_dicom(path)
    except OSError:
        return True  # read_headers names it; left out, a series would lose a slice in silence

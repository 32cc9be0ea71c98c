"""Names of cases, out of the names of their files: safe as file names, and unique; and where their files lie."""

import re
import unicodedata
from hashlib import sha256
from pathlib import Path

VOLUME_SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
_MAX_ID = 80


def short_hash(text: str) -> str:
    """A stand-in for a name that must not be shown."""
    return sha256(text.encode()).hexdigest()[:8]


def stem_of(path: Path) -> str:
    """The name without its suffix, in letters, digits, dot, dash and underscore."""
    name = path.resolve().name if path.name in ("", "..") else path.name
    if path.is_file():
        for suffix in sorted((*VOLUME_SUFFIXES, *DICOM_SUFFIXES, *PICTURE_SUFFIXES), key=len, reverse=True):
            if name.lower().endswith(suffix):
                name = name[: -len(suffix)]
                break
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9._-]+", "_", ascii_name).strip("._-")[:_MAX_ID] or "case"


def source_below(path: Path, root: Path) -> str | None:
    """Where a case's file or folder lies below what was named, for its document: with forward slashes.

    What was named itself has its own name. Nothing above it is told: that is the machine's own.

    Returns:
        A text that can be written to a file; None for what lies elsewhere.
    """
    if path == root:
        below = path.name if path.name not in ("", "..") else path.resolve().name
    elif path.is_relative_to(root):
        below = path.relative_to(root).as_posix()
    else:
        return None
    # Names need not be text on every system.
    return below.encode(errors="replace").decode() or None


def unique_id(case_id: str, taken: set[str]) -> str:
    """The id, with a number where it is taken already; ``taken`` holds ids in small letters."""
    number, candidate = 1, case_id
    while candidate.lower() in taken:
        number += 1
        candidate = f"{case_id}_{number}"
    return candidate

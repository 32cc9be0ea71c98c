"""Names of cases, out of the names of their files: safe as file names, and unique; and where their files lie."""

import re
import unicodedata
from hashlib import sha256
from pathlib import Path

VOLUME_SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
_MAX_ID = 80
_MAX_BYTES = 150
"""Of an id as UTF-8: file systems allow 255 with all that is put around it."""


def short_hash(text: str) -> str:
    """A stand-in for a name that must not be shown."""
    return sha256(text.encode(errors="surrogateescape")).hexdigest()[:8]


def stem_of(path: Path) -> str:
    """The name without its suffix, in letters and digits of any script, dot, dash and underscore."""
    name = path.resolve().name if path.name in ("", "..") else path.name
    return readable(without_suffix(name) if path.is_file() else name)


def without_suffix(name: str) -> str:
    """A file's name without the suffix of a kind that is read."""
    for suffix in sorted((*VOLUME_SUFFIXES, *DICOM_SUFFIXES, *PICTURE_SUFFIXES), key=len, reverse=True):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def readable(text: str) -> str:
    """A text as a file name on any system: letters, marks and digits of any script, dot, dash and underscore.

    The same letters give the same name however they are composed. Of a long text the beginning and the end are kept.
    """
    composed = unicodedata.normalize("NFC", text)
    # Signs that do not show, such as those that turn the direction of writing, are left out.
    shown = "".join(sign for sign in composed if unicodedata.category(sign) != "Cf")
    kept = "".join(sign if _is_kept(sign) else "_" for sign in shown)
    name = re.sub(r"\.{2,}", ".", re.sub(r"_+", "_", kept)).strip("._-")
    most = _MAX_ID
    while len(name) > _MAX_ID or len(name.encode()) > _MAX_BYTES:
        most -= 1
        name = f"{name[: most // 2].strip('._-')}_{name[-(most // 2) :].strip('._-')}"
    return name or "case"


def _is_kept(sign: str) -> bool:
    return sign in "._-" or unicodedata.category(sign)[0] in "LMN"


def stable_id(text: str, *apart: str) -> str:
    """A readable name of a case, and after it what tells it from all others: a hash of that.

    Nothing else goes into it: the same case has the same id tomorrow, whatever is screened beside it.

    Args:
        text: what to make the name of.
        apart: what tells the case apart.
    """
    key = unicodedata.normalize("NFC", "\n".join(apart))
    return f"{readable(text)}-{short_hash(key)}"


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


def unique_id(case_id: str, taken: dict[str, int]) -> str:
    """The id, with a number where it is taken already.

    Args:
        case_id: the id.
        taken: ids so far, and the last number that each was given; the new one is entered. In small letters, since
            some file systems take "CT" and "ct" for the same name.
    """
    key, candidate = case_id.lower(), case_id
    while candidate.lower() in taken:
        taken[key] += 1
        candidate = f"{case_id}_{taken[key]}"
    taken[candidate.lower()] = 1
    return candidate

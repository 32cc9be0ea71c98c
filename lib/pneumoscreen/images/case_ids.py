"""Names of cases, out of the names of their files: safe as file names, and unique."""

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


def unique_id(case_id: str, taken: set[str]) -> str:
    """The id, with a number where it is taken already; ``taken`` holds ids in small letters."""
    number, candidate = 1, case_id
    while candidate.lower() in taken:
        number += 1
        candidate = f"{case_id}_{number}"
    return candidate

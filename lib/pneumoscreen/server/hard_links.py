"""Hard links in a studies folder: a second name of a file that may lie anywhere on the same disk.

Where the other names are cannot be told. Sites keep scans under two names to save room, so a scan of the server's
account or of the folder's owner is offered. But the server's account can read what nobody may see (tokens, keys), and
where the kernel does not forbid it (``fs.protected_hardlinks``) anybody may give that a name in the folder. So such a
file is offered only if it begins as its name says, and one of any other owner not at all.
"""

import os
import re
import stat
import zlib
from collections.abc import Set
from pathlib import Path

from ..images.dicom_start import looks_like_dicom
from ..studies.layout import PICTURE_ENDINGS

FOREIGN = "it is a hard link to a file of another owner"
OTHER_CONTENT = "it is a hard link to a file that is not what its name says"

_LOOKED_AT = 4096
"""Bytes; ours."""
_PICTURE = re.compile(rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|II\*\0|MM\0\*|BM")
_BEGINNINGS = {
    ".nii": re.compile(rb"\x5c\x01\0\0|\0\0\x01\x5c|\x1c\x02\0\0|\0\0\x02\x1c"),  # 348 or 540, the header's length
    ".nrrd": re.compile(rb"NRRD000"),
    ".mha": re.compile(rb"(ObjectType|NDims)\s*="),
    ".json": re.compile(rb'\s*\{[^{}\[\]]*"schema"\s*:\s*"pneumoscreen\.case/'),
    **dict.fromkeys(PICTURE_ENDINGS, _PICTURE),
}


def problem_of_hard_link(path: str | Path, status: os.stat_result, owners: Set[int] | None) -> str | None:
    """Why a hard link is not taken; None where it is, and for whatever is no file or has one name only.

    Args:
        path: of the file.
        status: what the system says of it.
        owners: accounts whose files may have a name here; None where the system knows none.
    """
    if not stat.S_ISREG(status.st_mode) or status.st_nlink < 2:
        return None
    if owners is not None and status.st_uid not in owners:
        return FOREIGN
    return None if _begins_as_named(Path(path)) else OTHER_CONTENT


def _begins_as_named(path: Path) -> bool:
    """Whether a file begins as files of its ending do; one with no ending of ours is a DICOM file or nothing."""
    name = path.name.lower()
    packed = name.endswith(".nii.gz")
    expected = _BEGINNINGS.get(".nii" if packed else path.suffix.lower())
    if expected is None:
        return looks_like_dicom(path)
    with path.open("rb") as file:
        start = file.read(_LOOKED_AT)
    return expected.match(_unpacked(start) if packed else start) is not None


def _unpacked(start: bytes) -> bytes:
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(start, _LOOKED_AT)
    except zlib.error:
        return start

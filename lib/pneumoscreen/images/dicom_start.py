"""How DICOM files begin: with a preamble and a mark, or as a bare data set."""

import re
import struct
from pathlib import Path

_PREAMBLE, _MARK = 128, b"DICM"
_BEGIN = _PREAMBLE + len(_MARK)
_VR = re.compile(rb"A[EST]|CS|D[AST]|F[DL]|IS|L[OT]|O[BDFLVW]|PN|S[HLQSTV]|TM|U[CILNRSTV]")
_FIRST_GROUPS = (0x0002, 0x0008)
_LONGEST_FIRST = 1 << 16
"""Ours: bytes of the first element; it is a length, a version, a character set or a UID."""


def looks_like_dicom(path: Path) -> bool:
    """Whether the file carries DICOM's mark, or begins as a data set without it does.

    Without the mark, the first element is of group 2 or 8 and has a value representation, or a length that fits.
    """
    with path.open("rb") as file:
        start = file.read(_BEGIN)
    return start[_PREAMBLE:] == _MARK or _begins_data_set(start)


def is_blank(path: Path) -> bool:
    """Whether a file is empty, or holds zeros where DICOM's mark or first element would be."""
    with path.open("rb") as file:
        return not file.read(_BEGIN).strip(b"\0")


def _begins_data_set(start: bytes) -> bool:
    if len(start) < 8:
        return False
    explicit = _VR.fullmatch(start[4:6]) is not None
    group, element, length = struct.unpack("<HHI", start[:8])
    if group in _FIRST_GROUPS:
        is_length = element == 0 and length == 4
        return explicit or is_length or (element != 0 and length <= _LONGEST_FIRST and length % 2 == 0)
    # Big-endian files say their value representations.
    return explicit and int.from_bytes(start[:2], "big") in _FIRST_GROUPS

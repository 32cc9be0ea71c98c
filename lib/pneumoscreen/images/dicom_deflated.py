"""Deflated DICOM files: how much one inflates to is counted before anybody inflates it as a whole, as pydicom does."""

import struct
import zlib
from pathlib import Path
from typing import BinaryIO

from ..limits import MEBIBYTE, Limits
from .raw import check_bytes

_META = 132
"""Bytes before group 2: the preamble and the mark."""
_LENGTH_OF_META = b"\x02\x00\x00\x00UL\x04\x00"
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_CHUNK = 1 << 20


def check_inflated(file: BinaryIO, path: Path) -> None:
    """Refuse a deflated file that inflates to more than the site reads; the file is left at its beginning.

    Raises:
        DimensionError: if it does.
    """
    begin = _begin_of_deflated(file)
    if begin is not None:
        file.seek(begin)
        check_bytes(str(path), _inflated(file, Limits.of_environment().max_scan_mb * MEBIBYTE))
    file.seek(0)


def _begin_of_deflated(file: BinaryIO) -> int | None:
    """Where the deflated part begins; None where the file is not deflated or does not say how long group 2 is."""
    start = file.read(_META + len(_LENGTH_OF_META) + 4)
    if len(start) < _META + len(_LENGTH_OF_META) + 4 or not start[_META:].startswith(_LENGTH_OF_META):
        return None
    (length,) = struct.unpack("<I", start[-4:])
    return len(start) + length if _DEFLATED in file.read(min(length, _CHUNK)) else None


def _inflated(file: BinaryIO, most: int) -> int:
    """Bytes that the rest of the file inflates to, counted until they are more than ``most``."""
    stream, count = zlib.decompressobj(-zlib.MAX_WBITS), 0
    try:
        while count <= most and not stream.eof and (data := stream.unconsumed_tail or file.read(_CHUNK)):
            count += len(stream.decompress(data, _CHUNK))
    except zlib.error:
        pass  # pydicom says that it is damaged
    return count

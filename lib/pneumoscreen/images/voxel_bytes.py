"""Voxels out of a file: as many bytes as the image needs, however many a compressed stream goes on to give."""

import bz2
import gzip
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from .faults import DamagedError

_CHUNK = 1 << 20
_AGAIN = "copy or export it again"

_STREAMS: dict[str, Callable[[IO[bytes]], Any]] = {
    "raw": lambda file: file,
    "gzip": lambda file: gzip.GzipFile(fileobj=file),
    "bzip2": bz2.BZ2File,
}


def read_bytes(file: IO[bytes], codec: str, needed: int, path: Path) -> NDArray[np.uint8]:
    """The next ``needed`` bytes of a file, decompressed; checksums are compared where the stream ends there.

    Args:
        file: open where they begin.
        codec: raw, gzip, bzip2 or zlib.
        needed: how many.
        path: of the file, for the sentence that refuses it.

    Raises:
        DamagedError: if there are fewer, or they cannot be decompressed.
    """
    found = np.empty(needed, np.uint8)
    view = memoryview(found)  # type: ignore[arg-type]
    try:
        count = _inflate(file, view) if codec == "zlib" else _fill(_STREAMS[codec](file), view, ends=codec != "raw")
    except (EOFError, OSError, zlib.error):
        raise DamagedError(f"{path} is truncated or damaged; {_AGAIN}") from None
    if count < needed:
        raise DamagedError(f"{path} is truncated: it ends before its last voxel; {_AGAIN}")
    return found


def _fill(stream: Any, view: memoryview, ends: bool) -> int:
    count = 0
    while count < len(view) and (got := stream.readinto(view[count:])):
        count += got
    if ends:
        stream.read(1)  # reading past the end makes a compressed stream compare its checksum
    return count


def _inflate(file: IO[bytes], view: memoryview) -> int:
    """A zlib or gzip stream, told apart by its beginning."""
    stream, count = zlib.decompressobj(zlib.MAX_WBITS | 32), 0
    while not stream.eof:
        data = stream.unconsumed_tail or file.read(_CHUNK)
        if not data:
            raise EOFError
        # One byte more than is needed lets the stream come to its end and compare its checksum.
        part = stream.decompress(data, max(min(len(view) - count, _CHUNK), 1))
        if count + len(part) > len(view):
            break
        view[count : count + len(part)] = part
        count += len(part)
    return count

"""Voxels out of a file: as many bytes as the image needs, however many a compressed stream goes on to give."""

import bz2
import io
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from .faults import DamagedError

_CHUNK = 1 << 20
_GZIP_BITS = zlib.MAX_WBITS | 16
_AGAIN = "copy or export it again"

_STREAMS: dict[str, Callable[[IO[bytes]], Any]] = {
    "raw": lambda file: file,
    "gzip": lambda file: open_gzip(file),
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


class _Gunzip(io.RawIOBase):
    """The content of a gzip file of one member or several.

    Ours in place of Python's module, which takes 8 KB at a time: beside a thread that holds the interpreter, as the
    loading of the networks does, each of these steps waits for its turn.
    """

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self._file = file
        self._member = zlib.decompressobj(_GZIP_BITS)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        view = memoryview(target).cast("B")
        while len(view):
            if self._member.eof and not self._next_member():
                return 0
            data = self._rest or self._file.read(_CHUNK)
            part = self._member.decompress(data, len(view))
            self._rest = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            if part:
                view[: len(part)] = part
                return len(part)
            if not data and not self._member.eof:
                raise EOFError
        return 0

    def _next_member(self) -> bool:
        """Whether another member follows; zeros between the two fill a tape's block and mean nothing."""
        self._rest = self._rest.lstrip(b"\0")
        while not self._rest and (data := self._file.read(_CHUNK)):
            self._rest = data.lstrip(b"\0")
        if self._rest:
            self._member = zlib.decompressobj(_GZIP_BITS)
        return bool(self._rest)


def open_gzip(file: IO[bytes]) -> io.BufferedReader:
    """The decompressed content of a gzip file.

    Reading raises ``EOFError`` where the file is truncated and ``zlib.error`` where it is damaged, also where it ends
    in something else or with a wrong checksum.
    """
    return io.BufferedReader(_Gunzip(file))

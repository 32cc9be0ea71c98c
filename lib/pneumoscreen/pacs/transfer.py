"""The images of a series on their way to the disk: piece by piece, never whole in memory, and within limits.

Nothing that comes is looked into here. A file is named by what is in it, so that a series that is fetched again has the
same files.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import requests
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from ..errors import ImageError
from ..images.dicom_start import looks_like_dicom
from ..limits import MEBIBYTE, Limits, variable_of
from .faults import PacsAwayError, PacsRubbishError

Tell = Callable[[int, int], object]
"""Told of the files that have come so far, and of all their bytes; raises to stop."""
_CHUNK = 1 << 18
_PART = ".part"


@dataclass(frozen=True)
class Most:
    """What one series may have: as much as a session of uploads."""

    bytes: int
    files: int

    @classmethod
    def of(cls, limits: Limits) -> "Most":
        """See ``limits``."""
        return cls(limits.max_session_mb * MEBIBYTE, limits.max_archive_files)


def nobody(files: int, size: int) -> None:
    """Tells nobody."""


def save_images(response: requests.Response, folder: Path, host: str, most: Most, tell: Tell = nobody) -> int:
    """Write each image of an answer into a folder; returns how many different ones there were.

    Args:
        response: an answer whose body was not read yet.
        folder: for the files.
        host: that answered, for sentences.
        most: what there may be of them.
        tell: told of what has come.

    Raises:
        PacsError: if the body is none of DICOMweb, or ends too early.
        ImageError: if it is too large.
    """
    sink = _Sink(folder, host, most, tell)
    kind, options = parse_options_header(response.headers.get("Content-Type"))
    try:
        if kind == b"application/dicom":
            sink.begin()
            for chunk in response.iter_content(_CHUNK):
                sink.take(chunk, 0, len(chunk))
            sink.end()
        elif kind == b"multipart/related" and options.get(b"boundary"):
            parser = MultipartParser(
                options[b"boundary"],
                {"on_part_begin": sink.begin, "on_part_data": sink.take, "on_part_end": sink.end},
            )
            for chunk in response.iter_content(_CHUNK):
                parser.write(chunk)
        else:
            raise FormParserError
    except FormParserError:
        raise sink.rubbish() from None
    finally:
        is_whole = sink.close()
    if not is_whole:
        raise PacsAwayError(f"{host}: the PACS broke off in the middle of an image; it is asked again")
    return len(sink.names)


class _Sink:
    """Takes the images one after the other."""

    def __init__(self, folder: Path, host: str, most: Most, tell: Tell) -> None:
        self._folder, self._host, self._most, self._tell = folder, host, most, tell
        self._file: IO[bytes] | None = None
        self._digest: Any = None
        self._bytes = 0
        self.names: set[str] = set()

    @property
    def _part(self) -> Path:
        return self._folder / _PART

    def begin(self) -> None:
        if len(self.names) >= self._most.files:
            raise self._too_much(f"{self._most.files} images", "max_archive_files")
        self._file, self._digest = self._part.open("wb"), hashlib.sha256()

    def take(self, data: bytes, start: int, end: int) -> None:
        assert self._file is not None
        self._bytes += end - start
        if self._bytes > self._most.bytes:
            raise self._too_much(f"{self._most.bytes // MEBIBYTE} MB", "max_session_mb")
        piece = data[start:end]
        self._digest.update(piece)
        self._tell(len(self.names), self._bytes)
        self._file.write(piece)

    def end(self) -> None:
        assert self._file is not None
        self._file.close()
        self._file = None
        if not looks_like_dicom(self._part):
            self._part.unlink()
            raise self.rubbish()
        name = f"{self._digest.hexdigest()[:32]}.dcm"
        self._part.replace(self._folder / name)
        self.names.add(name)

    def close(self) -> bool:
        """Put away what is not whole; whether there was nothing such."""
        if self._file is None:
            return True
        self._file.close()
        self._file = None
        self._part.unlink(missing_ok=True)
        return False

    def rubbish(self) -> PacsRubbishError:
        return PacsRubbishError(
            f"{self._host}: the PACS gives no DICOMweb answer when asked for the images of a series; "
            "check that the address is its DICOMweb service"
        )

    def _too_much(self, what: str, limit: str) -> ImageError:
        return ImageError(
            f"{self._host}: a series has more than {what}; ask for another one, or raise {variable_of(limit)}"
        )

"""The files in an answer of a PACS, unread: what is in them is read in a process that may be killed.

dicomweb-client reads each file before it hands it out, and holds whatever length one claims to have.
"""

from collections.abc import Iterable, Iterator

import requests

from ..errors import ImageError
from ..limits import MEBIBYTE, Limits, variable_of

ACCEPT = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
_CHUNK = 1 << 20
_BEYOND_PIXELS = 2
"""Ours: a file holds its pixels and, at most, as much beside them."""
_PREAMBLE, _MARK = 128, b"DICM"


class NoFileError(Exception):
    """A part that is no DICOM file."""


def files_in(answer: requests.Response) -> Iterator[bytes]:
    """The DICOM files of an answer, one after the other.

    Raises:
        ImageError: if they are larger than any scan that is read.
        NoFileError: if one of them is none.
    """
    kind = answer.headers.get("Content-Type", "")
    chunks = _bounded(answer.iter_content(_CHUNK))
    found = parts(chunks, _boundary(kind)) if "multipart/" in kind else iter([b"".join(chunks)])
    for content in found:
        if content[_PREAMBLE : _PREAMBLE + len(_MARK)] != _MARK:
            raise NoFileError
        yield content


def parts(chunks: Iterable[bytes], boundary: bytes) -> Iterator[bytes]:
    """The bodies of a multipart message that comes piece by piece."""
    mark = b"\r\n--" + boundary
    data, seen = bytearray(b"\r\n"), 0
    for chunk in chunks:
        data += chunk
        while (end := data.find(mark, seen)) >= 0:
            _, blank, content = data[:end].partition(b"\r\n\r\n")
            if blank:
                yield bytes(content)
            del data[: end + len(mark)]
            seen = 0
        seen = max(0, len(data) - len(mark))


def _boundary(kind: str) -> bytes:
    for word in kind.split(";"):
        name, _, value = word.strip().partition("=")
        if name.lower() == "boundary" and value.strip('"'):
            return value.strip('"').encode()
    raise NoFileError


def _bounded(chunks: Iterable[bytes]) -> Iterator[bytes]:
    limits = Limits.of_environment()
    left = _BEYOND_PIXELS * limits.max_scan_mb * MEBIBYTE
    for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            raise ImageError(
                f"the series is larger than {_BEYOND_PIXELS} times {limits.max_scan_mb} MB; "
                f"give the chest only, or raise {variable_of('max_scan_mb')}"
            )
        yield chunk

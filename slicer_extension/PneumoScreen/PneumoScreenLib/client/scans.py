"""Volumes and masks on their way: to this computer, kept by checksum and never half, and to the server.

``<folder>/<case>/`` holds the file as the server names it and ``kept.json`` with its SHA-256 and the server's tag.
"""

import hashlib
import json
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, Mapping, Optional
from urllib.parse import quote

import requests

from . import failures
from .failures import ServerError
from .sentences import said
from .transport import Cancelled, Progress, Transport

KEPT = "kept.json"
MASKS = "masks.nrrd"
ENDINGS = (".nii.gz", ".nii", ".nrrd", ".mha", ".mhd", ".dcm", ".png", ".jpg", ".jpeg")

_STORING_S = 300.0
_CHUNK, _MB = 1 << 20, 1e6


def download(
    transport: Transport,
    case_id: str,
    folder: str,
    progress: Optional[Progress] = None,
    cancelled: Optional[Cancelled] = None,
) -> str:
    """Fetch the volume of a case, or find it where it was put before.

    A kept file counts if it still has the checksum it had when it came, and the server says that its own has the same,
    or, for a DICOM folder or an X-ray, of which the server makes a file, that this file has not changed.

    Returns:
        Path of the file.

    Raises:
        ServerError: if it cannot be had or stored, or was cancelled.
    """
    place = place_of(transport.address, case_id, folder)
    kept = _kept(place)
    query = {"image": case_id}
    if kept is not None and transport.is_there("/datastore/image", params={**query, "check_sum": kept["sha256"]}):
        return str(place / kept["name"])
    # An X-ray as the networks see it: boxes and Grad-CAM lie on that, not on a picture stored turned or mirrored.
    shown = {**query, "as_shown": "true"}
    with _naming(case_id), transport.stream("GET", "/datastore/image", params=shown) as response:
        tag = response.headers.get("ETag")
        if kept is not None and tag is not None and kept["tag"] == tag:
            return str(place / kept["name"])
        path = place / _name_of(response, case_id)
        digest = _store(transport, response, path, progress, cancelled)
    content = json.dumps({"name": path.name, "sha256": digest, "tag": tag}).encode("ascii")
    _in_plain_words(lambda: _replace(place / KEPT, iter([content])), place)
    return str(path)


def masks(transport: Transport, case_id: str, folder: str) -> str:
    """Fetch the masks of the last screening of a case.

    Returns:
        Path of the NRRD label map.

    Raises:
        ServerError: ``missing`` where there are none.
    """
    path = place_of(transport.address, case_id, folder) / MASKS
    with transport.stream("GET", f"/pneumoscreen/masks/{quote(case_id, safe='')}") as response:
        _store(transport, response, path, None, None)
    return str(path)


def upload(
    transport: Transport,
    path: str,
    case_id: str,
    progress: Optional[Progress] = None,
    cancelled: Optional[Cancelled] = None,
) -> Dict[str, Any]:
    """Send a volume file as a new case.

    Raises:
        ServerError: if the file cannot be read or the server does not take it.
    """
    try:
        with open(path, "rb") as file:
            body = _Form(file, os.path.getsize(path), _ending(path), progress, cancelled)
            answer = transport.json(
                "PUT",
                "/datastore/image",
                _STORING_S,
                params={"image": case_id},
                data=body,
                headers={"Content-Type": body.content_type},
            )
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ServerError(failures.FAULT, said("unreadable", path=path, reason=reason)) from None
    if not isinstance(answer, dict):
        raise failures.rubbish(transport.address)
    return answer


def place_of(address: str, case_id: str, folder: str) -> Path:
    """Folder of a case's files; two servers may have different cases of one name."""
    mark = hashlib.sha256(f"{address}\n{case_id}".encode("utf-8", "replace")).hexdigest()[:12]
    readable = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in case_id)[:40]
    return Path(folder) / f"{readable}-{mark}"


@contextmanager
def _naming(case_id: str) -> Iterator[None]:
    # MONAI Label's own route answers "Image NOT Found" and no more.
    try:
        yield
    except ServerError as error:
        if error.kind != failures.MISSING:
            raise
        text = said("no_volume", case_id=case_id[:80])
        raise ServerError(failures.MISSING, text, error.status, error.detail) from None


def _kept(place: Path) -> Optional[Mapping[str, Any]]:
    """What lies there whole; None where nothing does."""
    try:
        kept = json.loads((place / KEPT).read_text(encoding="utf-8"))
        name = str(kept["name"])
        is_whole = os.path.basename(name) == name and _digest(place / name) == kept["sha256"]
        return {"name": name, "sha256": str(kept["sha256"]), "tag": kept["tag"]} if is_whole else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for part in iter(lambda: file.read(_CHUNK), b""):
            digest.update(part)
    return digest.hexdigest()


def _name_of(response: requests.Response, case_id: str) -> str:
    """A name with the ending that the server's file has, which tells its format."""
    told = response.headers.get("Content-Disposition", "").lower().rstrip("\"'; ")
    ending = next((each for each in ENDINGS if told.endswith(each)), ".nrrd")
    return f"volume{ending}"


def _store(
    transport: Transport,
    response: requests.Response,
    path: Path,
    progress: Optional[Progress],
    cancelled: Optional[Cancelled],
) -> str:
    """Write an answer into a file, as a whole or not at all; returns its SHA-256."""
    total, digest = int(response.headers.get("Content-Length") or 0), hashlib.sha256()

    def parts() -> Iterator[bytes]:
        size = 0
        for part in transport.chunks(response):
            if cancelled is not None and cancelled():
                raise failures.cancelled("download_cancelled")
            digest.update(part)
            size += len(part)
            if progress is not None:
                here, whole = f"{size / _MB:.0f}", f"{total / _MB:.0f}"
                text = said("downloading_of", size=here, total=whole) if total else said("downloading", size=here)
                progress(text, size / total if total else None)
            yield part
        # A content that was packed on its way is longer than its length says.
        if total and size < total:
            raise failures.of_exception(
                requests.exceptions.ChunkedEncodingError("IncompleteRead"), transport.address, transport.answer_s
            )

    _in_plain_words(lambda: _replace(path, parts()), path.parent)
    return digest.hexdigest()


def _in_plain_words(write: Any, folder: Path) -> None:
    try:
        write()
    except requests.RequestException:
        raise
    except OSError as error:
        reason = error.strerror or type(error).__name__
        text = said("not_stored", folder=str(folder), reason=reason)
        raise ServerError(failures.FAULT, text) from None


def _replace(path: Path, parts: Iterator[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, staged = tempfile.mkstemp(prefix=".part-", dir=str(path.parent))
    try:
        with os.fdopen(handle, "wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        os.replace(staged, str(path))
    except BaseException:
        os.unlink(staged)
        raise


def _ending(path: str) -> str:
    name = os.path.basename(path).lower()
    return next((each for each in ENDINGS if name.endswith(each)), os.path.splitext(name)[1])


class _Form:
    """A form with one file, read from the disk as it is sent; ``requests`` would hold all of it in memory."""

    def __init__(
        self, file: Any, size: int, ending: str, progress: Optional[Progress], cancelled: Optional[Cancelled]
    ) -> None:
        boundary = hashlib.sha256(os.urandom(16)).hexdigest()
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self._head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="image{ending}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode("ascii", "replace")
        self._tail = f"\r\n--{boundary}--\r\n".encode("ascii")
        self._file, self._size, self._sent = file, size, 0
        self._progress, self._cancelled = progress, cancelled

    def __len__(self) -> int:
        return len(self._head) + self._size + len(self._tail)

    def __iter__(self) -> Iterator[bytes]:
        yield self._head
        for part in iter(lambda: self._file.read(_CHUNK), b""):
            if self._cancelled is not None and self._cancelled():
                raise failures.cancelled("sending_cancelled")
            yield part
            self._sent += len(part)
            if self._progress is not None and self._size:
                sent, whole = f"{self._sent / _MB:.0f}", f"{self._size / _MB:.0f}"
                self._progress(said("sending", size=sent, total=whole), min(self._sent / self._size, 1.0))
        yield self._tail

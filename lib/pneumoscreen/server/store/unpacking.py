"""Archives of clients, unpacked by hand: regular files below one folder are written, and no more than is allowed.

No library's "extract all" is used. They make links, and a file that goes through a link leaves the folder; each check
of paths before the writing has been got round so far (CVE-2007-4559, CVE-2025-4517). Here no link is ever made, so a
path of plain names stays where it points.

What is refused, the whole archive with it: links, devices, pipes and sparse files; names that are absolute, lead
upwards, hold control characters or occur twice; more entries or bytes than ``ArchiveLimits`` allows, counted as they
are written, whatever the archive claims.
"""

import bz2
import gzip
import lzma
import os
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import IO

from ...models.atomic_files import is_full_disk
from ..failures import RequestError

MOST_RATIO = 200
"""Bytes written for each byte of the archive. CT compresses to a half or a third, an empty picture to a hundredth."""
_RATIO_COUNTS_FROM = 64 << 20
_CHUNK = 1 << 20
_BLOCK = tarfile.BLOCKSIZE
_LONGEST_EXTENSION = 1 << 16
_LONGEST_NAME = 255
_DEEPEST = 32
_ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class ArchiveError(RequestError):
    """An archive that cannot be unpacked, or that holds what is not taken."""


class LargeArchiveError(ArchiveError):
    """An archive that holds more than is allowed."""

    status = 413


@dataclass(frozen=True)
class ArchiveLimits:
    """What an archive may hold: ``entries`` of any kind, and bytes when unpacked."""

    entries: int
    bytes: int


def unpack(archive: Path, folder: Path, limits: ArchiveLimits) -> None:
    """Write the files of a ZIP or (compressed) tar archive below an empty folder that nobody else writes to.

    Raises:
        ArchiveError: naming what is wrong; some files may have been written by then.
    """
    target = _Target(folder, limits, archive.stat().st_size)
    try:
        if zipfile.is_zipfile(archive):
            _unpack_zip(archive, target)
        else:
            with _opened(archive) as stream:
                _unpack_tar(stream, target)
    except ArchiveError as error:
        raise type(error)(f"the archive {archive.name} cannot be unpacked: {error}") from None
    except Exception as error:
        if is_full_disk(error):
            raise
        # zipfile and the decompressors raise whatever a damaged archive breaks; their words quote names out of it.
        raise ArchiveError(f"the archive {archive.name} cannot be unpacked: it is damaged, encrypted or none") from None


class _Target:
    """The folder that is filled, and the count of what went into it."""

    def __init__(self, folder: Path, limits: ArchiveLimits, archive_bytes: int) -> None:
        self._folder = folder
        self._limits = limits
        self._entries = 0
        self._left = limits.bytes
        self._ratio_left = max(archive_bytes * MOST_RATIO, _RATIO_COUNTS_FROM)

    def count(self) -> None:
        """Count an entry, whatever it is."""
        self._entries += 1
        if self._entries > self._limits.entries:
            raise LargeArchiveError(f"it has more than {self._limits.entries} entries")

    def write(self, name: str, source: IO[bytes], size: int | None) -> None:
        """Write a file: ``size`` bytes of ``source``, or all of it."""
        path = self._folder.joinpath(*_plain_parts(name))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except (FileExistsError, NotADirectoryError):
            raise ArchiveError("a name occurs twice in it") from None
        with os.fdopen(handle, "wb") as file:
            left = size
            while left is None or left > 0:
                chunk = source.read(_CHUNK if left is None else min(left, _CHUNK))
                if not chunk:
                    break
                self.allow(len(chunk))
                file.write(chunk)
                left = None if left is None else left - len(chunk)
        if left:
            raise ArchiveError("it ends too early")

    def allow(self, count: int) -> None:
        """Count bytes that came out of the archive, written or passed over."""
        self._left -= count
        self._ratio_left -= count
        if self._left < 0:
            raise LargeArchiveError(f"it holds more than {self._limits.bytes >> 20} MB; the server's limits say so")
        if self._ratio_left < 0:
            raise LargeArchiveError(f"it unpacks to more than {MOST_RATIO} times its size, which no scan does")


def is_plain_path(name: str) -> bool:
    """Whether an entry of this name would be unpacked."""
    try:
        return bool(_plain_parts(name))
    except (ArchiveError, UnicodeEncodeError):
        return False


def _plain_parts(name: str) -> tuple[str, ...]:
    """The parts of an entry's path; old Windows tools write backslashes."""
    path = PurePosixPath(name.replace("\\", "/"))
    parts = path.parts
    if not parts or path.is_absolute() or len(parts) > _DEEPEST:
        raise ArchiveError("it holds a name that is absolute, empty or too deep")
    for part in parts:
        if part == ".." or not part.isprintable() or len(part.encode()) > _LONGEST_NAME or ":" in part[:2]:
            raise ArchiveError("it holds a name that leads elsewhere or cannot be written")
    return parts


def _unpack_zip(archive: Path, target: _Target) -> None:
    with zipfile.ZipFile(archive) as zipped:
        for entry in zipped.infolist():
            target.count()
            kind = stat.S_IFMT(entry.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise ArchiveError("it holds a link or device; pack plain files only")
            if entry.filename.endswith("/"):
                continue
            if entry.compress_type not in _ZIP_METHODS:
                raise ArchiveError("it is compressed in a way that is not read; pack it as a plain ZIP")
            with zipped.open(entry) as source:
                target.write(entry.filename, source, None)


def _opened(archive: Path) -> IO[bytes]:
    """The archive's bytes, decompressed as they are read."""
    with archive.open("rb") as file:
        start = file.read(6)
    if start.startswith(b"\x1f\x8b"):
        return gzip.open(archive)  # type: ignore[return-value]
    if start.startswith(b"BZh"):
        return bz2.open(archive)
    if start == b"\xfd7zXZ\x00":
        return lzma.open(archive)
    return archive.open("rb")


def _unpack_tar(stream: IO[bytes], target: _Target) -> None:
    """Entry by entry. tarfile reads single headers only: its extensions take as much memory as they claim."""
    if not (first := stream.read(_BLOCK)):
        raise ArchiveError("it is empty")
    for header, extensions in _entries(first, stream, target):
        size, name = header.size if extensions.size is None else extensions.size, extensions.name or header.name
        if size < 0:
            raise ArchiveError("it holds a damaged header")
        if extensions.is_sparse or header.type not in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE):
            raise ArchiveError("it holds a link, device or sparse file; pack plain files only")
        if header.type == tarfile.DIRTYPE:
            if size:
                raise ArchiveError("it holds a folder with content")
            continue
        target.write(name, stream, size)
        _pass_over(stream, -size % _BLOCK)


@dataclass(frozen=True)
class _Extensions:
    """What the headers before an entry's own say of it; None where they say nothing."""

    name: str | None = None
    size: int | None = None
    is_sparse: bool = False


def _entries(first: bytes, stream: IO[bytes], target: _Target) -> Iterator[tuple[tarfile.TarInfo, _Extensions]]:
    """Headers of the entries, each with what the extensions before it say."""
    block, extensions = first, _Extensions()
    while block.strip(b"\0"):
        if len(block) < _BLOCK:
            raise ArchiveError("it ends too early")
        target.count()
        header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        if header.type in (tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.XGLTYPE):
            if not 0 <= header.size <= _LONGEST_EXTENSION:
                raise ArchiveError("it holds a name that is too long")
            target.allow(header.size)
            content = stream.read(header.size)
            _pass_over(stream, -header.size % _BLOCK)
            if header.type == tarfile.GNUTYPE_LONGNAME:
                extensions = replace(extensions, name=content.rstrip(b"\0").decode("utf-8", "surrogateescape"))
            elif header.type != tarfile.XGLTYPE:
                extensions = _with_records(extensions, content)
        else:
            yield header, extensions
            extensions = _Extensions()
        block = stream.read(_BLOCK)


def _with_records(known: _Extensions, content: bytes) -> _Extensions:
    """With what the records ``length key=value`` of an extended header say."""
    while content.strip(b"\0"):
        number, _, _ = content[:12].partition(b" ")
        if not number.isdigit() or not len(number) < int(number) <= len(content):
            raise ArchiveError("it holds a damaged header")
        key, _, value = content[len(number) + 1 : int(number) - 1].partition(b"=")
        if key == b"path":
            known = replace(known, name=value.decode("utf-8", "surrogateescape"))
        elif key == b"size":
            if not value.isdigit() or len(value) > 15:
                raise ArchiveError("it holds a damaged header")
            known = replace(known, size=int(value))
        elif key.startswith(b"GNU.sparse"):
            known = replace(known, is_sparse=True)
        content = content[int(number) :]
    return known


def _pass_over(stream: IO[bytes], count: int) -> None:
    if len(stream.read(count)) < count:
        raise ArchiveError("it ends too early")

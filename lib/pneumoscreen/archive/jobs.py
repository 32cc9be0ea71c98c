"""What lies in the source of an archive, as jobs, found folder by folder.

A hundred thousand series have more headers than a machine holds: of a folder that is named, each folder in it is
searched by itself, and a series is gathered within that one.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import PneumoScreenError
from ..images.case_ids import short_hash
from ..images.found import Found, Input, PassedOver, Refused
from ..images.inputs import search, search_by_folder

LIST_SUFFIX = ".txt"
"""A file of this ending is a list of sources, a line each."""


@dataclass(frozen=True)
class Job:
    """An image to screen.

    Attributes:
        key: what the manifest knows it by.
        place: where it lies below the source; a hash of it where names are to be hidden.
        stamp: changes with what its source tells of it.
        modality: of it, as far as is known.
    """

    key: str
    place: str
    stamp: str
    modality: str

    def is_as_before(self, stamp: str) -> bool:
        """Whether it is what had this stamp when it was screened or refused."""
        return stamp == self.stamp

    def at_once(self) -> "Job":
        """The same job for a worker that is to have done it when it answers."""
        return self


@dataclass(frozen=True)
class FileJob(Job):
    """An image in files; its stamp changes with size or date of one.

    Attributes:
        item: what is to be read.
    """

    item: Input


@dataclass(frozen=True)
class NoJob:
    """A path of the source that is refused unread.

    Attributes:
        key: as of a job.
        place: as of a job.
        stamp: as of a job.
        reason: the sentence.
    """

    key: str
    place: str
    stamp: str
    reason: str


def sources_of(given: Sequence[Path]) -> list[Path]:
    """The sources, lists being taken for the paths in their lines; these begin in the list's folder.

    Raises:
        PneumoScreenError: if a source does not exist, or a list cannot be read or is empty.
    """
    found: list[Path] = []
    for path in given:
        if not path.exists():
            raise PneumoScreenError(f"{path} does not exist; name a folder, a file or a list of them")
        found += _listed(path) if path.suffix.lower() == LIST_SUFFIX and path.is_file() else [path]
    return found


def _listed(file: Path) -> list[Path]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise PneumoScreenError(f"{file} is no list of paths in UTF-8 ({error}); write a path a line") from None
    paths = [file.parent / line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not paths:
        raise PneumoScreenError(f"{file} names no path; write a path a line")
    return paths


def jobs_of(sources: Sequence[Path], anonymous: bool = False) -> Iterator[FileJob | NoJob]:
    """The jobs of all sources, each once.

    Args:
        sources: files and folders.
        anonymous: hashes stand for places.
    """
    keys: set[str] = set()
    for source in sources:
        found = search_by_folder(source) if source.is_dir() else iter(search([source]))
        for item in found:
            job = _job(item, source, anonymous)
            if job is not None and job.key not in keys:
                keys.add(job.key)
                yield job


def _job(item: Found, source: Path, anonymous: bool) -> FileJob | NoJob | None:
    if isinstance(item, PassedOver):
        return None
    # The real path: the same file, named another way, is the same image.
    real = os.path.realpath(item.path)
    if isinstance(item, Refused):
        place = _below(item.path, source)
        return NoJob(key_of(real, ""), shown(place, anonymous), _stamp([item.path]), item.reason)
    place = item.place or (short_hash(real) if item.source_below is None else item.source_below)
    of_series = item.series_uid if item.modality == "CT" and item.series_uid else ""
    files = sorted({header.path for header in item.headers} or {item.path})
    return FileJob(key_of(real, of_series), shown(place, anonymous), _stamp(files), item.modality, item)


def _below(path: Path, source: Path) -> str:
    return f"{source.name}/{path.relative_to(source).as_posix()}" if path.is_relative_to(source) else path.name


def shown(place: str, anonymous: bool) -> str:
    """A place, or the hash that stands for it."""
    return short_hash(place) if anonymous else place


def key_of(*parts: str) -> str:
    """A key or stamp made of texts."""
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _stamp(files: Sequence[Path]) -> str:
    told = []
    for file in files:
        try:
            facts = file.stat()
            told.append(f"{file.name} {facts.st_size} {facts.st_mtime_ns}")
        except OSError:
            told.append(f"{file.name} cannot be opened")
    return key_of(*told)

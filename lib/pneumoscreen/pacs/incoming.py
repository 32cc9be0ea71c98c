"""What scanners sent, in a folder: each image a file as it was received, on the disk before its sender is told so.

``STUDY/SERIES/IMAGE.dcm``, each name a hash, so that nothing a sender writes into a UID names a place; ``study.json``
beside the series says which study it is. Nothing else is remembered: what is in the folder was acknowledged, and what
was acknowledged is in the folder until its study is done with.

Thread contract: associations call ``take`` in threads of their own, the watcher the rest in one thread.
"""

import filecmp
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydicom.dataset import Dataset

from ..errors import ImageError, PneumoScreenError
from ..models.atomic_files import fsync_path, replace_durably
from .client import SeriesFound, StudyFound
from .reading import Received, StudyReading
from .selection import Candidate
from .state import STORED, Entry, StateError
from .uids import folder_name, is_uid

_ReadT = TypeVar("_ReadT")
_STUDY = "study.json"
_LONGEST_PAUSE_S = 600.0
"""Ours: between two images of a study that one association sends."""
_LEAST_FREE = 1 << 30
"""Ours: bytes of the disk that are left for the state and the results."""


class RefusedError(PneumoScreenError):
    """An image that is not taken."""

    status = 0xC000


class FullError(RefusedError):
    """There is no room for an image."""

    status = 0xA700


class MismatchError(RefusedError):
    """An image that is not what its sender says it is."""

    status = 0xA900


class UnreadableError(RefusedError):
    """An image that cannot be understood."""


@dataclass(frozen=True)
class Room:
    """Bytes that may be taken.

    Attributes:
        image: by one image.
        study: by one study.
        folder: by all that waits.
        keep_s: seconds for which the images of a study are kept that cannot be screened.
    """

    image: int = 1 << 30
    study: int = 10 * 10**9
    folder: int = 50 * 10**9
    keep_s: float = 24 * 3600.0


class Incoming:
    """A folder of studies that were received.

    Args:
        folder: for them.
        reading: reads their headers.
        room: how much may lie here.
        quiet_s: seconds after which a study that no longer grows is complete.
    """

    name = "what was received"

    def __init__(self, folder: Path, reading: StudyReading, room: Room, quiet_s: float) -> None:
        self._folder, self._reading, self._room, self._quiet_s = folder, reading, room, quiet_s
        self._lock = threading.Lock()
        self._open: dict[Hashable, dict[str, float]] = {}
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._bytes = {study.name: _size(study) for study in self._studies()}

    def take(self, file: Path, sop_class: str, sop_instance: str, sender: Hashable = None) -> None:
        """Move a file that was received here; when this returns, the disk has it.

        Args:
            file: on the disk of the folder.
            sop_class: what its sender says it is.
            sop_instance: and which.
            sender: its association; until ``closed`` names it, the study is being sent.

        Raises:
            RefusedError: if it is not taken.
            OSError: if the disk does not take it.
        """
        said = self._checked(file, sop_class, sop_instance)
        study = self._folder / folder_name(said.study)
        target = study / folder_name(said.series) / f"{folder_name(said.instance)}.dcm"
        size = file.stat().st_size
        fsync_path(file)
        with self._lock:
            self._open.setdefault(sender, {})[said.study] = time.time()
            if target.exists():
                if filecmp.cmp(file, target, shallow=False):
                    return
                raise UnreadableError(
                    f"study {said.study}: an image came a second time with other content; the first one is kept"
                )
            self._require_room(study.name, size, said.study)
            if not target.parent.is_dir():
                target.parent.mkdir(parents=True)
                replace_durably(study / _STUDY, json.dumps({"study_uid": said.study}).encode(), 0o600)
                fsync_path(self._folder)
            os.utime(file)
            file.rename(target)
            fsync_path(target.parent)
            self._bytes[study.name] = self._bytes.get(study.name, 0) + size

    def closed(self, sender: Hashable) -> None:
        """An association ended: what it sent is all."""
        with self._lock:
            self._open.pop(sender, None)

    def growing(self) -> Collection[str]:
        """See ``Origin``; of an association that stays open, what it sent long ago is complete as well."""
        with self._lock:
            sent = [study for studies in self._open.values() for study in studies.items()]
        return {study for study, last in sent if last + _LONGEST_PAUSE_S > time.time()}

    def _checked(self, file: Path, sop_class: str, sop_instance: str) -> Received:
        if file.stat().st_size > self._room.image:
            raise FullError(f"an image is larger than {self._room.image >> 20} MB (--image-mb)")
        try:
            said = self._reading.received(file)
        except PneumoScreenError:
            raise UnreadableError("an image cannot be read") from None
        if not all(is_uid(uid) for uid in (said.study, said.series, said.instance)):
            raise UnreadableError("an image has no StudyInstanceUID, SeriesInstanceUID or SOPInstanceUID that is one")
        if said.sop_class != sop_class or said.instance != sop_instance:
            raise MismatchError(f"study {said.study}: an image is of another class or UID than its sender says")
        return said

    def _require_room(self, study: str, size: int, uid: str) -> None:
        if self._bytes.get(study, 0) + size > self._room.study:
            raise FullError(f"study {uid}: is larger than {self._room.study / 1e9:g} GB (--study-gb)")
        if sum(self._bytes.values()) + size > self._room.folder:
            raise FullError(f"study {uid}: what waits takes {self._room.folder / 1e9:g} GB already (--folder-gb)")
        if shutil.disk_usage(self._folder).free - size < _LEAST_FREE:
            raise FullError(f"study {uid}: the disk of the state is full")

    def studies(self) -> Iterable[StudyFound]:
        """See ``Origin``; the longest here come first."""
        found = []
        for study in self._studies():
            images = _images(study)
            if images:
                found.append((min(_arrived(image) for image in images), StudyFound(_uid(study), len(images))))
        return [study for _, study in sorted(found, key=lambda pair: pair[0])]

    def series(self, study_uid: str) -> Sequence[SeriesFound]:
        """See ``Origin``; a series is known by its folder."""
        found = []
        for series in sorted(path for path in self._of(study_uid).glob("*") if path.is_dir()):
            images = sorted(series.glob("*.dcm"))
            if images:
                found.append(
                    SeriesFound(series.name, self._read(self._reading.received, images[0]).modality, len(images))
                )
        return found

    def instances(self, study_uid: str, series_uid: str) -> Sequence[str]:
        """See ``Origin``; an image is known by its number in the series and its file."""
        images = (self._of(study_uid) / series_uid).glob("*.dcm")
        return sorted(f"{self._read(self._reading.received, image).number:010d} {image.name}" for image in images)

    def header(self, study_uid: str, series_uid: str, instance_uid: str) -> Dataset:
        """See ``Origin``."""
        return self._read(self._reading.header, self._file(study_uid, series_uid, instance_uid))

    def files(self, study_uid: str, wanted: Candidate) -> Path:
        """See ``Origin``."""
        if wanted.instance_uid is None:
            return self._of(study_uid) / wanted.series_uid
        return self._file(study_uid, wanted.series_uid, wanted.instance_uid)

    def tidy(self, ended: Sequence[Entry]) -> Iterator[tuple[str, int]]:
        """Delete the studies that are screened, and those that cannot be when they were kept long enough."""
        states = {folder_name(entry.study_uid): entry for entry in ended}
        for study in self._studies():
            entry = states.get(study.name)
            if entry is None:
                continue
            with self._lock:
                late = sum(_arrived(image) > entry.taken for image in _images(study))
                rest_s = self._room.keep_s if entry.state != STORED else self._quiet_s if late else 0.0
                if max((_arrived(image) for image in _images(study)), default=0.0) + rest_s > time.time():
                    continue
                # First it is no longer a study, so that a kill leaves no part of one.
                gone = study.with_name(f".{study.name}")
                study.rename(gone)
                shutil.rmtree(gone, ignore_errors=True)
                self._bytes.pop(study.name, None)
            if entry.state == STORED and late:
                yield entry.study_uid, late

    def _read(self, read: Callable[[Path], _ReadT], image: Path) -> _ReadT:
        try:
            return read(image)
        except PneumoScreenError as error:
            # Its place here says nothing to anybody.
            raise ImageError(str(error).replace(str(image), "an image")) from None

    def _studies(self) -> list[Path]:
        for gone in self._folder.glob(".*"):
            shutil.rmtree(gone, ignore_errors=True)
        return [path for path in self._folder.iterdir() if (path / _STUDY).is_file()]

    def _of(self, study_uid: str) -> Path:
        return self._folder / folder_name(study_uid)

    def _file(self, study_uid: str, series: str, name: str) -> Path:
        return self._of(study_uid) / series / name.partition(" ")[2]


def _images(study: Path) -> list[Path]:
    return list(study.glob("*/*.dcm"))


def _uid(study: Path) -> str:
    try:
        return str(json.loads((study / _STUDY).read_text(encoding="utf-8"))["study_uid"])
    except (OSError, ValueError, KeyError, TypeError):
        raise StateError(f"{study / _STUDY} cannot be read; move its folder away and send that study again") from None


def _size(study: Path) -> int:
    return sum(image.stat().st_size for image in _images(study))


def _arrived(image: Path) -> float:
    return image.stat().st_mtime

"""Reading of scans: in this process for programs that read their user's own files, in a child for the server.

What a server reads was made by others. A file that claims much, or that a library takes for ever over, must cost its
own request and nothing else: so the server reads in processes with limits (``reading_process``), which are killed when
they overstep them or when the job that waits is cancelled.

Thread contract: several threads may read at once, each with a process of its own.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import errors
from ..case_kinds import KINDS
from ..errors import ImageError, PneumoScreenError
from ..images import faults
from ..images.examination import Examination, examination_of
from ..images.faults import AbsentError, DimensionError
from ..images.inputs import Modality, file_input, modality_of
from ..images.raw import RawImage
from ..images.series_search import folders_of_series
from ..images.volume import Volume
from ..images.volume_file import read_volume_file
from ..limits import Limits, variable_of
from ..method import Method
from ..methods import method_for
from . import unpacking
from .failures import is_full_disk
from .reading_child import Check, Child, GoneError

_PATIENCE = 10
"""Seconds that may pass for each second of the processor that a reading may take."""
_IDLE = 2
"""Processes kept for the next scan: starting one takes a second."""

logger = logging.getLogger(__name__)


class OversteppedError(ImageError):
    """A file that took more time or memory to read than the server allows, or that ended the process that read it."""


class Reading:
    """Reading in this process, without limits but those of the formats."""

    def __init__(self) -> None:
        self._more: dict[str, tuple[Path, ...]] = {}

    def join(self, series: Sequence[Sequence[Path]]) -> None:
        """Read each series that lies in several folders as one when its first folder is named."""
        self._more = {os.path.realpath(paths[0]): tuple(paths[1:]) for paths in series}

    def more_of(self, path: Path) -> tuple[Path, ...]:
        """The other folders of the series that begins in a folder."""
        return self._more.get(os.path.realpath(path), ())

    def image(self, method: Method, path: Path, root: Path | None = None, check: Check = bool) -> Any:
        """An image as a method reads it.

        Args:
            method: the method.
            path: file or folder.
            root: the folder below which its document says where it lies; None: it has its name only.
            check: asked while it is read; raises to stop.

        Raises:
            ImageError: if it cannot be read.
        """
        del check
        return method.read_file(path, root, self.more_of(path))

    def volume(self, path: Path, root: Path | None = None, check: Check = bool) -> Volume:
        """A CT; see ``read_volume``.

        Raises:
            ImageError: if it cannot be read.
        """
        found: Volume = self.image(method_for("CT"), path, root, check)
        return found

    def raw(self, path: Path) -> RawImage:
        """A volume of any values in one file.

        Raises:
            ImageError: if it cannot be read.
        """
        return read_volume_file(path)

    def modality(self, path: Path) -> Modality:
        """What kind of image a file or folder holds.

        Raises:
            ImageError: if its header cannot be read.
        """
        return modality_of(path)

    def examination(self, path: Path) -> Examination:
        """Whose DICOM image it is and when it was taken; see ``images.examination``."""
        return examination_of(path)

    def folders_of_series(self, folders: Sequence[Path]) -> list[list[Path]]:
        """See ``images.series_search``; none where the folders cannot be read."""
        try:
            return folders_of_series(folders)
        except (PneumoScreenError, OSError):
            return []

    def is_single_image(self, path: Path) -> bool:
        """Whether a DICOM file is a whole image: a radiograph, or a CT with all its frames, and no loose slice."""
        try:
            return bool(file_input(path).headers)
        except (PneumoScreenError, OSError):
            return False

    def unpack(self, archive: Path, folder: Path, limits: unpacking.ArchiveLimits) -> None:
        """Unpack an archive into an empty folder.

        Raises:
            ArchiveError: if it is not to be.
        """
        unpacking.unpack(archive, folder, limits)

    def warm_up(self) -> None:
        """Make ready for the first scan."""

    def close(self) -> None:
        """End what still waits for work."""


class LimitedReading(Reading):
    """Reading in processes with limits.

    Args:
        limits: of memory and time; default: those of the environment.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        super().__init__()
        self._limits = limits or Limits.of_environment()
        self._lock = threading.Lock()
        self._idle: list[Child] = []

    def image(self, method: Method, path: Path, root: Path | None = None, check: Check = bool) -> Any:
        """See ``Reading``."""
        more = [str(folder) for folder in self.more_of(path)]
        values, array = self._asked("image", path, check, modality=method.modality, root=_text(root), more=more)
        return method.image_type(**{method.voxels: _needed(array)}, **_fields(values))

    def raw(self, path: Path) -> RawImage:
        """See ``Reading``."""
        values, array = self._asked("raw", path)
        return RawImage(values=_needed(array), **_fields(values))

    def modality(self, path: Path) -> Modality:
        """See ``Reading``."""
        name = path.name.lower()
        if not (path.is_dir() or name.endswith(".dcm")):
            return modality_of(path)  # told by the name alone
        told = str(self._asked("modality", path)[0]["modality"])
        return told if told in KINDS else "CT"

    def examination(self, path: Path) -> Examination:
        """See ``Reading``."""
        try:
            return Examination(**self._asked("examination", path)[0])
        except (PneumoScreenError, OSError):
            return Examination()

    def folders_of_series(self, folders: Sequence[Path]) -> list[list[Path]]:
        """See ``Reading``."""
        try:
            values, _ = self._asked("series", folders[0], folders=[str(folder) for folder in folders])
            return [[Path(text) for text in paths] for paths in values["series"]]
        except (PneumoScreenError, OSError):
            return []

    def is_single_image(self, path: Path) -> bool:
        """See ``Reading``."""
        try:
            return bool(self._asked("single", path)[0]["is_image"])
        except (PneumoScreenError, OSError):
            return False

    def unpack(self, archive: Path, folder: Path, limits: unpacking.ArchiveLimits) -> None:
        """See ``Reading``."""
        self._asked("unpack", archive, folder=str(folder), entries=limits.entries, bytes=limits.bytes)

    def warm_up(self) -> None:
        """Start a process that waits for the first scan."""
        self._put_back(self._taken())

    def close(self) -> None:
        """End the processes that wait for work."""
        with self._lock:
            idle, self._idle = self._idle, []
        for child in idle:
            child.end()

    def _asked(
        self, kind: str, path: Path, check: Check = bool, **more: Any
    ) -> tuple[dict[str, Any], NDArray[Any] | None]:
        child = self._taken()
        try:
            # The system counts the seconds of the processor; on a busy machine they take longer than that.
            end = time.monotonic() + _PATIENCE * self._limits.read_seconds
            answer, array = child.ask({"kind": kind, "path": str(path), **more}, end, check)
        except GoneError as gone:
            is_late = child.end() == -signal.SIGXCPU or gone.is_late
            raise OversteppedError(self._sentence(path, is_late)) from None
        except BaseException:
            child.end()
            raise
        if "memory" in answer or "fault" in answer:
            child.end()  # what is left of it is not worth keeping
        else:
            self._put_back(child)
        _raise(answer, path, self._limits)
        return answer["values"], array

    def _sentence(self, path: Path, is_late: bool) -> str:
        if is_late:
            seconds, variable = self._limits.read_seconds, variable_of("read_seconds")
            return f"{path} takes longer than {seconds} s to read; give a smaller file, or raise {variable}"
        return f"{path} cannot be read: the process that read it ended; copy or export it again"

    def _taken(self) -> "Child":
        with self._lock:
            while self._idle:
                child = self._idle.pop()
                if child.is_alive:
                    return child
                child.end()
        return Child(self._limits)

    def _put_back(self, child: "Child") -> None:
        with self._lock:
            if len(self._idle) < _IDLE:
                self._idle.append(child)
                return
        child.end()


def _raise(answer: dict[str, Any], path: Path, limits: Limits) -> None:
    """Raise what the process answered instead of values, if it did."""
    if "error" in answer:
        known = {**vars(errors), **vars(unpacking), **vars(faults)}
        kind = known.get(answer["error"])
        is_ours = isinstance(kind, type) and issubclass(kind, PneumoScreenError)
        raise (kind if is_ours else ImageError)(str(answer["message"]))  # type: ignore[misc]
    if "memory" in answer:
        megabytes, variable = limits.read_memory_mb, variable_of("read_memory_mb")
        raise DimensionError(
            f"{path} needs more than {megabytes} MB of memory to be read; give the chest only, or raise {variable}"
        )
    if "errno" in answer:
        error = OSError(int(answer["errno"]), str(answer["message"]))
        if is_full_disk(error):
            raise error
        raise AbsentError(f"{path} cannot be read; check that it is there and may be opened")
    if "fault" in answer:
        logger.error("a scan could not be read: %s", answer["fault"])
        raise OversteppedError(f"{path} cannot be read: the reading failed, and the server's log says how")


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _needed(array: NDArray[Any] | None) -> NDArray[Any]:
    assert array is not None
    return array


def _fields(values: dict[str, Any]) -> dict[str, Any]:
    """JSON values as an image has them: lists are tuples, small arrays have their type, and ``source`` is a path."""
    found: dict[str, Any] = {name: _field(value) for name, value in values.items()}
    return {**found, "source": Path(found["source"])} if "source" in found else found


def _field(value: Any) -> Any:
    if isinstance(value, dict) and value.keys() == {"dtype", "values"}:
        return np.array(value["values"], np.dtype(value["dtype"]))
    return tuple(value) if isinstance(value, list) else value

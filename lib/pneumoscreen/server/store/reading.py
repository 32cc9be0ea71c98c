"""Reading of scans: in this process for programs that read their user's own files, in a child for the server.

What a server reads was made by others. A file that claims much, or that a library takes for ever over, must cost its
own request and nothing else: so the server reads in processes with limits (``reading.processes``), which are killed
when they overstep them or when the job that waits is cancelled.

Thread contract: several threads may read at once, each with a process of its own.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...case_kinds import KINDS
from ...errors import PneumoScreenError
from ...images.examination import Examination, examination_of
from ...images.inputs import Modality, file_input, modality_of
from ...images.raw import RawImage
from ...images.series_search import folders_of_series
from ...images.volume import Volume
from ...images.volume_file import read_volume_file
from ...limits import Limits
from ...method import Method
from ...methods import method_for
from ...reading.processes import OversteppedError, Processes, as_fields, needed
from ...subprocesses.child import Check
from . import unpacking

__all__ = ["Check", "LimitedReading", "OversteppedError", "Reading"]

_MODULE = "pneumoscreen.server.store.reading_process"


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
        self.processes = Processes(_MODULE, limits, vars(unpacking))

    def image(self, method: Method, path: Path, root: Path | None = None, check: Check = bool) -> Any:
        """See ``Reading``."""
        return self.processes.image(method, path, root, self.more_of(path), check)

    def raw(self, path: Path) -> RawImage:
        """See ``Reading``."""
        values, array = self.processes.ask("raw", path)
        return RawImage(values=needed(array), **as_fields(values))

    def modality(self, path: Path) -> Modality:
        """See ``Reading``."""
        name = path.name.lower()
        if not (path.is_dir() or name.endswith(".dcm")):
            return modality_of(path)  # told by the name alone
        told = str(self.processes.ask("modality", path)[0]["modality"])
        return told if told in KINDS else "CT"

    def examination(self, path: Path) -> Examination:
        """See ``Reading``."""
        try:
            return Examination(**self.processes.ask("examination", path)[0])
        except (PneumoScreenError, OSError):
            return Examination()

    def folders_of_series(self, folders: Sequence[Path]) -> list[list[Path]]:
        """See ``Reading``."""
        try:
            values, _ = self.processes.ask("series", folders[0], folders=[str(folder) for folder in folders])
            return [[Path(text) for text in paths] for paths in values["series"]]
        except (PneumoScreenError, OSError):
            return []

    def is_single_image(self, path: Path) -> bool:
        """See ``Reading``."""
        try:
            return bool(self.processes.ask("single", path)[0]["is_image"])
        except (PneumoScreenError, OSError):
            return False

    def unpack(self, archive: Path, folder: Path, limits: unpacking.ArchiveLimits) -> None:
        """See ``Reading``."""
        self.processes.ask("unpack", archive, folder=str(folder), entries=limits.entries, bytes=limits.bytes)

    def warm_up(self) -> None:
        """Start a process that waits for the first scan."""
        self.processes.warm_up()

    def close(self) -> None:
        """End the processes that wait for work."""
        self.processes.close()

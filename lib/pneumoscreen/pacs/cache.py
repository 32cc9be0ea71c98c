"""Series of the PACS on this disk, up to so many bytes; a series is there whole or not at all."""

import os
import shutil
from pathlib import Path

from .client import Pacs, PacsAwayError
from .selection import Candidate
from .uids import folder_name

_PART = ".part"


class SeriesCache:
    """A folder of series, each in a folder of its own named by a hash.

    Args:
        folder: for the series.
        most_bytes: they may take together; those unused for longest go first. The one in use always stays.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder, self._most = folder, most_bytes
        folder.mkdir(parents=True, exist_ok=True)
        for part in folder.glob(f"*{_PART}"):
            shutil.rmtree(part, ignore_errors=True)

    def fetch(self, pacs: Pacs, study_uid: str, wanted: Candidate) -> Path:
        """The folder of a series or single image, from the PACS where it is not here yet.

        Raises:
            PacsError: if it does not come, or not whole.
        """
        target = self._folder / folder_name(wanted.series_uid, str(wanted.instance_uid), str(wanted.instances))
        if not target.exists():
            part = target.with_name(target.name + _PART)
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            count = pacs.fetch(study_uid, wanted.series_uid, part, wanted.instance_uid)
            if count < (wanted.instances or 1):
                raise PacsAwayError(
                    f"{pacs.host}: the PACS sent {count} of {wanted.instances} images of a series; it is asked again"
                )
            part.rename(target)
        os.utime(target)
        self._shrink(target)
        return target

    @property
    def size(self) -> int:
        """Bytes of all series."""
        return sum(_size(folder) for folder in self._folder.iterdir())

    def _shrink(self, in_use: Path) -> None:
        folders = sorted((f for f in self._folder.iterdir() if f != in_use), key=lambda f: f.stat().st_mtime)
        sizes = {folder: _size(folder) for folder in (*folders, in_use)}
        total = sum(sizes.values())
        for folder in folders:
            if total <= self._most:
                return
            shutil.rmtree(folder, ignore_errors=True)
            total -= sizes[folder]


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir()) if folder.is_dir() else folder.stat().st_size

"""DICOM series that lie in several folders, as exporters write them that start a new one after so many files.

Such a series is one image: that of its first folder. Which folders may belong together is told by the bytes of their
headers, so that not every header is parsed for it; whether they do, the reading says.
"""

import os
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from ...images.dicom_start import looks_like_dicom
from ...models.atomic_files import changed_ns

_SERIES_UID = re.compile(rb"\x20\x00\x0e\x00(?:UI..|..\x00\x00)([0-9.]{5,64})", re.DOTALL)
_HEADER = 1 << 16
"""Bytes of a file that are looked at; ours."""
_FILES_PROBED = 8

Join = Callable[[Sequence[Path]], list[list[Path]]]
"""Of some folders, those of each series that lies in several of them."""


class SplitSeries:
    """Finds the series that lie in several folders. What was found holds until one of the folders changes."""

    def __init__(self, join: Join) -> None:
        self._join = join
        self._uids: dict[str, tuple[int, frozenset[bytes]]] = {}
        self._joined: dict[tuple[tuple[str, int], ...], list[list[Path]]] = {}

    def among(self, folders: Sequence[Path]) -> list[list[Path]]:
        """The folders of each such series, in their order."""
        alike: dict[bytes, list[Path]] = defaultdict(list)
        for folder in folders:
            for uid in self._uids_in(folder):
                alike[uid].append(folder)
        found: list[list[Path]] = []
        for group in dict.fromkeys(tuple(group) for group in alike.values() if len(group) > 1):
            found += [paths for paths in self._asked(group) if not any(set(paths) & set(other) for other in found)]
        return found

    def _asked(self, folders: Sequence[Path]) -> list[list[Path]]:
        key = tuple((str(folder), changed_ns(folder)) for folder in folders)
        if key not in self._joined:
            self._joined[key] = self._join(folders)
        return self._joined[key]

    def _uids_in(self, folder: Path) -> frozenset[bytes]:
        """What may be the UID of the series of the DICOM files in a folder, by the first that has one."""
        changed = changed_ns(folder)
        known = self._uids.get(str(folder))
        if known is None or known[0] != changed:
            known = self._uids[str(folder)] = changed, _uids_of(folder)
        return known[1]


def _uids_of(folder: Path) -> frozenset[bytes]:
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_file() and entry.name[0] != ".")
        files = [folder / name for name in names if name.lower() != "dicomdir"][:_FILES_PROBED]
        for file in filter(looks_like_dicom, files):
            with file.open("rb") as opened:
                found = frozenset(_SERIES_UID.findall(opened.read(_HEADER)))
            if found:
                return found
    except OSError:
        pass  # reading the image says what is wrong
    return frozenset()

"""The published versions of one model: their numbers, which one is in use, and which one came before.

``<folder>/<version>/`` holds a version, ``<folder>/current`` the number of the one in use (the newest where there is
no such file) and ``<folder>/last_version`` the highest number that was ever given.

Ours: the version before another is the one that it replaced, as its card says. After a rollback from 5 to 3 and a
publication of 6, the one before 6 is 3: nobody is led back to a version that was taken out of use.
"""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import ModelError
from .atomic_files import fsync_path, remove_leftovers, replace_durably
from .lock import LOCK_FILE
from .weights import CARD_FILE, WEIGHTS_FILE, read_card

CANDIDATES_FOLDER = ".candidates"
CURRENT_FILE = "current"
LAST_VERSION_FILE = "last_version"
REPLACES = "replaces"
"""Field of a card: the version that was in use when this one was published."""

_NUMBER = re.compile(r"[1-9][0-9]{0,8}")


class VersionFolder:
    """The versions in a model's folder. Only whoever holds the model's lock may call what writes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def numbers(self) -> list[int]:
        """Version numbers, oldest first, damaged ones included."""
        if not self.folder.is_dir():
            return []
        return sorted(int(p.name) for p in self.folder.iterdir() if _NUMBER.fullmatch(p.name) and p.is_dir())

    def path(self, version: int) -> Path:
        """The folder of a version."""
        return self.folder / str(version)

    def card(self, version: int) -> dict[str, Any]:
        """The card of a version.

        Raises:
            ModelError: if it cannot be read.
        """
        return read_card(self.path(version))

    def current(self) -> tuple[int | None, str | None]:
        """The version in use, None where there is none, and what is wrong with the file that names it.

        Where that file is damaged the newest version counts; where it names a version that is gone, the next
        older one. A newer one never does: it was taken out of use.
        """
        numbers = self.numbers()
        newest = max(numbers, default=None)
        path = self.folder / CURRENT_FILE
        try:
            text = path.read_bytes().decode("ascii", errors="replace").strip()
        except FileNotFoundError:
            return newest, None
        except OSError as error:
            return newest, f"{path} cannot be read ({error.strerror}); the newest version counts"
        if not _NUMBER.fullmatch(text):
            return newest, f"{path} is damaged: {text[:20]!r} is no version; the newest version counts"
        named = int(text)
        if named in numbers:
            return named, None
        older = max((number for number in numbers if number < named), default=None)
        return older, f"{path} names version {named}, which is not there; the next older one counts"

    def before(self, version: int) -> int | None:
        """The version that this one replaced; the next older one where that is not known or gone."""
        numbers = self.numbers()
        try:
            replaced = self.card(version).get(REPLACES)
        except ModelError:
            replaced = None
        if isinstance(replaced, int) and replaced < version and replaced in numbers:
            return replaced
        return max((number for number in numbers if number < version), default=None)

    def succession(self) -> Iterator[int]:
        """The version in use, then the one before it, and so on: what to try where one is damaged."""
        version, _ = self.current()
        while version is not None:
            yield version
            version = self.before(version)

    def fingerprint(self) -> tuple[Any, ...]:
        """Changes when another version comes into use, or a file of any version changes."""
        return (*self.current(), *(stamps(self.path(number)) for number in self.numbers()))

    def take_number(self) -> int:
        """A number that was never given before and never will be again: an old report names its versions for good."""
        path = self.folder / LAST_VERSION_FILE
        try:
            last = int(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            last = 0
        number = max([last, *self.numbers()]) + 1
        # Before the version stands: a crash in between costs a number, never gives one twice.
        replace_durably(path, f"{number}\n".encode())
        return number

    def put_in_use(self, version: int) -> None:
        """Let the pointer name this version."""
        replace_durably(self.folder / CURRENT_FILE, f"{version}\n".encode())

    def sweep(self) -> None:
        """Delete what killed processes left behind."""
        remove_leftovers(self.folder, except_for=(LOCK_FILE, CANDIDATES_FOLDER))

    def remove(self, version: int) -> None:
        """Delete a version; a crash leaves all of it or a hidden rest."""
        hidden = self.folder / f".removed-{version}-{os.getpid()}"
        self.path(version).rename(hidden)
        fsync_path(self.folder)
        shutil.rmtree(hidden)


def stamps(folder: Path) -> tuple[Any, ...]:
    """Changes when one of the two files in a folder of weights does."""
    return (folder.name, *(_stamp(folder / name) for name in (WEIGHTS_FILE, CARD_FILE)))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns

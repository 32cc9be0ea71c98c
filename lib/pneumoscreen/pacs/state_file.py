"""Files of SQLite in a server's state folder, which several threads and processes use at a time."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ..errors import PneumoScreenError

_WAIT_S = 60.0
"""Ours: for a change that another one is making."""


class StateFileError(PneumoScreenError):
    """A file of the state that cannot be read or written."""


@contextmanager
def changing(file: Path) -> Iterator[sqlite3.Connection]:
    """Open a file for one change, which is on the disk at the end, also after a loss of power, or not made.

    Args:
        file: made where missing.

    Raises:
        StateFileError: if it cannot be used.
    """
    try:
        with closing(sqlite3.connect(file, timeout=_WAIT_S)) as base, base:
            base.execute("PRAGMA synchronous=FULL")
            yield base
    except sqlite3.Error as error:
        raise StateFileError(
            f"{file.name} of the state folder cannot be used ({error}); free the disk, or restore it"
        ) from None

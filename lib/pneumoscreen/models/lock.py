"""One change of a model at a time, and sentences in place of a disk's errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from ..errors import ModelError

LOCK_FILE = ".lock"
TIMEOUT_S = 60.0


@contextmanager
def changing(folder: Path) -> Iterator[None]:
    """Hold the lock of a model's folder; the system lets it go when its holder dies.

    Raises:
        ModelError: if the folder cannot be changed.
    """
    with writing(folder), FileLock(folder / LOCK_FILE, timeout=TIMEOUT_S):
        yield


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn a full or read-only disk into a sentence.

    Raises:
        ModelError: if the folder cannot be changed.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise ModelError(f"{folder} cannot be changed ({reason}); mend its rights or free the disk") from None

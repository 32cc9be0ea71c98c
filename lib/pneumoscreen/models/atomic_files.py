"""Writing files that a crash or a full disk cannot leave half-written."""

import errno
import io
import os
import shutil
import tempfile
import time
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEFTOVER_S = 24 * 3600.0
"""Ours: age from which a hidden file is taken for what a killed process left behind."""


def write_durably(path: Path, content: bytes) -> None:
    """Write a file and wait until the disk has it."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def replace_durably(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Put new content in the place of a file: after a crash the old or the new stands there, never a part.

    ``mode`` holds before the file has its name: 0o600 for what only its owner may read.
    """
    handle, staged = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    os.close(handle)
    try:
        write_durably(Path(staged), content)
        os.chmod(staged, mode)  # mkstemp gives 0600; by default another user of the folder must be able to read it
        os.replace(staged, path)
    except BaseException:
        Path(staged).unlink(missing_ok=True)
        raise
    fsync_path(path.parent)


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """A hidden file or folder to make beside the target, which takes its place when it is whole and on the disk.

    What a killed process left under its name is removed first.
    """
    part = target.with_name(f".part-{target.name}")
    _remove(part)
    try:
        yield part
        os.replace(part, target)
    finally:
        _remove(part)
    fsync_path(target.parent)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def fsync_path(path: Path) -> None:
    """Wait until the disk has a file, or a folder's entries, so that a rename in it is kept."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def age_s(path: Path) -> float:
    """Seconds since a file, or the list of files in a folder, was changed; 0 where it is gone meanwhile."""
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def changed_ns(path: str | Path) -> int:
    """When a file, or the list of files in a folder, was changed last, in ns since 1970; 0 where it cannot be told."""
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def remove_leftovers(folder: Path, except_for: Container[str] = ()) -> None:
    """Delete the hidden files and folders that are older than a day: nobody is writing them any more."""
    for path in folder.glob(".*"):
        if path.name not in except_for and age_s(path) > LEFTOVER_S:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def is_full_disk(error: BaseException) -> bool:
    """Whether a disk that is full or may not be written to is the reason of a failure."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], is_compressed: bool = False) -> None:
    """Write arrays by name to an ``.npz`` file; a killed run never leaves half a file under the name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    save = np.savez_compressed if is_compressed else np.savez
    save(content, **arrays)
    replace_durably(path, content.getvalue())

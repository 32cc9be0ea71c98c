"""Opening files that are files: whatever else stands under a name can wait for ever or answer with anything."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from .faults import UnsupportedError


def open_plain(path: Path) -> BinaryIO:
    """Open a regular file for reading.

    Raises:
        UnsupportedError: if it is a device, pipe, socket or folder.
        OSError: if it cannot be opened.
    """
    # Without NONBLOCK the opening of a pipe waits for a writer; for regular files it means nothing.
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise UnsupportedError(f"{path} is a device, pipe or folder and no file; give a file")
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise

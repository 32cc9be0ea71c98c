"""What C libraries say on standard error, which for some is the only sign that a file is damaged.

libjpeg decodes damaged data to a wrong picture and says so there; MetaIO goes on after a failed
decompression. A user should see one sentence of ours instead of that, and no wrong picture.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_lock = Lock()


@contextmanager
def complaints_of(marks: tuple[bytes, ...]) -> Iterator[list[bytes]]:
    """Catch the lines on standard error that hold one of the marks; they are in the list afterwards.

    Whatever else the process writes there meanwhile is passed on. One holder at a time; without marks
    nothing is caught and nobody waits.
    """
    complaints: list[bytes] = []
    if not marks:
        yield complaints
        return
    with _lock, tempfile.TemporaryFile() as caught:
        kept = _redirect(caught.fileno())
        try:
            yield complaints
        finally:
            if kept is not None:
                os.dup2(kept, 2)
                os.close(kept)
            caught.seek(0)
            for line in caught.read().splitlines(keepends=True):
                if any(mark in line for mark in marks):
                    complaints.append(line)
                else:
                    os.write(2, line)


def _redirect(target: int) -> int | None:
    """Send standard error to another descriptor; a duplicate of the old one, or None if there is none."""
    try:
        kept = os.dup(2)
    except OSError:
        return None
    os.dup2(target, 2)
    return kept

"""Temporary files: none is left by a request, by a server that ends, or by one that was killed once the next starts.

The server has a folder of its own for them, and so have the processes that it starts. A lock file says whether its
server still runs. Requests of MONAI Label's endpoints, which clean up only after those that succeed, have one each.

Beside the files that it replaces the server stages new ones, under hidden names; ``clear_leftovers`` removes those
that a killed process left in the studies folder.
"""

import logging
import os
import re
import shutil
import signal
import stat
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import FrameType
from typing import IO, Any

from starlette.responses import FileResponse
from starlette.types import Receive, Scope, Send

from ...models.atomic_files import age_s
from ...studies.layout import ANNOTATIONS
from .. import WORK_FOLDER

_PREFIX = "pneumoscreen-server-"
_LOCK = ".lock"
_UNLOCKED_S = 3600.0
"""Age from which a folder without a lock file is nobody's: between the two is a moment of the server's start."""
_STAGED = re.compile(
    r"\.part-[a-z0-9_]{8}"  # place_file
    r"|\.[^.].*\.(?:json|nrrd|mha|nii|gz)-[a-z0-9_]{8}"  # replace_durably, write_exclusively
    r"|\.\d+\..+\.(?:html|nrrd)"  # staged, with the number of its process
    r"|[0-9a-f]{16}\.part\.nrrd"  # converted images
)

_OF_PROCESS = re.compile(r"\.(\d+)\..+\.(?:html|nrrd)")

_request_folder: ContextVar[str | None] = ContextVar("request_folder", default=None)

logger = logging.getLogger(__name__)


@contextmanager
def own_folder() -> Iterator[Path]:
    """A folder for all temporary files of this process and of those that it starts; gone at the end.

    Folders of servers that do not run any more are removed first.
    """
    base = Path(tempfile.gettempdir())
    for old in base.glob(f"{_PREFIX}*"):
        if _is_ours(old) and not _is_in_use(old):
            shutil.rmtree(old, ignore_errors=True)
    with _ending_in_order():
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
        before = tempfile.tempdir, os.environ.get("TMPDIR")
        with (folder / _LOCK).open("w") as lock:
            _try_lock(lock)
            tempfile.tempdir = os.environ["TMPDIR"] = str(folder)
            try:
                yield folder
            finally:
                tempfile.tempdir = before[0]
                os.environ.pop("TMPDIR")
                if before[1] is not None:
                    os.environ["TMPDIR"] = before[1]
                shutil.rmtree(folder, ignore_errors=True)


class _TerminatedError(BaseException):
    """SIGTERM came."""


@contextmanager
def _ending_in_order() -> Iterator[None]:
    """Let SIGTERM, by which a service is stopped, end the process only when the block has cleaned up.

    uvicorn passes the signal that it caught on once it has ended, and unhandled that is the end at once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's
        return

    def end(number: int, frame: FrameType | None) -> None:
        raise _TerminatedError

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except _TerminatedError:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


@contextmanager
def request_folder() -> Iterator[None]:
    """A folder for the temporary files that a stock endpoint makes in this block; gone with them at its end."""
    with tempfile.TemporaryDirectory(prefix="request-", ignore_cleanup_errors=True) as folder:
        token = _request_folder.set(folder)
        try:
            yield
        finally:
            _request_folder.reset(token)


class RequestTempfile:
    """Stands in the place of the module ``tempfile`` in a stock module: files lie in the request's folder."""

    @staticmethod
    def NamedTemporaryFile(suffix: str | None = None) -> Any:  # noqa: N802 (the module's name for it)
        """See ``tempfile``."""
        return tempfile.NamedTemporaryFile(suffix=suffix, dir=_request_folder.get())


class OneTimeFile(FileResponse):
    """A file that is gone once it was sent, or its client went away."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            Path(self.path).unlink(missing_ok=True)


def is_staged(name: str) -> bool:
    """Whether a file's name is that of one that is being written."""
    return _STAGED.fullmatch(name) is not None


def clear_leftovers(studies: Path, before: float) -> int:
    """Remove what killed processes staged in a studies folder.

    Args:
        studies: the folder.
        before: seconds since 1970; what was changed later may be somebody's who writes it now.

    Returns:
        How many files were removed.
    """
    count = 0
    for folder in _staging_folders(studies):
        for path in _entries(folder):
            if not _STAGED.fullmatch(path.name):
                continue
            try:
                status = path.lstat()
                if stat.S_ISREG(status.st_mode) and status.st_mtime < before and not _writer_lives(path.name):
                    path.unlink()
                    count += 1
            except OSError:
                continue  # it is gone, or the folder may not be written to
    if count:
        logger.info("%d unfinished files of a server that was killed were removed", count)
    return count


def _staging_folders(studies: Path) -> Iterator[Path]:
    """The folders that the server writes into; none that a link leads to."""
    yield studies
    for parent in (studies / "labels", studies / ANNOTATIONS):
        if _is_real_folder(parent):
            yield from filter(_is_real_folder, _entries(parent))
    work = studies / WORK_FOLDER
    if _is_real_folder(work):
        yield work
        kept = (work / name for name in ("scores", "screenings", "reports", "masks", "images"))
        yield from filter(_is_real_folder, kept)
        if _is_real_folder(work / "screened_before"):
            yield from filter(_is_real_folder, _entries(work / "screened_before"))


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _is_real_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _writer_lives(name: str) -> bool:
    """Whether a staged file names a process of this machine that still runs; reports take seconds to write."""
    found = _OF_PROCESS.fullmatch(name)
    if found is None:
        return False
    try:
        os.kill(int(found[1]), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return int(found[1]) != os.getpid()


def _is_ours(folder: Path) -> bool:
    try:
        status = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and (not hasattr(os, "geteuid") or status.st_uid == os.geteuid())


def _is_in_use(folder: Path) -> bool:
    try:
        with (folder / _LOCK).open("r+") as lock:
            return not _try_lock(lock)
    except FileNotFoundError:
        return age_s(folder) < _UNLOCKED_S
    except OSError:
        return True


def _try_lock(lock: IO[str]) -> bool:
    """Lock a file for as long as it is open; False where another process has it."""
    try:
        import fcntl
    except ImportError:
        return False  # Windows: nothing is known, so nothing is removed
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True

"""What reaches the terminal: results on standard output, everything else on standard error."""

import io
import logging
import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_LONG_WAIT_S = 90.0
"""Ours: time left from which a progress line names it."""


def complain(message: str) -> None:
    """Print a message as one line on standard error, whatever line breaks it carries."""
    print(" ".join(message.split()), file=sys.stderr, flush=True)


def write_any_name() -> None:
    """Let names be printed that the terminal cannot write, or that are no text: their signs come as escapes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def progress_of(of: int, what: str = "") -> Callable[[int, str], None]:
    """Prints a line an image on standard error, with the time left while it is long."""
    start = time.monotonic()

    def show(done: int, line: str) -> None:
        left = (time.monotonic() - start) / done * (of - done)
        remaining = f" (about {left / 60:.0f} min left)" if left > _LONG_WAIT_S else ""
        complain(f"{what}{done}/{of} {line}{remaining}")

    return show


class _LineHandler(logging.Handler):
    """Log records as lines on the standard error of the moment."""

    def emit(self, record: logging.LogRecord) -> None:
        complain(self.format(record))


def quiet_packages() -> None:
    """Show this program's own warnings as plain lines and keep those of other packages to the log.

    A reader of standard error looks for the line that names a bad input; what packages think of each
    other's versions would bury it. With ``PNEUMOSCREEN_DEBUG`` set, everything is shown.
    """
    if os.environ.get("PNEUMOSCREEN_DEBUG"):
        logging.basicConfig(level=logging.DEBUG)
        return
    logging.captureWarnings(True)
    own = logging.getLogger("pneumoscreen")
    if not any(isinstance(handler, _LineHandler) for handler in own.handlers):
        own.addHandler(_LineHandler(logging.WARNING))
    warnings_log = logging.getLogger("py.warnings")
    if not warnings_log.handlers:
        warnings_log.addHandler(logging.NullHandler())
        warnings_log.propagate = False


class Meter:
    """A progress bar on standard error while a case is screened; nothing where no terminal is there.

    Use as a context manager; the value is a progress callback ``(stage, fraction of the whole)``.
    """

    def __init__(self, case_id: str) -> None:
        self._case_id = case_id
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Callable[[str, float], None]:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task(self._case_id, total=1.0)
            self._bar.start()
        return self._show

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _show(self, stage: str, fraction: float) -> None:
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=fraction, description=f"{self._case_id}: {stage}")

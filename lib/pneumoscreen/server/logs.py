"""How the server's log is written: as text for people or as JSON for programs, to standard error or a file that turns.

Whatever the choice, ``GET /logs/`` shows text. The processes that the server starts write to its standard error, in the
same form.
"""

import json
import logging
import logging.handlers
import os
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from ..limits import MEBIBYTE
from ..studies.audit import utc_text
from .access.request_record import REQUESTS, request_id
from .failures import ServeError

KEPT = 10_000


class LogLines(logging.Handler):
    """Keeps the last lines."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: deque[str] = deque(maxlen=KEPT)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        try:
            self._lines.append(self.format(record))
        except Exception:
            self.handleError(record)

    def text(self, lines: int) -> str:
        """The last lines; 0: all that are kept."""
        kept = list(self._lines)
        return "".join(f"{line}\n" for line in kept[-lines:])


def kept_log() -> LogLines | None:
    """The handler that keeps this process's log; None where the log goes to a file of MONAI Label's."""
    return next((each for each in logging.getLogger().handlers if isinstance(each, LogLines)), None)


FORMAT_VARIABLE = "PNEUMOSCREEN_LOG_FORMAT"
_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class LogFormat(StrEnum):
    """What a line of the log is."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True)
class LogChoice:
    """What a site chooses.

    Attributes:
        format: text or JSON.
        file: where it goes; None: standard error.
        megabytes: from which size on a file is set aside.
        files: how many of those set aside are kept.
    """

    format: LogFormat = LogFormat.TEXT
    file: Path | None = None
    megabytes: int = 50
    files: int = 5


class JsonLines(logging.Formatter):
    """A JSON object a line: ``at`` (UTC), ``level``, ``logger``, ``message``, and what is known of request and job."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line: dict[str, Any] = {
            "at": utc_text(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id():
            line["request"] = request_id()
        line |= getattr(record, "about", {})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def set_up_log(choice: LogChoice) -> None:
    """Send this process's log where the site wants it.

    Raises:
        ServeError: if the file cannot be written.
    """
    os.environ[FORMAT_VARIABLE] = choice.format  # for the processes that are started
    handler = logging.StreamHandler() if choice.file is None else _to_file(choice, choice.file)
    kept = LogLines()
    kept.setFormatter(logging.Formatter(_TEXT))
    handler.setFormatter(_formatter(choice.format))
    logging.basicConfig(level=logging.WARNING, force=True, handlers=(handler, kept))
    logging.getLogger("pneumoscreen").setLevel(logging.INFO)
    # Clients ask every second: people would find nothing else in their log.
    logging.getLogger(REQUESTS).setLevel(logging.INFO if choice.format is LogFormat.JSON else logging.WARNING)
    logging.getLogger("timeloop").disabled = True  # announces its jobs through a handler of its own


def set_up_log_of_child() -> None:
    """Write to standard error, in the form of the server that started this process."""
    handler = logging.StreamHandler()
    handler.setFormatter(_formatter(os.environ.get(FORMAT_VARIABLE, "")))
    logging.basicConfig(level=logging.WARNING, handlers=(handler,))


def _formatter(name: str) -> logging.Formatter:
    return JsonLines() if name == LogFormat.JSON else logging.Formatter(_TEXT)


def _to_file(choice: LogChoice, file: Path) -> logging.Handler:
    try:
        return logging.handlers.RotatingFileHandler(
            file, maxBytes=choice.megabytes * MEBIBYTE, backupCount=choice.files, encoding="utf-8"
        )
    except OSError as error:
        sentence = f"the log {file} cannot be written ({error.strerror}); name another with --log-file"
        raise ServeError(sentence) from None

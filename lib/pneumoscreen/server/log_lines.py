"""The last lines of the server's log, in memory for ``GET /logs/``: where the log itself goes is the site's choice."""

import logging
from collections import deque

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

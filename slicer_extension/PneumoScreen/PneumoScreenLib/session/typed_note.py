"""A note while it is typed: it is kept when the reader pauses, not letter by letter."""

from typing import Callable, Optional

import qt

PAUSE_MS = 600
"""Ours: longer than between two letters, shorter than a reader waits for "kept"."""


class TypedNote:
    """What was typed and is not in the reading yet.

    Args:
        keep: takes the text.
    """

    def __init__(self, keep: Callable[[str], None]) -> None:
        self._keep = keep
        self._text: Optional[str] = None
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(PAUSE_MS)
        self._timer.connect("timeout()", self.settle)

    @property
    def text(self) -> Optional[str]:
        """What waits to be kept; None where nothing does."""
        return self._text

    def type(self, text: str) -> None:
        """The note reads like this now."""
        self._text = text
        self._timer.start()

    def settle(self) -> None:
        """Keep at once what waits: before anything else is done to the reading."""
        text, self._text = self._text, None
        self._timer.stop()
        if text is not None:
            self._keep(text)

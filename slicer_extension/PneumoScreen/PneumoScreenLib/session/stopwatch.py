"""How long a reader has a case before the eyes, by a clock that no change of the computer's time moves."""

import time
from typing import Callable, Optional


class Stopwatch:
    """Counts seconds between ``start`` and ``reset``, without those while it is paused.

    Args:
        now: seconds of a clock that only goes forward.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._counted = 0.0
        self._since: Optional[float] = None
        self._is_started, self._is_paused = False, False

    @property
    def seconds(self) -> float:
        """What it has counted."""
        return self._counted + (0.0 if self._since is None else self._now() - self._since)

    def reset(self) -> None:
        """Back to 0, standing still."""
        self._counted, self._since, self._is_started = 0.0, None, False

    def start(self) -> None:
        """Count from now on; it goes on where it counts already."""
        self._is_started = True
        self._run()

    def pause(self) -> None:
        """Do not count until ``resume``."""
        self._counted, self._since, self._is_paused = self.seconds, None, True

    def resume(self) -> None:
        """Count on, where it was started."""
        self._is_paused = False
        self._run()

    def _run(self) -> None:
        if self._is_started and not self._is_paused and self._since is None:
            self._since = self._now()

"""What a training says while it runs: a line every few seconds with step, losses, speed and time left."""

import sys
import time
from collections.abc import Callable, Mapping

ProgressCallback = Callable[[str, float], None]


class TrainingProgress:
    """Prints lines and passes the fraction done to a callback, which may raise ``Cancelled`` to stop.

    Args:
        name: of the training, first word of each line.
        steps: of the whole training.
        start: steps that were done before (resume).
        callback: called with (name, fraction) at every step.
        every_s: seconds between two lines.
        say: takes a line; default: standard error.
    """

    def __init__(
        self,
        name: str,
        steps: int,
        start: int = 0,
        callback: ProgressCallback | None = None,
        every_s: float = 10.0,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self._name, self._steps, self._start = name, steps, start
        self._callback = callback
        self._every_s = every_s
        self._say = say or (lambda line: print(line, file=sys.stderr, flush=True))
        self._began = self._spoke = time.monotonic()
        self._sums: dict[str, float] = {}
        self._counted = 0

    def note(self, line: str) -> None:
        """Print a line now."""
        self._say(f"{self._name} {line}")

    def step(self, done: int, values: Mapping[str, float]) -> None:
        """Report that ``done`` steps are done; ``values`` are averaged until the next line."""
        for key, value in values.items():
            self._sums[key] = self._sums.get(key, 0.0) + value
        self._counted += 1
        now = time.monotonic()
        if now - self._spoke >= self._every_s or done == self._steps:
            self.note(self._line(done, now))
            self._spoke, self._sums, self._counted = now, {}, 0
        if self._callback is not None:
            self._callback(self._name, done / self._steps)

    def _line(self, done: int, now: float) -> str:
        pace = (now - self._began) / max(done - self._start, 1)
        left = int(pace * (self._steps - done))
        means = " ".join(f"{key} {total / self._counted:.4f}" for key, total in self._sums.items())
        return f"step {done}/{self._steps} {means} | {pace:.2f} s/step, {left // 60}:{left % 60:02d} left"

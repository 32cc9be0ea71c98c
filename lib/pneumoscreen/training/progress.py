"""What a training says while it runs: a line every few seconds, and every step to whoever watches."""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

ProgressCallback = Callable[[str, float], None]


@dataclass(frozen=True)
class StepReport:
    """A training after a step.

    Attributes:
        step, steps: done, and of the whole training.
        epoch, epochs: the one that the step belongs to, from 1, and of the whole training.
        losses: of this step, by name.
        left_s: seconds that the remaining steps will take at the pace so far.
    """

    step: int
    steps: int
    epoch: int
    epochs: int
    losses: Mapping[str, float]
    left_s: float


class TrainingObserver(Protocol):
    """Whoever watches a training. Every method may raise ``Cancelled`` to stop it; checkpoints stay."""

    def stepped(self, report: StepReport) -> None:
        """A step is done."""

    def validating(self) -> None:
        """The held-out cases are being looked at."""

    def measured(self, epoch: int, figures: Mapping[str, float]) -> None:
        """Figures on the held-out cases after so many epochs; the first is the one that counts."""


class TrainingProgress:
    """Prints lines and passes every step on.

    Args:
        name: of the training, first word of each line.
        steps: of the whole training.
        start: steps that were done before (resume).
        callback: called with (name, fraction) at every step; may raise ``Cancelled``.
        every_s: seconds between two lines.
        say: takes a line; default: standard error.
        observers: told of every step and figure.
        epoch_steps: steps in an epoch, not necessarily whole; default: all of them.
    """

    def __init__(
        self,
        name: str,
        steps: int,
        start: int = 0,
        callback: ProgressCallback | None = None,
        every_s: float = 10.0,
        say: Callable[[str], None] | None = None,
        observers: "tuple[TrainingObserver, ...]" = (),
        epoch_steps: float | None = None,
    ) -> None:
        self._name, self._steps, self._start = name, steps, start
        self._callback = callback
        self._every_s = every_s
        self._say = say or say_on_stderr
        self._observers = observers
        self._epoch_steps = epoch_steps or steps
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
        pace = (now - self._began) / max(done - self._start, 1)
        left = pace * (self._steps - done)
        if now - self._spoke >= self._every_s or done == self._steps:
            self.note(self._line(done, pace, left))
            self._spoke, self._sums, self._counted = now, {}, 0
        report = StepReport(done, self._steps, self._epoch(done), self._epoch(self._steps), values, left)
        for observer in self._observers:
            observer.stepped(report)
        if self._callback is not None:
            self._callback(self._name, done / self._steps)

    def validating(self) -> None:
        """Report that the held-out cases are being looked at."""
        for observer in self._observers:
            observer.validating()

    def measured(self, done: int, figures: Mapping[str, float]) -> None:
        """Report figures on the held-out cases after ``done`` steps."""
        for observer in self._observers:
            observer.measured(self._epoch(done), figures)

    def _epoch(self, done: int) -> int:
        # Rounded first: a step that ends an epoch exactly belongs to it, whatever a float makes of that.
        return max(1, -int(-round(done / self._epoch_steps, 6) // 1))

    def _line(self, done: int, pace: float, left_s: float) -> str:
        means = " ".join(f"{key} {total / self._counted:.4f}" for key, total in self._sums.items())
        return f"step {done}/{self._steps} {means} | {pace:.2f} s/step, {int(left_s) // 60}:{int(left_s) % 60:02d} left"


def say_on_stderr(line: str) -> None:
    """Print a line on standard error."""
    print(line, file=sys.stderr, flush=True)

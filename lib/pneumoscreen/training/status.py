"""Where a training stands, in a file that another process may read at any time.

``status.json`` is replaced as a whole, at most about once a second but for changes of state: whoever polls it sees an
older or a newer state, never half of one. It survives the training, so that the last one can still be asked for.
"""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from ..errors import Cancelled
from ..models.atomic_files import replace_durably
from ..studies.audit import utc_text
from .progress import StepReport

STATUS_FILE, PLAN_FILE = "status.json", "plan.json"
_EVERY_S = 1.0


class TrainingState(StrEnum):
    """What a training is doing, or how it ended."""

    PREPARING = "preparing"
    TRAINING = "training"
    VALIDATING = "validating"
    COMPARING = "comparing"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED = (TrainingState.DONE, TrainingState.FAILED, TrainingState.CANCELLED)


@dataclass(frozen=True)
class TrainStatus:
    """A training at a moment.

    Attributes:
        task: ``ct_candidates`` or ``ct_classifier``.
        state: what it is doing.
        started: UTC, ISO 8601; of a resumed training the time of the resumption. ``updated`` likewise.
        epoch, epochs: the one that runs, from 1, and how many there are; 0 before the first step.
        step, steps: done, and of all epochs.
        loss: sum of the losses of the last step; None before the first.
        losses: its parts, by name.
        metric: the newest figure on the held-out cases; None before the first validation.
        metric_name: what it is.
        metrics: all of them by epoch.
        time_left_s: what the remaining steps will take; None where nothing is known of it.
        message: a sentence for whoever watches.
        notes: sentences on what was left out or done otherwise, such as a case that cannot be used.
        publication: what became of the trained network, see ``publishing.Publication``.
    """

    task: str
    state: TrainingState = TrainingState.PREPARING
    started: str = ""
    updated: str = ""
    epoch: int = 0
    epochs: int = 0
    step: int = 0
    steps: int = 0
    loss: float | None = None
    losses: dict[str, float] = field(default_factory=dict)
    metric: float | None = None
    metric_name: str = ""
    metrics: dict[int, float] = field(default_factory=dict)
    time_left_s: float | None = None
    message: str = ""
    notes: tuple[str, ...] = ()
    publication: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**asdict(self), "metrics": {str(epoch): value for epoch, value in self.metrics.items()}}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "TrainStatus":
        """A status from JSON values.

        Raises:
            ValueError: if they are none of a status.
        """
        known = {f.name for f in fields(cls)}
        try:
            metrics = {int(epoch): float(value) for epoch, value in values["metrics"].items()}
            shaped = {"state": TrainingState(values["state"]), "metrics": metrics, "notes": tuple(values["notes"])}
            return cls(**{**{key: value for key, value in values.items() if key in known}, **shaped})
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no status of a training: {error}") from None


def read_status(folder: Path) -> TrainStatus | None:
    """The status in a training's folder; None where there is none or it cannot be read."""
    try:
        return TrainStatus.from_dict(json.loads((folder / STATUS_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


def write_status(folder: Path, status: TrainStatus) -> None:
    """Put a status into a training's folder."""
    content = json.dumps(status.to_dict(), indent=1, allow_nan=False) + "\n"
    replace_durably(folder / STATUS_FILE, content.encode())


class StatusReporter:
    """Keeps the status of a training that runs in this process; a ``TrainingObserver``.

    Args:
        task: of the training.
        folder: where ``status.json`` goes.
        tell: called with every status that is written; may raise ``Cancelled`` to stop the training.
        earlier: status of the run that is resumed: its figures and notes are kept.
    """

    def __init__(
        self,
        task: str,
        folder: Path,
        tell: Callable[[TrainStatus], None] | None = None,
        earlier: TrainStatus | None = None,
    ) -> None:
        self._folder, self._tell = folder, tell
        self._written = -_EVERY_S
        self.status = TrainStatus(task, started=utc_text(datetime.now(UTC)))
        if earlier is not None:
            self.status = replace(
                self.status, metrics=earlier.metrics, metric=earlier.metric, metric_name=earlier.metric_name
            )

    def enter(self, state: TrainingState, message: str, **changes: Any) -> None:
        """Go on to another state."""
        self._change(True, state=state, message=message, **changes)

    def finish(self, state: TrainingState, message: str, publication: dict[str, Any] | None = None) -> None:
        """The training has ended: whoever is told cannot cancel it any more."""
        with suppress(Cancelled):
            self.enter(state, message, time_left_s=None, publication=publication)

    def say(self, message: str) -> None:
        """Change the message."""
        self._change(False, message=message)

    def note(self, sentence: str) -> None:
        """Keep a sentence for whoever reads the status later."""
        if sentence not in self.status.notes:
            self._change(False, notes=(*self.status.notes, sentence))

    def stepped(self, report: StepReport) -> None:
        """A step is done."""
        self._change(
            self.status.state is not TrainingState.TRAINING,
            state=TrainingState.TRAINING,
            message=f"epoch {report.epoch} of {report.epochs}, step {report.step} of {report.steps}",
            epoch=report.epoch,
            epochs=report.epochs,
            step=report.step,
            steps=report.steps,
            loss=sum(report.losses.values()),
            losses=dict(report.losses),
            time_left_s=round(report.left_s, 1),
        )

    def validating(self) -> None:
        """The held-out cases are being looked at."""
        self.enter(TrainingState.VALIDATING, f"validating after epoch {self.status.epoch}")

    def measured(self, epoch: int, figures: Mapping[str, float]) -> None:
        """Figures on the held-out cases."""
        name, value = next(iter(figures.items()))
        history = {**self.status.metrics, epoch: value}
        said = ", ".join(f"{key} {figure:.3f}" for key, figure in figures.items())
        message = f"after epoch {epoch}: {said}"
        self._change(True, metric=value, metric_name=name, metrics=history, message=message)

    def _change(self, at_once: bool, **changes: Any) -> None:
        self.status = replace(self.status, updated=utc_text(datetime.now(UTC)), **changes)
        now = time.monotonic()
        if at_once or now - self._written >= _EVERY_S:
            self._written = now
            write_status(self._folder, self.status)
            if self._tell is not None:
                self._tell(self.status)

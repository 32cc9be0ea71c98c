"""TensorBoard and MLflow logs of a training, where MONAI Label's trainings have theirs and under its names.

Logs are not worth a training: where MLflow cannot be written to, it is said once and the training goes on. MLflow's
own files, which MONAI Label asks for, are no longer written by its present version; a SQLite file takes their place.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from monailabel.utils.others.generic import path_to_uri

from ...training.progress import StepReport

MLFLOW_FILE = "mlflow.db"
_PATIENCE = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "10", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
"""A tracking server that does not answer must not hold a training up for minutes."""


@dataclass(frozen=True)
class TrackingSettings:
    """Where MLflow's logs go.

    Attributes:
        uri: of the tracking server; empty: the folder of the logs.
        experiment: its name.
        run: name of this training in it.
    """

    uri: str
    experiment: str
    run: str


class TrainLogs:
    """Writes every step's loss and every figure; a ``TrainingObserver`` and a context manager.

    Args:
        folder: of this training's logs.
        run_id: of this training, in the names of its files.
        tracking: MLflow is written to as well.
        say: told where MLflow cannot be written to.
    """

    def __init__(
        self, folder: Path, run_id: str, tracking: TrackingSettings | None, say: Callable[[str], None]
    ) -> None:
        self._folder, self._run_id, self._tracking, self._say = folder, run_id, tracking, say
        self._mlflow: Any = None

    def __enter__(self) -> "TrainLogs":
        from torch.utils.tensorboard import SummaryWriter

        self._events = SummaryWriter(str(self._folder / f"events_{self._run_id}"))
        if self._tracking is not None:
            for name, value in _PATIENCE.items():
                os.environ.setdefault(name, value)
            import mlflow

            self._mlflow = mlflow
            self._track(self._begin, self._tracking)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._events.close()
        if self._mlflow is not None:
            self._track(self._mlflow.end_run, "FINISHED" if kind is None else "FAILED")

    def stepped(self, report: StepReport) -> None:
        """A step is done."""
        parts = {f"train_{name}": value for name, value in report.losses.items()}
        self._write({"train_loss": sum(report.losses.values()), **parts}, report.step)

    def validating(self) -> None:
        """The held-out cases are being looked at."""

    def measured(self, epoch: int, figures: Mapping[str, float]) -> None:
        """Figures on the held-out cases."""
        self._write({f"val_{name.replace(' ', '_')}": value for name, value in figures.items()}, epoch)
        self._events.flush()

    def _write(self, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self._events.add_scalar(name, value, step)
        if self._mlflow is not None:
            self._track(self._mlflow.log_metrics, dict(values), step)

    def _begin(self, tracking: TrackingSettings) -> None:
        self._mlflow.set_tracking_uri(tracking.uri or f"sqlite:///{self._folder / MLFLOW_FILE}")
        if not tracking.uri and self._mlflow.get_experiment_by_name(tracking.experiment) is None:
            self._mlflow.create_experiment(tracking.experiment, path_to_uri(str(self._folder / "mlruns")))
        self._mlflow.set_experiment(tracking.experiment)
        self._mlflow.start_run(run_name=tracking.run)

    def _track(self, action: Callable[..., Any], *values: Any) -> None:
        try:
            action(*values)
        except (self._mlflow.exceptions.MlflowException, OSError) as error:
            self._mlflow = None
            self._say(f"no MLflow logs from here on: {' '.join(str(error).split())[:200]}")

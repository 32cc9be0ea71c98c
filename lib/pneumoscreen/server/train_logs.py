"""TensorBoard and MLflow logs of a training, where MONAI Label's trainings have theirs and under its names."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from monailabel.utils.others.generic import path_to_uri

from ..training.progress import StepReport


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
    """

    def __init__(self, folder: Path, run_id: str, tracking: TrackingSettings | None = None) -> None:
        self._folder, self._run_id, self._tracking = folder, run_id, tracking
        self._mlflow: Any = None

    def __enter__(self) -> "TrainLogs":
        from torch.utils.tensorboard import SummaryWriter

        self._events = SummaryWriter(str(self._folder / f"events_{self._run_id}"))
        if self._tracking is not None:
            import mlflow

            mlflow.set_tracking_uri(self._tracking.uri or path_to_uri(str(self._folder / "mlruns")))
            mlflow.set_experiment(self._tracking.experiment)
            mlflow.start_run(run_name=self._tracking.run)
            self._mlflow = mlflow
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._events.close()
        if self._mlflow is not None:
            self._mlflow.end_run("FINISHED" if kind is None else "FAILED")

    def stepped(self, report: StepReport) -> None:
        """A step is done."""
        losses = {f"train_{name}" if name != "loss" else "train_loss": value for name, value in report.losses.items()}
        self._write({"train_loss": sum(report.losses.values()), **losses}, report.step)

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
            self._mlflow.log_metrics(dict(values), step=step)

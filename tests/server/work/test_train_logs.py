"""Logs of a training as TensorBoard and MLflow read them; MLflow's troubles do not end a training."""

import sqlite3
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pneumoscreen.server.work.train_logs import TrackingSettings, TrainLogs
from pneumoscreen.training.progress import StepReport


def _report(step: int) -> StepReport:
    return StepReport(step, 10, 1, 2, {"m1": 1.0 / step, "m2": 2.0 / step}, 3.0)


def _write(folder: Path, tracking: TrackingSettings | None, say: list[str]) -> None:
    with TrainLogs(folder, "20261124", tracking, say.append) as logs:
        for step in (1, 2):
            logs.stepped(_report(step))
        logs.measured(1, {"m2 f1": 0.75, "m1 f1": 0.5})


def test_tensorboard_reads_losses_and_figures(tmp_path: Path) -> None:
    _write(tmp_path, None, said := [])
    events = EventAccumulator(str(tmp_path / "events_20261124")).Reload()
    assert [(event.step, event.value) for event in events.Scalars("train_loss")] == [(1, 3.0), (2, 1.5)]
    assert [(event.step, event.value) for event in events.Scalars("val_m2_f1")] == [(1, 0.75)]
    assert not said and [path.name for path in tmp_path.iterdir()] == ["events_20261124"]


@pytest.mark.slow
def test_mlflow_gets_the_same(tmp_path: Path) -> None:
    _write(tmp_path, TrackingSettings("", "ct_classifier", "run_1"), said := [])
    assert not said
    with sqlite3.connect(tmp_path / "mlflow.db") as base:
        rows = base.execute("select key, step, value from metrics order by key, step").fetchall()
        runs = base.execute("select name, status from runs").fetchall()
    assert ("train_loss", 2, 1.5) in rows and ("val_m2_f1", 1, 0.75) in rows
    assert runs == [("run_1", "FINISHED")]


@pytest.mark.slow
def test_a_tracking_server_that_is_not_there_is_said_once(tmp_path: Path) -> None:
    _write(tmp_path, TrackingSettings("http://127.0.0.1:1", "ct_classifier", "run_1"), said := [])
    assert len(said) == 1 and said[0].startswith("no MLflow logs from here on: ")
    assert EventAccumulator(str(tmp_path / "events_20261124")).Reload().Scalars("train_loss")

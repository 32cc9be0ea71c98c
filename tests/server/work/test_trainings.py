"""The trainings of a server, where their folder cannot be written to."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pneumoscreen.server.work.train_tasks import training_folder
from pneumoscreen.server.work.trainings import Trainings

LIMIT_S = 600.0


def until(trainings: Trainings, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        last = trainings.listing()[-1]
        if holds(last):
            return last
        time.sleep(0.05)
    raise AssertionError(f"after {LIMIT_S:.0f} s: {trainings.listing()[-1]}")


def ended(training: dict[str, Any]) -> bool:
    return training["status"] == "ERROR" and training["progress"] is not None


def test_what_cannot_be_kept_of_a_training_stops_no_later_one(tmp_path: Path) -> None:
    studies, in_the_way = tmp_path / "studies", tmp_path / "studies" / ".pneumoscreen"
    studies.mkdir()
    in_the_way.write_text("a file where the folder should be, so that nothing can be written")
    trainings = Trainings(studies, tmp_path / "models", lambda _: None)
    trainings.submit("ct_classifier", {}, "anna")
    first = until(trainings, ended)
    assert first["progress"]["message"].startswith("the process could not be started (")
    in_the_way.unlink()
    trainings.submit("ct_classifier", {}, "anna")
    second = until(trainings, ended)
    assert second["id"] != first["id"]
    assert second["progress"]["message"] == second["details"][-1], "there are no cases to train with, and that is said"


@pytest.mark.slow
def test_a_training_that_runs_while_the_disk_fills_is_told_and_stops_no_later_one(tmp_path: Path) -> None:
    studies = tmp_path / "studies"
    studies.mkdir()
    trainings = Trainings(studies, tmp_path / "models", lambda _: None)
    trainings.submit("ct_classifier", {}, "anna")
    until(trainings, lambda training: training["status"] == "RUNNING")
    folder = training_folder(studies, "ct_classifier").parent
    shutil.rmtree(folder)
    folder.write_text("a file where the folder was")
    first = until(trainings, ended)
    assert first["progress"]["state"] == "failed"
    folder.unlink()
    trainings.submit("ct_classifier", {}, "anna")
    assert until(trainings, ended)["id"] != first["id"]

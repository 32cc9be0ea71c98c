"""Tasks over processes: all done, in order of what follows from what, and stopped by the first that fails."""

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from pneumoscreen.errors import PneumoScreenError
from pneumoscreen.simulation.crew import Check, work_off


class Writer:
    """Writes a file a task; waits for a cancellation where it is told to, and fails where it is told to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, task: str, check: Check) -> None:
        if task == "fail":
            while not (self.folder / "waiting").exists():
                time.sleep(0.01)
            raise PneumoScreenError("this one cannot be done")
        if task == "wait":
            (self.folder / "waiting").touch()
            end = time.monotonic() + 60.0
            while time.monotonic() < end:
                check("waiting", 0.5)
                time.sleep(0.01)
        (self.folder / task).touch()


def nothing(task: str) -> Sequence[str]:
    del task
    return ()


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_follows_is_done_after_it(jobs: int, tmp_path: Path) -> None:
    order: list[str] = []

    def following(task: str) -> Sequence[str]:
        order.append(task)
        return [task + "x"] if len(task) < 3 else []

    work_off(Writer(tmp_path), ["a", "b"], jobs, following)
    assert {path.name for path in tmp_path.iterdir()} == set(order) == {"a", "ax", "axx", "b", "bx", "bxx"}
    for name in "ab":
        assert [task for task in order if task.startswith(name)] == [name, name + "x", name + "xx"]


def test_a_failure_stops_the_others(tmp_path: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(PneumoScreenError, match="cannot be done"):
        work_off(Writer(tmp_path), ["wait", "fail", "late", "later"], 2, nothing)
    assert time.monotonic() - begun < 50.0
    assert {path.name for path in tmp_path.iterdir()} == {"waiting"}


def test_here_a_failure_is_the_callers(tmp_path: Path) -> None:
    (tmp_path / "waiting").touch()
    with pytest.raises(PneumoScreenError, match="cannot be done"):
        work_off(Writer(tmp_path), ["a", "fail", "b"], 1, nothing)
    assert (tmp_path / "a").exists()
    assert not (tmp_path / "b").exists()

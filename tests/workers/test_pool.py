"""Jobs of a pool: all done, in order of what follows from what; one that kills its worker costs no other."""

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from pneumoscreen.errors import PneumoScreenError
from pneumoscreen.workers.asked import Workers
from pneumoscreen.workers.pool import Ask, Pool, Work, work_off


class Writer(Work[str, int]):
    """Writes a file a job; waits, fails or dies where it is told to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def begin(self, device: str, ask: Ask | None) -> None:
        self.begun = (device, ask and ask(2))

    def __call__(self, job: str, out: Path) -> int:
        if job.startswith("die"):
            deaths = len(list(self.folder.glob(f"{job}-*")))
            if deaths < int(job[3:]):
                (self.folder / f"{job}-{deaths}").touch()
                os.kill(os.getpid(), signal.SIGKILL)
        if job == "fail":
            while not ((self.folder / "waiting").exists() and (self.folder / "waiting").read_text()):
                time.sleep(0.01)
            raise PneumoScreenError("this one cannot be done")
        if job == "wait":
            (self.folder / "waiting").write_text(str(os.getpid()))
            time.sleep(600)
        (out / job).write_text(str(self.begun))
        return len(job)


def pool(workers: int, folder: Path, out: Path) -> Pool[str, int]:
    return Workers(workers).pool(Writer(folder), out, "cpu", abs)


@pytest.mark.parametrize("workers", [1, 2])
def test_what_follows_is_done_after_it(workers: int, tmp_path: Path) -> None:
    order: list[str] = []

    def done(job: str, length: int) -> Sequence[str]:
        assert length == len(job)
        order.append(job)
        return [job + "x"] if length < 3 else []

    work_off(pool(workers, tmp_path, tmp_path), iter(["a", "b"]), done)
    assert {path.name for path in tmp_path.iterdir()} == set(order) == {"a", "ax", "axx", "b", "bx", "bxx"}
    assert (tmp_path / "a").read_text() == "('cpu', 2)"
    for name in "ab":
        assert [job for job in order if job.startswith(name)] == [name, name + "x", name + "xx"]


def test_a_failure_ends_the_others(tmp_path: Path) -> None:
    with pytest.raises(PneumoScreenError, match="cannot be done"):
        work_off(pool(2, tmp_path, tmp_path), ["wait", "fail", "late", "later"], lambda job, length: ())
    assert not (tmp_path / "wait").exists()
    other = int((tmp_path / "waiting").read_text())
    while psutil.pid_exists(other):
        time.sleep(0.05)


def test_here_a_failure_is_the_callers(tmp_path: Path) -> None:
    (tmp_path / "waiting").write_text("nobody")
    with pytest.raises(PneumoScreenError, match="cannot be done"):
        work_off(pool(1, tmp_path, tmp_path), ["a", "fail", "b"], lambda job, length: ())
    assert (tmp_path / "a").exists()
    assert not (tmp_path / "b").exists()


def test_a_death_costs_a_repetition_and_what_follows_comes_all_the_same(tmp_path: Path) -> None:
    out, folder = tmp_path / "out", tmp_path / "deaths"
    out.mkdir()
    folder.mkdir()
    done: list[str] = []

    def ended(job: str, length: int) -> Sequence[str]:
        del length
        done.append(job)
        return ["follows"] if job == "die2" else []

    work_off(pool(2, folder, out), ["a", "die1", "b", "die2", "c"], ended)
    assert sorted(done) == sorted(path.name for path in out.iterdir()) == ["a", "b", "c", "die1", "die2", "follows"]


def test_what_kills_three_times_is_named(tmp_path: Path) -> None:
    with pytest.raises(PneumoScreenError, match=r"^die9: the process that worked on it ended 3 times, perhaps"):
        work_off(pool(2, tmp_path, tmp_path), ["a", "die9"], lambda job, length: ())
    # Alone three times, and perhaps beside others before.
    assert 3 <= len(list(tmp_path.glob("die9-*"))) <= 5
    assert (tmp_path / "a").exists()


def test_ctrl_c_is_the_callers_and_ends_the_workers(tmp_path: Path) -> None:
    def interrupted(job: str, length: int) -> Sequence[str]:
        del job, length
        while not ((tmp_path / "waiting").exists() and (tmp_path / "waiting").read_text()):
            time.sleep(0.01)
        # It reaches the whole group of processes; workers leave it to the first one.
        os.kill(int((tmp_path / "waiting").read_text()), signal.SIGINT)
        time.sleep(0.2)
        assert psutil.pid_exists(int((tmp_path / "waiting").read_text()))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work_off(pool(2, tmp_path, tmp_path), ["a", "wait"], interrupted)
    while psutil.pid_exists(int((tmp_path / "waiting").read_text())):
        time.sleep(0.05)


def test_without_jobs_no_worker_begins(tmp_path: Path) -> None:
    work = Writer(tmp_path)
    work_off(Workers().pool(work, tmp_path, "cpu"), [], lambda job, length: ())
    assert not hasattr(work, "begun")

"""The store under SIGKILL at any moment, and under several processes at once."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import pneumoscreen
from pneumoscreen.models.catalogue import catalogue
from pneumoscreen.models.store import ModelStore

NAME = "ct_classifier"
PROGRAM = Path(__file__).with_name("publishing_processes.py")
ROUNDS_BEFORE_KILL = 2
"""A process is killed within the time that so many rounds of its work take."""


class Processes:
    """The program that forks the publishing processes."""

    def __init__(self, root: Path) -> None:
        self._program = subprocess.Popen(
            [sys.executable, str(PROGRAM), str(root)],
            env={**os.environ, "PYTHONPATH": str(Path(pneumoscreen.__file__).parents[1]), "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        self._early: list[list[str]] = []

    def start(self, mode: str, seed: int) -> int:
        """Begin a process and return its pid."""
        self._say(f"{mode} {seed}")
        *others, (_, pid) = self._lines("pid")
        self._early += others  # of processes that began before this one
        return int(pid)

    def wait(self, count: int = 1) -> list[list[str]]:
        """What ``count`` processes acknowledged until they were gone."""
        self._say("wait 0")
        early, self._early = self._early, []
        return early + [line for _ in range(count) for line in self._lines("ended")]

    def close(self) -> None:
        self._program.communicate(timeout=60)

    def _say(self, line: str) -> None:
        assert self._program.stdin is not None
        self._program.stdin.write(line + "\n")
        self._program.stdin.flush()

    def _lines(self, last: str) -> list[list[str]]:
        lines: list[list[str]] = []
        assert self._program.stdout is not None
        while not lines or lines[-1][0] != last:
            line = self._program.stdout.readline().split()
            assert line, "the program ended"
            lines.append(line)
        return lines


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


@pytest.fixture
def processes(store: ModelStore) -> Iterator[Processes]:
    running = Processes(store.root)
    yield running
    running.close()


def life_of(processes: Processes) -> float:
    """Seconds from which the moments of the kills are drawn: machines differ, and so does their load."""
    start = time.monotonic()
    processes.start("five", 999_999)
    processes.wait()
    return ROUNDS_BEFORE_KILL * (time.monotonic() - start) / 5


def killed(processes: Processes, mode: str, seed: int, life_s: float) -> list[list[str]]:
    """What a process acknowledged before it was killed at a random moment."""
    pid = processes.start(mode, seed)
    time.sleep(random.Random(seed).uniform(0.0, life_s))
    os.kill(pid, signal.SIGKILL)
    *said, (_, status) = processes.wait()
    assert int(status) == signal.SIGKILL
    return said


def value_of(store: ModelStore, version: int | None = None) -> int:
    return int(store.load(NAME, version).state["w"][0])


@pytest.mark.parametrize("kills", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_what_was_acknowledged_outlasts_every_kill(store: ModelStore, processes: Processes, kills: int) -> None:
    given: dict[int, int] = {}
    life_s = life_of(processes)
    for seed in range(1, kills + 1):
        said = killed(processes, "endless", seed, life_s)
        for word, version, *value in said:
            if word == "published":
                assert int(version) not in given, "a number was given twice"
                given[int(version)] = int(value[0])
        there = store.versions(NAME)
        assert set(given) <= set(there)
        weights = store.load(NAME)
        assert weights.notes == (), "the version in use is whole, and so is the pointer"
        if said:
            # The last acknowledged one, or what the process was about to do when it was killed.
            last = int(said[-1][1])
            assert weights.version in {last, store.before(NAME, last), max(there)}
        assert all(kept.card for kept in store.candidates(NAME))
    assert len(given) >= kills // 5
    (model,) = catalogue(store)
    assert [entry["damage"] for entry in model["versions"] if entry["damage"]] == []
    assert {version: value_of(store, version) for version in given} == given


@pytest.mark.parametrize("kills", [10, pytest.param(100, marks=pytest.mark.slow)])
def test_a_kill_while_old_versions_are_deleted_leaves_whole_ones(
    store: ModelStore, processes: Processes, kills: int
) -> None:
    numbers: list[int] = []
    life_s = life_of(processes)
    for seed in range(1, kills + 1):
        numbers += [int(line[1]) for line in killed(processes, "pruning", seed, life_s) if line[0] == "published"]
        assert store.load(NAME).notes == ()
        (model,) = catalogue(store)
        assert [entry for entry in model["versions"] if entry["damage"]] == []
    assert len(numbers) == len(set(numbers)) >= kills // 5
    store.prune(NAME, 2)
    assert len(store.versions(NAME)) <= 4


def test_processes_that_publish_at_once_lose_nothing(store: ModelStore, processes: Processes) -> None:
    for seed in range(1, 7):
        processes.start("five", seed)
    lines = processes.wait(6)
    assert [line[1] for line in lines if line[0] == "ended"] == ["0"] * 6
    given = {int(line[1]): int(line[2]) for line in lines if line[0] == "published"}
    assert sorted(given) == store.versions(NAME) == list(range(1, 31))
    assert {version: value_of(store, version) for version in given} == given
    assert sorted(given.values()) == [seed * 1000 + number for seed in range(1, 7) for number in range(1, 6)]
    assert store.current(NAME) == 30
    assert store.candidates(NAME) == []
    assert [store.before(NAME, version) for version in range(2, 31)] == list(range(1, 30))

"""Actors of a real Ray on loopback: the documents of the processes, whatever dies."""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.archive.test_run import IMAGES, Run, documents, rows, source, start, wait_for

from pneumoscreen.archive.manifest import REFUSED, SCREENED
from pneumoscreen.archive.worker import Place, Worker
from pneumoscreen.errors import ConfigError
from pneumoscreen.workers.ray_pool import Actor, Station

__all__ = ["source"]

TOKEN = secrets.token_hex(32)
"""Ray reads it once a process."""


def begun(source: Path, out: Path, models: Path, address: str, *more: object) -> "subprocess.Popen[str]":
    """A run in a process group of its own, as a terminal begins it."""
    words = ["archive", source, "--out", out, "--model-dir", models, "--device", "cpu", "--ray", address, *more]
    command = [sys.executable, "-m", "pneumoscreen", *map(str, words)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", start_new_session=True
    )


def below(pid: int, title: str) -> list[psutil.Process]:
    """Processes that another one began, by what Ray calls them."""
    try:
        return [found for found in psutil.Process(pid).children(recursive=True) if title in " ".join(found.cmdline())]
    except psutil.NoSuchProcess:
        return []


def told(out: Path) -> dict[str, Any]:
    """The manifest without times."""
    return {place: replace(row, seconds=None, ended=None, seen=0) for place, row in rows(out).items()}


def test_the_documents_are_those_of_processes_though_an_actor_dies(
    run: Run, source: Path, narrow_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    # The last one of the same bytes as the first: its worker asks the manifest.
    (source / "z").mkdir()
    shutil.copy(source / "phantom-000001.nii.gz", source / "z" / "again.nii.gz")
    monkeypatch.chdir(source.parent)
    out, alone = tmp_path / "out", tmp_path / "alone"
    process = begun(Path(source.name), out, narrow_models, "auto", "--processes", 1)
    wait_for(lambda: bool(list(out.glob("cases/*/*.json"))), process)  # type: ignore[arg-type]
    # It may be between two jobs for a moment.
    actors: list[psutil.Process] = []
    while process.poll() is None and not (actors := below(process.pid, "ray::Actor.work")):
        time.sleep(0.01)
    for actor in actors:
        actor.kill()
    printed, errors = process.communicate(timeout=240)
    assert process.returncode == 2, errors
    assert f"{IMAGES + 2} images: {IMAGES} screened" in printed, errors
    # The notice, what was refused and how far the run is, but no word of Ray.
    assert not [line for line in (printed + errors).splitlines() if "ray" in line.lower()]
    run("archive", source.name, "--out", alone, "--model-dir", narrow_models, "--processes", 1, "--device", "cpu")
    assert documents(out) == documents(alone)
    assert told(out) == told(alone)
    assert told(out)["archive/z/again.nii.gz"].copy_of == "archive/phantom-000001.nii.gz"


def test_a_node_with_another_version_is_named(tmp_path: Path) -> None:
    station = Station(Worker(Place(tmp_path, None, False)), "cpu", 1, str(tmp_path), "0.0.1")
    with pytest.raises(ConfigError, match=r"has version .* of the program, this machine 0\.0\.1; install the same one"):
        Actor(station, None).begin()


@pytest.mark.slow
def test_ctrl_c_ends_all_of_it_and_the_next_run_goes_on(source: Path, narrow_models: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = begun(source, out, narrow_models, "auto", "--processes", 2)
    wait_for(lambda: bool(list(out.glob("cases/*/*.json"))), process)  # type: ignore[arg-type]
    all_of_it = below(process.pid, "ray")
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert len(all_of_it) > 4
    _, left = psutil.wait_procs(all_of_it, timeout=60)
    assert left == []
    assert start(source, out, narrow_models).wait() == 2
    assert len(documents(out)) == IMAGES


Cluster = tuple[str, Callable[[], int], Callable[[], None]]


@pytest.fixture
def two_nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """Two nodes of one core on loopback: address, the process of the second, and what kills that node."""
    closed = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN, "RAY_USAGE_STATS_ENABLED": "0"}
    for name, value in {**closed, "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}.items():
        monkeypatch.setenv(name, value)
    cluster_utils = pytest.importorskip("ray.cluster_utils")
    node = {"num_cpus": 1, "memory": 4 * 2**30, "object_store_memory": 80 * 2**20, "node_ip_address": "127.0.0.1"}
    cluster = cluster_utils.Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    try:
        second = cluster.add_node(**node)
        raylet = second.all_processes["raylet"][0].process
        yield cluster.address, lambda: raylet.pid, lambda: cluster.remove_node(second, allow_graceful=False)
    finally:
        cluster.shutdown()


@pytest.mark.slow
def test_a_node_that_dies_costs_the_run_nothing(
    two_nodes: Cluster, source: Path, narrow_models: Path, tmp_path: Path
) -> None:
    address, raylet, kill = two_nodes
    out = tmp_path / "out"
    process = begun(source, out, narrow_models, address)
    wait_for(lambda: bool(below(raylet(), "ray::Actor.work")), process)  # type: ignore[arg-type]
    assert process.poll() is None, "the run ended before the second node had a job"
    kill()
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 2, errors
    assert len(documents(out)) == IMAGES
    assert sorted(row.state for row in rows(out).values()) == sorted([SCREENED] * IMAGES + [REFUSED])


@pytest.mark.slow
def test_a_cluster_without_the_program_is_named(
    request: pytest.FixtureRequest, source: Path, narrow_models: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    (other / "pneumoscreen").mkdir(parents=True)
    (other / "pneumoscreen" / "__init__.py").touch()
    with pytest.MonkeyPatch.context() as before:
        before.setenv("PYTHONPATH", str(other))
        address, _, _ = request.getfixturevalue("two_nodes")
    process = begun(source, tmp_path / "out", narrow_models, address)
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 2
    said = f"--ray {address}: no worker begins (ModuleNotFoundError: No module named 'pneumoscreen."
    assert errors.splitlines()[-1].startswith(said)

"""How many workers a cluster takes, and what cannot be asked of one."""

import importlib
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.commands.conftest import Ended

from pneumoscreen.errors import ConfigError
from pneumoscreen.workers.machine import MEMORY_A_PROCESS, threads_of
from pneumoscreen.workers.ray_cluster import Share, Wanted, share_of

Run = Callable[..., Ended]
BIG = float(10 * MEMORY_A_PROCESS)


def node(cpus: float, gpus: float = 0.0, memory: float = BIG) -> dict[str, float]:
    return {"CPU": cpus, "memory": memory} | ({"GPU": gpus} if gpus else {})


@pytest.mark.parametrize(
    ("wanted", "nodes", "share"),
    [
        ({}, [node(4.0), node(2.0)], Share(6, 1.0, 0.0, MEMORY_A_PROCESS, "cpu")),
        # Of eight cores only two have the memory for a worker.
        ({}, [node(8.0, memory=2.5 * MEMORY_A_PROCESS)], Share(2, 1.0, 0.0, MEMORY_A_PROCESS, "cpu")),
        # None has the memory that the largest scan needs, and most scans are smaller.
        ({}, [node(2.0, memory=1e9), node(2.0, memory=1e9)], Share(1, 1.0, 0.0, 0, "cpu")),
        # Two a GPU; the head without one takes none.
        ({}, [node(8.0), node(8.0, 2.0)], Share(4, 1.0, 0.5, MEMORY_A_PROCESS, "cuda")),
        ({"device": "cpu"}, [node(2.0, 2.0)], Share(2, 1.0, 0.0, MEMORY_A_PROCESS, "cpu")),
        ({"gpus": 0.25, "cpus": 2.0}, [node(8.0, 1.0)], Share(4, 2.0, 0.25, MEMORY_A_PROCESS, "cuda")),
        # An equal share, as processes have it, but none that fits no node.
        ({"workers": 2}, [node(8.0)], Share(2, 4.0, 0.0, MEMORY_A_PROCESS, "cpu")),
        ({"workers": 2}, [node(2.0), node(2.0), node(2.0)], Share(2, 2.0, 0.0, MEMORY_A_PROCESS, "cpu")),
        # More than fit now: a cluster that grows starts machines for them.
        ({"workers": 9, "cpus": 1.0}, [node(2.0)], Share(9, 1.0, 0.0, 0, "cpu")),
    ],
)
def test_as_many_workers_as_cores_gpus_and_memory_allow(
    wanted: dict[str, Any], nodes: list[dict[str, float]], share: Share
) -> None:
    assert share_of(Wanted("head:6379", **wanted), nodes) == share


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"cpus": 3.0}, "no node has 3 cores for a worker"),
        ({"device": "cuda"}, "no node has 1 cores and 0.5 of a GPU for a worker"),
    ],
)
def test_a_cluster_without_room_is_named(wanted: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=f"--ray head:6379: {said}"):
        share_of(Wanted("head:6379", **wanted), [node(2.0)])


def test_a_worker_computes_with_its_cores_or_what_the_user_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert [threads_of(share) for share in (0.5, 1.0, 3.7)] == [1, 1, 3]
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert threads_of(8.0) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--ray-cpus", "1"), "--ray-cpus and --ray-gpus need --ray"),
        (("--ray", "auto", "--ray-cpus", "0"), "--ray-cpus 0: must be above 0"),
        (("--ray", "auto", "--device", "cuda:1"), "--device cuda:1: with --ray it is auto, cpu or cuda"),
        (("--ray", "ray://head:10001"), "--ray ray://head:10001: name a head as host:port"),
        (("--ray", "head"), "--ray head: name a head as host:port"),
        (("--ray", "auto", "--processes", "0"), "--processes 0: must be 1 or more"),
    ],
)
def test_a_wrong_option_is_one_sentence(
    run: Run, studies: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    ended = run("archive", studies, "--out", tmp_path / "out", *words)
    assert ended.status == 2
    (sentence,) = ended.err.splitlines()
    assert sentence.startswith(said)


def test_a_head_that_is_not_there_is_named_at_once(run: Run, studies: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        # Bound and not listening: nobody else has it.
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = run("archive", studies, "--out", tmp_path / "out", "--ray", address)
    assert ended.status == 2
    assert ended.refusals() == [
        f"--ray {address}: nothing answers there (Connection refused); is that the head, and running?"
    ]


def test_without_the_package_it_says_what_to_install(
    run: Run, studies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "pneumoscreen.workers.ray_cluster.find_spec", lambda name: None if name == "ray" else found(name)
    )
    ended = run("archive", studies, "--out", tmp_path / "out", "--ray", "auto")
    assert ended.status == 2
    (sentence,) = ended.err.splitlines()
    assert sentence.startswith(
        "--ray: ray is not installed; install the optional packages with pip install '.[cluster]'"
    )
    assert not (tmp_path / "out").exists()
    assert "RAY_AUTH_TOKEN" not in os.environ

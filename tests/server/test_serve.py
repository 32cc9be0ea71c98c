"""The server as a process: it answers while it works, reports progress, and refuses to start with a sentence."""

import socket
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import requests

from pneumoscreen.server.client import Client, ServerError

from .conftest import RunningServer, environment

INFO_LIMIT_S = 0.1


def test_info_names_the_tasks(server: RunningServer) -> None:
    info = server.client.get("/info/").json()
    assert info["models"].keys() == {"ct_screening", "ct_candidates", "ct_classifier"}
    assert info["models"]["ct_screening"]["type"] == "segmentation"
    assert info["models"]["ct_screening"]["versions"] == {"ct_candidates": 1, "ct_classifier": 1}


def test_info_answers_while_screenings_run_and_progress_tells_of_them(server: RunningServer) -> None:
    jobs = [
        threading.Thread(target=server.client.infer, args=("ct_screening", image)) for image in ("upright", "turned")
    ]
    for job in jobs:
        job.start()
    times, stages, waiting = [], set(), 0
    while any(job.is_alive() for job in jobs):
        start = time.perf_counter()
        server.client.get("/info/")
        times.append(time.perf_counter() - start)
        listed = server.client.get("/pneumoscreen/progress").json()["jobs"]
        stages |= {job["stage"] for job in listed if job["state"] == "running"}
        waiting = max(waiting, sum(job["state"] == "queued" for job in listed))
        assert sum(job["state"] == "running" for job in listed) <= 1, "one inference at a time"
        time.sleep(0.02)
    assert len(times) >= 5
    median = statistics.median(times)
    print(f"/info/ meanwhile: median {median * 1000:.1f} ms, worst {max(times) * 1000:.0f} ms of {len(times)}")
    assert median < INFO_LIMIT_S
    assert waiting == 1
    assert {"lungs", "candidates"} & stages
    done = server.client.progress("upright")
    assert done is not None
    assert (done["state"], done["fraction"]) == ("done", 1.0)


def test_a_screening_can_be_cancelled(server: RunningServer) -> None:
    answers: list[requests.Response] = []

    def ask() -> None:
        url = f"{server.client.address}/infer/ct_screening"
        answers.append(requests.post(url, params={"image": "upright"}, timeout=120))

    job = threading.Thread(target=ask)
    job.start()
    listed: list[dict[str, str]] = []
    while job.is_alive() and not listed:
        listed = server.client.get("/pneumoscreen/progress").json()["jobs"]
    requests.post(f"{server.client.address}/pneumoscreen/cancel/{listed[0]['id']}", timeout=30)
    job.join()
    assert answers[0].status_code == 409
    assert "cancelled" in answers[0].json()["detail"]
    now = server.client.progress("upright")
    assert now is not None
    assert now["state"] == "cancelled"


def start(*arguments: str, models: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pneumoscreen", "serve", *arguments]
    return subprocess.run(
        command, env=environment(models), capture_output=True, encoding="utf-8", timeout=120, check=False
    )


def test_a_port_in_use_is_one_sentence(server: RunningServer) -> None:
    port = server.client.address.rsplit(":", 1)[1]
    result = start("--studies", str(server.studies), "--port", port, models=server.models)
    assert result.returncode == 2
    assert result.stderr.strip().splitlines() == [f"port {port} on 127.0.0.1 is in use; choose another with --port"]


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path, model_root: Path) -> None:
    result = start("--studies", str(tmp_path / "nowhere"), "--port", "0", models=model_root)
    assert result.returncode == 2
    assert len(result.stderr.strip().splitlines()) == 1
    assert "nowhere does not exist" in result.stderr


def test_the_server_listens_on_this_machine_only(server: RunningServer) -> None:
    port = int(server.client.address.rsplit(":", 1)[1])
    others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} - {"127.0.0.1"}
    if not others:
        pytest.skip("this machine has no other address")
    with pytest.raises(OSError, match=r".*"), socket.create_connection((others.pop(), port), timeout=2):
        pass


def test_the_client_says_when_nobody_is_there() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(ServerError, match="does not answer"):
        Client(f"http://127.0.0.1:{port}").get("/info/")

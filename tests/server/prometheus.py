"""A real Prometheus (Debian's package) that scrapes a server under test."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from .conftest import free_port

_START_S = 60.0


class Prometheus:
    """One that runs."""

    def __init__(self, address: str) -> None:
        self._address = address

    def targets(self) -> list[dict[str, Any]]:
        """What it scrapes, and how that goes."""
        answer = requests.get(f"{self._address}/api/v1/targets", timeout=10).json()
        return list(answer["data"]["activeTargets"])

    def value(self, query: str) -> float | None:
        """The value of a query; None where there is none yet."""
        answer = requests.get(f"{self._address}/api/v1/query", params={"query": query}, timeout=10).json()
        found = answer["data"]["result"]
        return float(found[0]["value"][1]) if found else None


@contextmanager
def scraping(target: str, folder: Path, token: str | None = None) -> Iterator[Prometheus]:
    """A Prometheus that asks ``target`` (host and port) every second."""
    if shutil.which("prometheus") is None:
        pytest.skip("no Prometheus on this machine: apt-get install prometheus")
    job: dict[str, Any] = {"job_name": "pneumoscreen", "static_configs": [{"targets": [target]}]}
    if token is not None:
        (folder / "token").write_text(token)
        job["authorization"] = {"credentials_file": str(folder / "token")}
    content = {"global": {"scrape_interval": "1s"}, "scrape_configs": [job]}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(content))
    address = f"127.0.0.1:{free_port()}"
    words = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen(
            ["prometheus", *words, f"--web.listen-address={address}"], stdout=log, stderr=subprocess.STDOUT
        )
    try:
        _wait_until_ready(address, process)
        yield Prometheus(f"http://{address}")
    finally:
        process.terminate()
        process.wait(60)


def _wait_until_ready(address: str, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            if requests.get(f"http://{address}/-/ready", timeout=5).ok:
                return
        except requests.ConnectionError:
            pass
        time.sleep(0.1)
    pytest.fail("Prometheus did not start")

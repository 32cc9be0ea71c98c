"""How fast the server answers ``/info/`` while it screens a scan."""

import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import httpx

from ..server.access.tokens import NO_TOKENS
from ..server.site_settings import without_site
from .process import BenchError, command

START_LIMIT_S = 120.0
SCREEN_LIMIT_S = 600.0
PAUSE_S = 0.05


@dataclass(frozen=True)
class Latency:
    """Answers of a busy server.

    Attributes:
        startup_s: from the start of the process to the first answer.
        screening_s: the request that kept it busy.
        answers_ms: time of each answer to ``/info/`` meanwhile.
    """

    startup_s: float
    screening_s: float
    answers_ms: list[float]

    @property
    def median_ms(self) -> float:
        """The median answer."""
        return median(self.answers_ms)


def measure_latency(scan: Path) -> Latency:
    """Start a server, let it screen a scan and ask ``/info/`` all the while.

    Raises:
        BenchError: if the server does not start or the screening fails.
    """
    with tempfile.TemporaryDirectory(prefix="pneumoscreen-bench-") as studies:
        shutil.copy(scan, studies)
        image = scan.name.removesuffix(".nii.gz")
        with _server(Path(studies)) as (address, startup), httpx.Client(base_url=address) as client:
            seconds, answers = _ask_while_screening(client, image)
    return Latency(startup, seconds, answers)


def _ask_while_screening(client: httpx.Client, image: str) -> tuple[float, list[float]]:
    outcome: list[httpx.Response | Exception] = []

    def screen() -> None:
        try:
            outcome.append(
                client.post("/infer/ct_screening", params={"image": image, "output": "json"}, timeout=SCREEN_LIMIT_S)
            )
        except httpx.HTTPError as error:
            outcome.append(error)

    screening = threading.Thread(target=screen)
    start = time.perf_counter()
    screening.start()
    answers = []
    while screening.is_alive():
        asked = time.perf_counter()
        client.get("/info/", timeout=SCREEN_LIMIT_S).raise_for_status()
        answers.append(1000 * (time.perf_counter() - asked))
        screening.join(PAUSE_S)
    seconds = time.perf_counter() - start
    result = outcome[0]
    if isinstance(result, Exception) or result.status_code != httpx.codes.OK:
        said = str(result) if isinstance(result, Exception) else f"{result.status_code}: {result.text}"
        raise BenchError(f"the server did not screen {image}: {said}")
    return seconds, answers


@contextmanager
def _server(studies: Path) -> Iterator[tuple[str, float]]:
    """A running server: its address and the seconds it took to answer."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    start = time.perf_counter()
    process = subprocess.Popen(
        command("serve", "--studies", str(studies), "--port", str(port), "--tokens", NO_TOKENS),
        env=without_site(os.environ),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not _answers(address):
            if process.poll() is not None:
                raise BenchError(f"the server ended with status {process.returncode} before it answered")
            if time.perf_counter() - start > START_LIMIT_S:
                raise BenchError(f"the server did not answer within {START_LIMIT_S:.0f} s")
            time.sleep(PAUSE_S)
        yield address, time.perf_counter() - start
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/info/", timeout=5).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False

"""One screening in a process of its own: seconds by stage, and the memory at its peak."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import PneumoScreenError


class BenchError(PneumoScreenError):
    """A measured program that failed."""


@dataclass(frozen=True)
class ScreeningRun:
    """What one run of ``pneumoscreen screen`` took.

    Attributes:
        timings_s: of each case, by stage, from the documents; ``total`` is from reading to report.
        wall_s: the whole process, start and loading of the networks included.
        cpu_s: what the processor worked for it, on all cores; says something on a machine that is not quiet, too.
        peak_gib: largest resident memory of the process.
    """

    timings_s: list[dict[str, float]]
    wall_s: float
    cpu_s: float
    peak_gib: float

    @property
    def startup_s(self) -> float:
        """Seconds of the process outside its screenings."""
        return self.wall_s - sum(timings["total"] for timings in self.timings_s)


def command(*arguments: str) -> list[str]:
    """The command line of this very installation."""
    return [sys.executable, "-m", "pneumoscreen", *arguments]


def two_cores() -> set[int]:
    """The cores on which a screening is measured: two of those that this process may use."""
    return set(sorted(os.sched_getaffinity(0))[:2])


def run_screening(scans: Sequence[Path], device: str, cores: set[int], model_dir: Path | None = None) -> ScreeningRun:
    """Screen scans in a fresh process on these cores.

    Raises:
        BenchError: if the process fails; the message holds its last line.
    """
    with tempfile.TemporaryDirectory(prefix="pneumoscreen-bench-") as scratch:
        arguments = ["screen", *map(str, scans), "--out", scratch, "--device", device]
        if model_dir:
            arguments += ["--model-dir", str(model_dir)]
        errors = Path(scratch) / "stderr"
        start = time.perf_counter()
        with errors.open("wb") as stderr:
            process = subprocess.Popen(
                command(*arguments),
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                preexec_fn=lambda: os.sched_setaffinity(0, cores),
            )
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - start
        if process.returncode != 0:
            raise BenchError(f"screening failed with status {process.returncode}: {_last_line(errors)}")
        documents = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(Path(scratch).glob("*.json"))]
    timings = [document["timings_s"] for document in documents]
    return ScreeningRun(timings, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20)


def has_gpu() -> bool:
    """Whether torch finds a GPU; asked in another process, because torch is large."""
    question = "import torch, sys; sys.exit(not torch.cuda.is_available())"
    return subprocess.run([sys.executable, "-c", question], check=False, stderr=subprocess.DEVNULL).returncode == 0


def _last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "no message"

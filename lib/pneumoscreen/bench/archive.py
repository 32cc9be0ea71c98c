"""How many cases a minute ``pneumoscreen archive`` screens, beside ``pneumoscreen screen`` over the same scans."""

import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .process import BenchError, command

WARM_UP = 2
"""Cases that are not counted: the first of each of two processes loads the networks."""


@dataclass(frozen=True)
class Rates:
    """Cases a minute once the networks are loaded.

    Attributes:
        archive: by several processes.
        screen: by one, which reads the next scan meanwhile.
    """

    archive: float
    screen: float


def measure_rates(scans: Sequence[Path], cores: set[int], model_dir: Path | None = None) -> Rates:
    """Screen scans by both commands, one after the other, on these cores.

    Args:
        scans: of different bytes, for `archive` screens the same ones once.
        cores: that both may use.
        model_dir: root of the model store; None takes the project's own.

    Raises:
        BenchError: if a command fails.
    """
    return Rates(*(measure_rate([name], scans, cores, model_dir) for name in ("archive", "screen")))


def measure_rate(words: Sequence[str], scans: Sequence[Path], cores: set[int], model_dir: Path | None = None) -> float:
    """Cases a minute of one command; ``words`` are its name and further options.

    Raises:
        BenchError: if it fails.
    """
    with tempfile.TemporaryDirectory(prefix="pneumoscreen-bench-") as out:
        arguments = [*words, *map(str, scans), "--out", out, "--device", "cpu"]
        if model_dir:
            arguments += ["--model-dir", str(model_dir)]
        ended = subprocess.run(
            command(*arguments),
            capture_output=True,
            check=False,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
        if ended.returncode != 0:
            last = ended.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise BenchError(f"{words[0]} failed with status {ended.returncode}: {' '.join(last)}")
        return cases_a_minute([path.stat().st_mtime for path in Path(out).rglob("*.json")])


def cases_a_minute(ends: Sequence[float]) -> float:
    """The rate after the warm-up.

    Args:
        ends: seconds at which each document was written.
    """
    ordered = sorted(ends)
    return 60.0 * (len(ordered) - WARM_UP) / (ordered[-1] - ordered[WARM_UP - 1])

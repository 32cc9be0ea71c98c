"""How fast the networks are trained, and how soon a training says something.

Run as ``python -m pneumoscreen.bench.training DEVICE`` it measures the two trainings in its own process, because torch
is large and the measuring process stays small, and prints JSON.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .process import BenchError, command

START_LIMIT_S = 300.0
_POLL_S = 0.05
_WARM_UP = 2
_STEPS = {"cpu": {"ct_classifier": 16, "ct_candidates": 6}, "cuda": {"ct_classifier": 400, "ct_candidates": 80}}
"""Steps measured after the warm-up; a GPU does one in milliseconds."""


@dataclass(frozen=True)
class Throughput:
    """Samples a second with the shipped networks and settings, augmentation and optimiser included.

    Attributes:
        patches: of 64 x 64 pixels, for M1 and M2 together.
        volumes: crops of 48 x 96 x 96 voxels.
    """

    patches: float
    volumes: float


@dataclass(frozen=True)
class FirstWord:
    """Seconds from the start of ``pneumoscreen train`` to its first status, and to the first step of the training."""

    message_s: float
    step_s: float


def measure_throughput(device: str, cores: set[int]) -> Throughput:
    """Measure both trainings in a process of its own.

    Raises:
        BenchError: if it fails.
    """
    ended = subprocess.run(
        [sys.executable, "-m", __name__, device],
        capture_output=True,
        check=False,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    if ended.returncode != 0:
        last = ended.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise BenchError(f"training on {device} failed with status {ended.returncode}: {' '.join(last)}")
    return Throughput(**json.loads(ended.stdout.splitlines()[-1]))


def measure_first_word(model_dir: Path | None, cores: set[int]) -> FirstWord:
    """Start a training of the classifier on four small phantoms and end it at its first step.

    Raises:
        BenchError: if it ends before, or says nothing in time.
    """
    with tempfile.TemporaryDirectory(prefix="pneumoscreen-bench-") as scratch:
        folder = Path(scratch)
        # Made by another process: see ``scans``.
        subprocess.run([sys.executable, "-m", __name__, "studies", scratch], check=True)
        if model_dir is not None:
            shutil.copytree(model_dir, folder / "models")
        words = {"--studies": "studies", "--config": "settings.yaml", "--out": "out", "--model-dir": "models"}
        arguments = [str(part) for option, name in words.items() for part in (option, folder / name)]
        began = time.perf_counter()
        process = subprocess.Popen(
            command("train", "ct_classifier", *arguments, "--device", "cpu"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
        try:
            message = _wait_for(folder / "out", process, "message", began)
            return FirstWord(message, _wait_for(folder / "out", process, "step", began))
        finally:
            process.kill()
            process.wait()


def _wait_for(out: Path, process: "subprocess.Popen[bytes]", field: str, began: float) -> float:
    """Seconds until the status says something of a field."""
    while time.perf_counter() - began < START_LIMIT_S:
        status = _status(out)
        if status.get(field):
            return time.perf_counter() - began
        if process.poll() is not None:
            raise BenchError(
                f"the training ended with status {process.returncode}: {status.get('message', 'no message')}"
            )
        time.sleep(_POLL_S)
    raise BenchError(f"the training told no {field} within {START_LIMIT_S:.0f} s")


def _status(out: Path) -> Mapping[str, Any]:
    try:
        return dict(json.loads((out / "status.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _throughput(device: str) -> Throughput:
    """Train both networks for some steps in this process."""
    steps = _STEPS[device.partition(":")[0]]
    with tempfile.TemporaryDirectory(prefix="pneumoscreen-bench-") as scratch:
        return Throughput(
            _patches_per_second(device, steps["ct_classifier"]),
            _volumes_per_second(device, steps["ct_candidates"], Path(scratch)),
        )


def _patches_per_second(device: str, steps: int) -> float:
    import numpy as np

    from ..ct.learning.classifier import ClassifierTrainingSettings, train_classifier
    from ..ct.learning.classifier_data import PatchSet
    from ..studies.split import Side, side_of

    settings = ClassifierTrainingSettings(epochs=1)
    rng = np.random.default_rng(0)
    names = [f"patient-{number}" for number in range(100)]
    trains = next(name for name in names if side_of(name) is Side.TRAINING)
    validates = next(name for name in names if side_of(name) is Side.VALIDATION)
    count, size = settings.batch * (steps + _WARM_UP), settings.network.patches.size
    patches = PatchSet(
        rng.integers(0, 255, (count + 1, size, size), dtype=np.uint8),
        rng.integers(0, 3, count + 1),
        rng.random(count + 1, dtype=np.float32),
        np.arange(count + 1),
        np.zeros(count + 1, dtype=np.int64),
        np.array([trains] * count + [validates]),
    )
    clock = _Clock()
    train_classifier(patches, settings, device=device, callback=clock.tick, say=clock.ignore)
    return settings.batch * clock.rate()


def _volumes_per_second(device: str, steps: int, folder: Path) -> float:
    from ..ct.learning.candidate_data import CaseCache
    from ..ct.learning.candidates import CandidateTrainingSettings, train_candidates
    from ..ct.phantoms.phantom import PhantomSpec, generate_phantom

    settings = CandidateTrainingSettings(steps=steps + _WARM_UP, save_every=10**6, device=device)
    cache = CaseCache(folder, settings.model.grid)
    cases = [cache.add(generate_phantom(seed, spec=PhantomSpec(matrix=128, slices=40))) for seed in (1, 2)]
    clock = _Clock()
    train_candidates(cases, settings, folder / "run", progress=clock.tick, say=clock.ignore)
    return settings.batch * clock.rate()


class _Clock:
    """Times of the steps of a training."""

    def __init__(self) -> None:
        self._times: list[float] = []

    def tick(self, _task: str, _fraction: float) -> None:
        """A step is done. Its losses have been read, so that a GPU has done it as well."""
        self._times.append(time.perf_counter())

    def ignore(self, line: str) -> None:
        """Lines of progress are not shown."""

    def rate(self) -> float:
        """Steps a second after the warm-up."""
        measured = self._times[_WARM_UP - 1 :]
        return (len(measured) - 1) / (measured[-1] - measured[0])


def _write_studies(folder: Path) -> None:
    """Small labelled phantoms, of which one validates, and the settings of a training of one epoch."""
    from ..ct.phantoms.phantom import PhantomSpec, generate_phantom
    from ..ct.phantoms.studies import write_phantom
    from ..studies.layout import FINAL_LABELS, LESION_MASKS, LUNG_MASKS
    from ..studies.split import Side, side_of

    seeds = {side: [n for n in range(1, 100) if side_of(f"phantom-{n:06d}") is side] for side in Side}
    for name in (FINAL_LABELS, LESION_MASKS, LUNG_MASKS):
        (folder / "studies" / name).mkdir(parents=True)
    for seed in (*seeds[Side.TRAINING][:3], *seeds[Side.VALIDATION][:1]):
        write_phantom(folder / "studies", generate_phantom(seed, "covid19", PhantomSpec(matrix=128, slices=30)))
    (folder / "settings.yaml").write_text("epochs: 1\nbatch: 16\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1] == "studies":
        _write_studies(Path(sys.argv[2]))
    else:
        print(json.dumps(asdict(_throughput(sys.argv[1]))))

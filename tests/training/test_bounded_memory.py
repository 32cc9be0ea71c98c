"""A training set of ten times the size does not need ten times the memory."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import pneumoscreen
from pneumoscreen.ct.learning.classifier_data import PatchSet
from pneumoscreen.studies.split import Side, side_of

PER_FILE = 5000
SMALL, LARGE = 20_000, 200_000
HELD_OUT = (38, 39)
MOST_MORE_MIB = 200
"""For columns and indices of 180,000 more patches; their pixels are 703 MiB."""

# Anonymous memory is what the process cannot give back; pages of a mapped file the system takes when it needs them.
PROGRAM = """
import json, re, sys, threading, time
from pathlib import Path
from pneumoscreen.errors import Cancelled
from pneumoscreen.ct.learning.classifier import ClassifierTrainingSettings, train_classifier
from pneumoscreen.ct.learning.classifier_data import gather

peak, ended = 0, threading.Event()
def watch():
    global peak
    while not ended.is_set():
        peak = max(peak, int(re.search(r"RssAnon:\\s+(\\d+)", Path("/proc/self/status").read_text()).group(1)))
        time.sleep(0.005)
threading.Thread(target=watch, daemon=True).start()
folder, files = Path(sys.argv[1]), json.loads(sys.argv[2])
patches = gather([folder / f"{n}.npz" for n in files], folder / "gathered.npy")
settings = ClassifierTrainingSettings.model_validate({"network": {"widths": [8, 8, 8, 8]}, "epochs": 1, "batch": 128})
def stop(task, fraction):
    if fraction * (len(patches) // 128) > 60:
        raise Cancelled
try:
    train_classifier(patches, settings, None, "cpu", stop, lambda line: None)
except Cancelled:
    pass
ended.set()
print(json.dumps({"peak_mib": peak / 1024, "patches": len(patches)}))
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_patches(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = [f"patient-{number}" for number in range(400)]
    sides = {side: [name for name in names if side_of(name) is side] for side in Side}
    for number in range(LARGE // PER_FILE):
        # As the recipe gathers them: those of validation last, here two in the small and in the large set.
        side = Side.VALIDATION if number in HELD_OUT else Side.TRAINING
        PatchSet(
            np.repeat(rng.integers(0, 255, (PER_FILE, 64, 8), dtype=np.uint8), 8, axis=2),
            rng.integers(0, 3, PER_FILE),
            rng.random(PER_FILE, dtype=np.float32),
            np.arange(PER_FILE),
            np.zeros(PER_FILE, dtype=np.int64),
            np.array([sides[side][number]] * PER_FILE),
        ).save(tmp_path / f"{number}.npz")
    peaks = {}
    for count in (SMALL, LARGE):
        files = [*(n for n in range(LARGE // PER_FILE) if n not in HELD_OUT), *HELD_OUT][-(count // PER_FILE) :]
        words = [sys.executable, "-c", PROGRAM, str(tmp_path), json.dumps(files)]
        environment = {**os.environ, "PYTHONPATH": str(Path(pneumoscreen.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
        ended = subprocess.run(words, env=environment, capture_output=True, encoding="utf-8", timeout=900, check=True)
        found = json.loads(ended.stdout)
        assert found["patches"] == count
        peaks[count] = found["peak_mib"]
    print(f"peak of anonymous memory: {peaks}")
    assert peaks[LARGE] - peaks[SMALL] < MOST_MORE_MIB

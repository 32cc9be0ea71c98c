"""Two processes that train together, as ``torchrun`` starts them: one network, one publication."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import pneumoscreen
from pneumoscreen.ct.phantoms.phantom import PhantomSpec
from pneumoscreen.ct.phantoms.studies import write_studies
from pneumoscreen.models.store import ModelStore

from .test_runs import SETTINGS, TASKS

# What each process ends with; the first one's answer is that of the command line.
PROGRAM = """
import hashlib, json, os, sys
from pathlib import Path
from pneumoscreen.models.store import ModelStore
from pneumoscreen.methods import recipe_for
from pneumoscreen.training.device import Workplace
from pneumoscreen.training.runs import run_training

task, settings, studies, root = sys.argv[1], json.loads(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4])
kind = recipe_for(task)
learnt, found = [], []

def digest(tensors):
    parts = [name.encode() + t.detach().contiguous().numpy().tobytes() for name, t in sorted(tensors)]
    return hashlib.sha256(b"".join(parts)).hexdigest()

# Before the first process's state is given to all at the end: what each has learnt by itself.
share = Workplace.share_weights
def share_weights(self, network):
    learnt.append(digest(network.named_parameters()))
    share(self, network)
Workplace.share_weights = share_weights

train = kind.train
def train_and_look(self, *parts):
    train(self, *parts)
    found.append(digest(self._trained.model.state().items()))
kind.train = train_and_look
publication = run_training(recipe_for(task), studies, kind.settings_type.model_validate(settings), root / "out",
                           ModelStore(root / "models"), device="cpu", say=lambda line: None)
rank = os.environ["RANK"]
ended = {"weights": found, "learnt": learnt[-1], "start": learnt[0], "sentence": publication.sentence}
(root / f"rank{rank}.json").write_text(json.dumps(ended))
"""


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_two_processes_agree_and_one_publishes(task: str, tmp_path: Path) -> None:
    studies = tmp_path / "studies"
    studies.mkdir()
    write_studies(studies, 6, 1, PhantomSpec(matrix=64, slices=20))
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    arguments = [task, SETTINGS[task].model_dump_json(), str(studies), str(tmp_path)]
    words = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", str(program), *arguments]
    library = str(Path(pneumoscreen.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": library, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(
        [sys.executable, *words], env=environment, capture_output=True, encoding="utf-8", timeout=280, check=False
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    ranks = [json.loads((tmp_path / f"rank{rank}.json").read_text(encoding="utf-8")) for rank in (0, 1)]
    assert ranks[0] == ranks[1] and len(ranks[0]["weights"]) == 1
    assert ranks[0]["learnt"] != ranks[0]["start"]
    store = ModelStore(tmp_path / "models")
    assert store.versions(task) == [1] and ranks[0]["sentence"].startswith(f"{task} version 1 published")
    assert store.card(task, 1)["figures"]

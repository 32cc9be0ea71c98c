"""``pneumoscreen train`` end to end on a small studies folder: published, interrupted, resumed, refused."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import pneumoscreen
from pneumoscreen.ct.candidates.finding import CandidateModel
from pneumoscreen.ct.classifier import ClassifierModel
from pneumoscreen.metrics.inputs import CARD_INPUTS, figures_of_card
from pneumoscreen.models.store import CARD_FIELDS, ModelStore
from pneumoscreen.studies.cases import read_document
from pneumoscreen.studies.layout import FINAL_LABELS

from .conftest import NARROW, Ended

Run = Callable[..., Ended]

PAPER = Path(__file__).resolve().parents[2] / "configs" / "paper.yaml"
SETTINGS: dict[str, dict[str, Any]] = {
    "ct_candidates": {
        "model": {"network": NARROW},
        "crop": [16, 32, 32],
        "steps": 4,
        "split": {"validation": 0.3, "test": 0.1},
        "workers": 0,
        "seed": 1,
    },
    "ct_classifier": {
        "network": {"widths": [8, 8, 8, 8], "features": 16},
        "data": {"loosened": 0, "random": 1},
        "epochs": 2,
        "batch": 16,
        "split": {"validation": 0.3, "test": 0.1},
        "seed": 1,
    },
}
LOADERS = {"ct_candidates": CandidateModel.load, "ct_classifier": ClassifierModel.load}


@pytest.fixture
def studies(studies: Path, tmp_path: Path) -> Path:
    """Each test's own: a training writes the split of its folder."""
    return shutil.copytree(studies, tmp_path / "clinic")


@pytest.fixture
def options(tmp_path: Path, studies: Path) -> Callable[..., list[str]]:
    """Makes the words of a training command; ``changes`` are changes of its settings."""

    def words(task: str, out: str = "out", **changes: Any) -> list[str]:
        config = tmp_path / f"{out}.yaml"
        config.write_text(json.dumps({**SETTINGS[task], **changes}), encoding="utf-8")  # JSON is YAML
        folders = {
            "--studies": studies,
            "--config": config,
            "--out": tmp_path / out,
            "--model-dir": tmp_path / "models",
        }
        return ["train", task, *(str(word) for option in folders.items() for word in option)]

    return words


@pytest.mark.parametrize("task", SETTINGS)
def test_a_training_publishes_a_model_with_its_card(
    task: str, options: Any, run: Run, studies: Path, tmp_path: Path
) -> None:
    ended = run(*options(task))
    store = ModelStore(tmp_path / "models")
    assert ended.status == 0, ended.err
    assert ended.out.startswith(f"{task} version 1 published: no version was in use to compare with; ")
    assert ended.out.count("\n") == 1
    weights = store.load(task)
    assert set(CARD_FIELDS) <= set(weights.card)
    assert weights.card["seed"] == 1
    assert weights.card["figures"]
    assert weights.card["command"].startswith(f"pneumoscreen train {task} --studies ")
    assert "4 training cases (4 patients) and 1 validation cases (1 patients)" in weights.card["data"]
    assert "1 test cases untouched; began with random weights" in weights.card["data"]
    assert weights.card["split"] == {"validation": 0.3, "test": 0.1}
    assert weights.card[CARD_INPUTS]["of"] == "4 training cases (4 patients)"
    trained = [read_document(studies / FINAL_LABELS / f"phantom-{number:06d}.json") for number in (1, 2, 3, 5)]
    assert figures_of_card(weights.card)["pixel_mm"].tolist() == sorted(case.image.spacing_mm[0] for case in trained)
    assert not list((tmp_path / "out").rglob("*phantom-000006*")), "nothing is made of a test patient's case"
    LOADERS[task](weights)
    again = run(*options(task))
    assert (again.status, again.out) == (2, "")
    assert "add --resume or name another folder" in again.err
    assert store.versions(task) == [1]
    # A run that was killed between its last checkpoint and the publication is published by --resume.
    shutil.rmtree(store.root / task)
    assert run(*options(task), "--resume").status == 0
    assert store.load(task).sha256 == weights.sha256


@pytest.mark.parametrize(
    ("task", "long", "ending", "status"),
    [
        ("ct_candidates", {"steps": 5000, "save_every": 5, "validate_every": 9999, "workers": 1}, signal.SIGINT, 130),
        ("ct_classifier", {"epochs": 5000}, signal.SIGKILL, -signal.SIGKILL),
    ],
)
def test_an_ended_training_keeps_its_checkpoints(
    task: str, long: dict[str, Any], ending: signal.Signals, status: int, options: Any, run: Run, tmp_path: Path
) -> None:
    checkpoints = tmp_path / "out" / "checkpoints"
    process = subprocess.Popen(
        [sys.executable, "-m", "pneumoscreen", *options(task, **long)],
        env={**os.environ, "PYTHONPATH": str(Path(pneumoscreen.__file__).parents[1])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
    )
    limit = time.monotonic() + 120
    while not list(checkpoints.glob("checkpoint-*")) and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.05)
    os.killpg(process.pid, ending)  # as a terminal does: the processes that prepare crops get it as well
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (status, ""), err
    assert all(line.startswith((task, "prepared ")) for line in err.splitlines()), err
    assert ModelStore(tmp_path / "models").versions(task) == []
    done = max(int(path.name.rpartition("-")[2]) for path in checkpoints.glob("checkpoint-*"))
    # Other settings are another run; the checkpoints of this one stay.
    other = run(*options(task, **{**long, "seed": 2}), "--resume")
    assert other.status == 2
    assert "other settings" in other.err
    assert done > 0


@pytest.mark.parametrize(
    ("task", "changes"),
    [("ct_candidates", {"steps": 12, "save_every": 4, "validate_every": 99}), ("ct_classifier", {"epochs": 12})],
)
def test_a_killed_training_is_resumed_to_the_same_model(
    task: str, changes: dict[str, Any], options: Any, run: Run, tmp_path: Path
) -> None:
    assert run(*options(task, "whole", **changes), "--from-scratch").status == 0
    words = [*options(task, "killed", **changes), "--from-scratch"]
    checkpoints = tmp_path / "killed" / "checkpoints"
    process = subprocess.Popen(
        [sys.executable, "-m", "pneumoscreen", *words],
        env={
            **os.environ,
            "PYTHONPATH": str(Path(pneumoscreen.__file__).parents[1]),
            "OMP_NUM_THREADS": str(torch.get_num_threads()),  # sums in another order are other sums
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    limit = time.monotonic() + 120
    while not list(checkpoints.glob("checkpoint-*")) and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.005)
    process.kill()
    _, err = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, err.decode()
    resumed = run(*words, "--resume")
    assert resumed.status == 0, resumed.err
    store = ModelStore(tmp_path / "models")
    publications = [
        json.loads((tmp_path / name / "publication.json").read_text(encoding="utf-8")) for name in ("whole", "killed")
    ]
    assert publications[0]["candidate"] == publications[1]["candidate"]
    cards = [
        store.card(task, p["version"]) if p["published"] else store.load_candidate(task, p["candidate_id"]).card
        for p in publications
    ]
    assert cards[0]["sha256"] == cards[1]["sha256"]


@pytest.mark.parametrize(
    ("task", "changes", "named"),
    [
        ("ct_candidates", {"stepz": 3}, "out.yaml: key stepz: not a setting of this task"),
        ("ct_classifier", {"network": {"width": [8]}}, "out.yaml: key network.width: not a setting of this task"),
        ("ct_candidates", {"steps": 0}, "out.yaml: key steps:"),
        ("ct_candidates", {"crop": [16, 32, 33]}, "crop must be a multiple of"),
        ("ct_classifier", {"split": {"validation": 1e-9}}, "patients with usable labels outside the test share is on"),
        ("ct_candidates", {"split": {"validation": 0.6, "test": 0.4}}, "out.yaml: key split: Value error, validation"),
        ("ct_candidates", {"validation_share": 0.1}, "out.yaml: key validation_share: not a setting of this task"),
    ],
)
def test_a_wrong_setting_is_named(
    task: str, changes: dict[str, Any], named: str, options: Any, run: Run, tmp_path: Path
) -> None:
    ended = run(*options(task, **changes))
    assert (ended.status, ended.out) == (2, "")
    assert named in ended.err.splitlines()[-1]
    assert not (tmp_path / "out" / "checkpoints").exists()


def test_another_split_than_the_folders_is_refused(options: Any, run: Run, studies: Path, tmp_path: Path) -> None:
    """Shares that failed to give two sides settle nothing; those of a training that began do."""
    wrong = {"split": {"validation": 1e-9, "test": 0.1}}
    assert run(*options("ct_classifier", **wrong)).status == 2
    assert run(*options("ct_classifier")).status == 0
    ended = run(*options("ct_candidates", "other", split={"validation": 0.3, "test": 0.05}))
    assert (ended.status, ended.out) == (2, "")
    last = ended.err.splitlines()[-1]
    assert "asks for split.validation 0.3, split.test 0.05, but the folder is divided by split.validation 0.3" in last
    # Without a word on the split the folder's own holds.
    words = options("ct_candidates", "again")
    config = tmp_path / "again.yaml"
    settings = json.loads(config.read_text(encoding="utf-8"))
    del settings["split"]
    config.write_text(json.dumps(settings), encoding="utf-8")
    assert run(*words).status == 0
    assert ModelStore(tmp_path / "models").card("ct_candidates", 1)["split"] == {"validation": 0.3, "test": 0.1}


def test_settings_of_the_other_task_are_refused(options: Any, run: Run) -> None:
    words = options("ct_candidates")
    words[words.index("--config") + 1] = str(PAPER)
    ended = run(*words)
    assert (ended.status, ended.err.count("\n")) == (2, 1)
    assert ended.err.startswith(f"{PAPER}: key ")
    assert "give the task's own configuration" in ended.err


@pytest.mark.parametrize(
    ("option", "value", "named"),
    [
        ("--config", "absent.yaml", "absent.yaml: the configuration cannot be read (No such file or directory)"),
        ("--config", "file", "file: (top level): not a list of"),
        ("--studies", "absent", "absent is not a folder"),
        ("--studies", "empty", "empty holds no labelled scan"),
        ("--studies", "unlabelled", "unlabelled holds no labelled scan"),
        ("--out", "file", "file: a file stands where the output folder should be"),
        ("--model-dir", "file", "file: a file stands where the output folder should be"),
        ("--device", "abacus", "--device abacus: not a device; use auto, cpu, cuda or cuda:N"),
    ],
)
def test_a_wrong_folder_costs_one_line_before_any_work(
    option: str,
    value: str,
    named: str,
    options: Any,
    run: Run,
    studies: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("kept")
    Path("empty").mkdir()
    Path("unlabelled").mkdir()
    shutil.copy(studies / "phantom-000001.nii.gz", "unlabelled")
    words = [*options("ct_candidates"), "--device", "cpu"]
    words[words.index(option) + 1] = value
    ended = run(*words)
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert named in ended.err
    assert Path("file").read_text(encoding="utf-8") == "kept"


def test_cases_that_cannot_be_used_are_named_and_the_others_trained_on(
    options: Any, run: Run, studies: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "studies"
    shutil.copytree(studies, folder)
    documents = [folder / "labels" / "final" / f"phantom-00000{number}.json" for number in range(1, 7)]

    def change(number: int, diagnosis: str | None, labels: tuple[str, ...] = ()) -> None:
        document = json.loads(documents[number - 1].read_text(encoding="utf-8"))
        document["diagnosis"] = diagnosis
        for region, label in zip(document["regions"], labels, strict=False):
            region["reader"]["label"] = label
        documents[number - 1].write_text(json.dumps(document), encoding="utf-8")

    change(1, None)  # its regions tell the type
    change(2, None, ("covid19", "influenza_a"))
    change(4, "plague")
    (folder / "phantom-000005.nii.gz").write_bytes(b"no scan")
    documents[5].write_text("{", encoding="utf-8")
    words = options("ct_classifier", split={"validation": 0.5, "test": 0.0})
    words[words.index("--studies") + 1] = str(folder)
    ended = run(*words)
    assert ended.status == 0, ended.err
    left_out = [line for line in ended.err.splitlines() if "is left out" in line]
    for line, (number, reason) in zip(
        left_out,
        [("2", "enter the diagnosis"), ("4", "'plague'"), ("5", "phantom-000005.nii.gz"), ("6", "not valid JSON")],
        strict=True,
    ):
        assert line.startswith(f"phantom-00000{number} is left out: ")
        assert reason in line


def test_the_published_recipe_can_be_trained(options: Any, run: Run, tmp_path: Path) -> None:
    """``configs/paper.yaml`` as it is, but for one epoch in place of 1000."""
    text = PAPER.read_text(encoding="utf-8")
    assert "\nepochs: 1000\n" in text
    words = options("ct_classifier")
    config = Path(words[words.index("--config") + 1])
    config.write_text(
        text.replace("\nepochs: 1000\n", "\nepochs: 1\n") + "\nsplit: {validation: 0.3}\n", encoding="utf-8"
    )
    ended = run(*words)
    assert ended.status == 0, ended.err
    assert ModelStore(tmp_path / "models").card("ct_classifier", 1)["network"]["heads"] == ["m2"]

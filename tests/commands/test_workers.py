"""The same answers from one process, from several and from actors of Ray; a worker that dies costs a repetition."""

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch

from pneumoscreen.models.store import ModelStore

from .test_crossvalidate import SMALL, TINY, xray_models, xrays
from .test_evaluate_films import models, table
from .test_simulate import SIZES, coarse_models, config

__all__ = ["coarse_models", "config", "models", "table", "xray_models", "xrays"]

TIMES = {"timings_s", "seconds", "created"}
PROCESSES, RAY = ["--processes", 2], ["--ray", "auto", "--processes", 2]
TRAIN = ["train", "ct_classifier", "--studies", "x", "--config", "x"]
SEVERAL = pytest.mark.parametrize("several", [PROCESSES, pytest.param(RAY, marks=pytest.mark.slow)], ids=str)


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """With others sums of another order differ in the last digit."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def errors_of(run: Any, words: list[Any], several: list[Any]) -> str:
    """What a command says on standard error; one with Ray in a process of its own, where it is begun once."""
    if several is RAY:
        line = [sys.executable, "-m", "pneumoscreen", *map(str, [*words, *several])]
        ended = subprocess.run(line, capture_output=True, encoding="utf-8", errors="replace", timeout=600)
        assert ended.returncode == 0, ended.stderr
        return ended.stderr
    ended = run(*words, *several)
    assert ended.status == 0, ended.err
    return str(ended.err)


def untimed(value: Any) -> Any:
    """A document without what differs from run to run."""
    if isinstance(value, dict):
        return {name: untimed(each) for name, each in value.items() if name not in TIMES}
    return [untimed(each) for each in value] if isinstance(value, list) else value


def document(path: Path) -> Any:
    return untimed(json.loads(path.read_text(encoding="utf-8")))


@pytest.mark.slow
@SEVERAL
def test_scans_of_a_table(several: list[Any], run: Any, studies: Path, narrow_models: Path, tmp_path: Path) -> None:
    rows = ["path,class,left,right", *(f"{path},covid19,," for path in sorted(studies.glob("*.nii.gz"))[:3])]
    (tmp_path / "none.nii.gz").write_bytes(b"no scan")
    (tmp_path / "table.csv").write_text("\n".join([*rows, "none.nii.gz,cap,,"]), encoding="utf-8")
    words = ["evaluate", "--cases", tmp_path / "table.csv", "--model-dir", narrow_models, "--device", "cpu"]
    one, more = tmp_path / "one", tmp_path / "more"
    assert run(*words, "--out", one).status == 0
    errors = errors_of(run, [*words, "--out", more], several)
    assert sorted(line.split("/")[0] for line in errors.splitlines() if "/4 " in line) == ["1", "2", "3", "4"]
    assert document(more / "evaluation.json") == document(one / "evaluation.json")
    assert {path.name for path in more.iterdir()} == {path.name for path in one.iterdir()}
    for path in one.glob("*.json"):
        assert document(more / path.name) == document(path)
    again = run(*words, "--out", more)
    assert "3 scans of 4 screened before" in again.err


@SEVERAL
def test_labelled_scans_though_a_worker_dies(
    several: list[Any], run: Any, studies: Path, narrow_models: Path, tmp_path: Path
) -> None:
    words = ["evaluate", "--studies", studies, "--side", "all", "--model-dir", narrow_models, "--device", "cpu"]
    one, more = tmp_path / "one", tmp_path / "more"
    assert run(*words, "--out", one).status == 0
    killed: list[int] = []

    def kill() -> None:
        """One of those that work, after the first outcome."""
        title = "ray::Actor.work" if several is RAY else "spawn_main"
        while not killed and not is_over.is_set():
            time.sleep(0.01)
            for child in psutil.Process().children(recursive=True) if list(more.glob("outcomes/*.json")) else []:
                try:
                    if title in " ".join(child.cmdline()) and not killed:
                        child.kill()
                        killed.append(child.pid)
                except psutil.NoSuchProcess:
                    continue

    is_over = threading.Event()
    killer = threading.Thread(target=kill)
    killer.start()
    try:
        errors_of(run, [*words, "--out", more], several)
    finally:
        is_over.set()
        killer.join()
    assert killed, "all was done before one could be killed"
    assert document(more / "evaluation.json") == document(one / "evaluation.json")


@pytest.mark.slow
@SEVERAL
def test_films(several: list[Any], run: Any, table: Path, models: Path, xrays: Path, tmp_path: Path) -> None:
    common = ["evaluate", "--modality", "cxr", "--model-dir", models, "--device", "cpu"]
    for name, words in {"table": ["--cases", table], "phantoms": ["--cases", 4]}.items():
        one, more = tmp_path / f"{name}-one", tmp_path / f"{name}-more"
        assert run(*common, *words, "--out", one).status == 0
        errors_of(run, [*common, *words, "--out", more], several)
        assert document(more / "evaluation.json") == document(one / "evaluation.json")


@SEVERAL
def test_folds(several: list[Any], run: Any, xrays: Path, tmp_path: Path) -> None:
    words = ["crossvalidate", "--studies", xrays, *TINY, *SMALL]
    one, more = tmp_path / "one", tmp_path / "more"
    assert run(*words, "--out", one).status == 0
    errors = errors_of(run, [*words, "--out", more], several)
    assert "fold 1/2: done in" in errors and "fold 2/2: done in" in errors
    assert document(more / "crossvalidation.json") == document(one / "crossvalidation.json")
    for number in (1, 2):
        fold = f"classes/fold-{number}.json"
        assert document(more / fold) == document(one / fold)


@pytest.mark.slow
def test_turns_on_ray(run: Any, coarse_models: Path, config: Path, tmp_path: Path) -> None:
    words = ["simulate", *SIZES, "--config", config, "--model-dir", coarse_models, "--device", "cpu"]
    one, more = tmp_path / "one", tmp_path / "more"
    assert run(*words, "--out", one).status == 0
    errors_of(run, [*words, "--out", more], RAY)
    assert document(more / "simulation.json") == document(one / "simulation.json")


@SEVERAL
def test_the_caches_of_a_training(
    several: list[Any], run: Any, studies: Path, narrow_models: Path, tmp_path: Path
) -> None:
    (tmp_path / "settings.yaml").write_text("{epochs: 1, split: {validation: 0.4, test: 0.0}}", encoding="utf-8")
    found = {}
    for name, how in {"one": [], "more": several}.items():
        store = shutil.copytree(narrow_models, tmp_path / f"{name}-models")
        words = ["train", "ct_classifier", "--studies", studies, "--config", tmp_path / "settings.yaml"]
        words += ["--out", tmp_path / name, "--model-dir", store, "--device", "cpu"]
        errors_of(run, words, how)
        arrays = {path.parts[-2:]: np.load(path) for path in (tmp_path / name).rglob("patches-*/*/*.npz")}
        found[name] = {path: {key: each[key] for key in each.files} for path, each in arrays.items()}
    assert found["one"].keys() == found["more"].keys() and len(found["one"]) == 6
    for path, arrays in found["one"].items():
        for key, values in arrays.items():
            assert np.array_equal(found["more"][path][key], values), (path, key)
    states = [ModelStore(tmp_path / f"{name}-models").load("ct_classifier").state for name in found]
    assert all(torch.equal(states[1][key], tensor) for key, tensor in states[0].items())


@pytest.mark.parametrize("words", [["evaluate"], ["crossvalidate", "--studies", "x"], ["simulate"], TRAIN])
def test_a_wrong_option_is_one_sentence(
    words: list[str], run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pneumoscreen.workers.ray_cluster.find_spec", lambda name: None)
    for more, said in (
        (["--ray", "auto"], "--ray: ray is not installed; install the optional packages with pip install"),
        (["--processes", 0], "--processes 0: must be 1 or more"),
        (["--ray-cpus", 1], "--ray-cpus and --ray-gpus need --ray"),
    ):
        ended = run(*words, "--out", tmp_path / "out", *more)
        assert ended.status == 2
        (sentence,) = ended.err.splitlines()
        assert sentence.startswith(said)
    assert not (tmp_path / "out").exists()

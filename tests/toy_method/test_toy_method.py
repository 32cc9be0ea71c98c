"""A third modality is one package and one line: it screens, trains, is evaluated and served.

Every command runs as a process of its own, in which ``site/sitecustomize.py`` registers the method.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from tests.server.conftest import RunningServer, copied_models, serving

from pneumoscreen.case import Case
from pneumoscreen.errors import CaseError
from pneumoscreen.methods import METHODS
from pneumoscreen.models.store import ModelStore
from pneumoscreen.studies.layout import FINAL_LABELS

REPOSITORY = Path(__file__).parents[2]
PATH = os.pathsep.join(map(str, (Path(__file__).parent / "site", REPOSITORY, REPOSITORY / "lib")))
NETWORK = "lamp_threshold"


def run(*words: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "pneumoscreen", *map(str, words)],
        env={**os.environ, "PYTHONPATH": PATH},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def command(*words: object) -> "subprocess.CompletedProcess[str]":
    done = run(*words)
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hundred lamps, half of them on."""
    folder = tmp_path_factory.mktemp("lamps")
    done = command("phantom", "--modality", "lamp", "--out", folder, "--cases", 100)
    assert len(done.stdout.splitlines()) == 100
    return folder


@pytest.fixture(scope="module")
def models(studies: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a threshold that was learnt."""
    folder = tmp_path_factory.mktemp("training")
    (folder / "lamp.yaml").write_text("seed: 1\n")
    where = ("--studies", studies, "--config", folder / "lamp.yaml", "--out", folder / "run")
    done = command("train", NETWORK, *where, "--model-dir", folder / "models", "--device", "cpu")
    assert done.stdout.startswith(f"{NETWORK} version 1 published")
    return folder / "models"


@pytest.fixture(scope="module")
def server(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    studies = tmp_path_factory.mktemp("clinic")
    command("phantom", "--modality", "lamp", "--out", studies, "--cases", 20)
    own = copied_models(models, tmp_path_factory.mktemp("served"))
    with serving(studies, own, tmp_path_factory, PYTHONPATH=PATH, OMP_NUM_THREADS="1") as running:
        yield running


def test_it_learns_a_threshold_between_dark_and_bright(models: Path) -> None:
    weights = ModelStore(models).load(NETWORK)
    assert 0.4 < float(weights.state["threshold"]) < 0.6
    assert weights.card["figures"] == {"accuracy": 1.0}


def test_it_screens_beside_its_report(studies: Path, models: Path, tmp_path: Path) -> None:
    pictures = sorted(studies.glob("*.lamp.png"))[:2]
    done = command("screen", *pictures, "--out", tmp_path, "--index", "--model-dir", models)
    (first, dark), (second, bright) = (line.split()[:2] for line in done.stdout.splitlines())
    assert (first.startswith("lamp-0001.lamp-"), dark, bright) == (True, "off", "on")
    document = json.loads((tmp_path / f"{second}.json").read_text(encoding="utf-8"))
    assert (document["modality"], document["verdict"]["label"]) == ("LAMP", "on")
    assert set(document["models"]) == {NETWORK}
    assert not {"regions", "lungs", "cxr"} & set(document)
    assert f"{second}: on" in (tmp_path / f"{second}.html").read_text(encoding="utf-8")
    assert "Lamp screening" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_it_is_evaluated(studies: Path, models: Path, tmp_path: Path) -> None:
    where = ("--studies", studies, "--model-dir", models, "--device", "cpu")
    done = command("evaluate", "--modality", "lamp", "--side", "all", "--out", tmp_path, *where)
    assert done.stdout == "100 of 100 lamps named rightly\n"
    assert json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8")) == {"right": 100, "cases": 100}


def test_a_folder_without_it_says_what_is_missing(models: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    where = ("--studies", tmp_path / "empty", "--model-dir", models, "--device", "cpu")
    done = run("evaluate", "--modality", "lamp", "--out", tmp_path / "out", *where)
    assert done.returncode == 2
    assert "holds no labelled lamp" in done.stderr
    assert "pneumoscreen phantom --modality lamp" in done.stderr


def test_its_readers_loop_is_rehearsed(tmp_path: Path) -> None:
    sizes = {"pool": 20, "test": 6, "start": 3, "rounds": 2, "per-round": 3, "seeds": 2}
    options = [word for name, value in sizes.items() for word in (f"--{name}", value)]
    done = command("simulate", "--modality", "lamp", "--out", tmp_path, "--json", "--device", "cpu", *options)
    curves = json.loads(done.stdout)
    accuracy = curves["strategies"]["combined"]["accuracy"]["mean"]
    assert curves["labels"] == [3, 6, 9] and accuracy[-1]["estimate"] == 1.0
    assert "pictures of 24 x 32 pixels" in (tmp_path / "simulation.html").read_text(encoding="utf-8")


def test_it_is_demonstrated(models: Path, tmp_path: Path) -> None:
    # The other methods show nothing here: this store has none of their networks.
    program = """
import sys
from pneumoscreen import cli
from pneumoscreen.methods import METHODS
for method in METHODS[:2]:
    type(method).demonstration = ()
sys.exit(cli.main(["demo", "--out", sys.argv[1]]))
"""
    environment = {**os.environ, "PYTHONPATH": PATH, "PNEUMOSCREEN_MODELS": str(models)}
    words = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(words, env=environment, capture_output=True, encoding="utf-8", timeout=280, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads((tmp_path / "lamp-0007.lamp.json").read_text(encoding="utf-8"))
    assert (document["verdict"]["label"], document.get("diagnosis")) == ("on", None), "the truth is not told"


class TestServed:
    def test_its_task_and_training_are_offered(self, server: RunningServer) -> None:
        info = server.client.get("/info/").json()
        assert info["models"]["lamp_screening"]["versions"] == {NETWORK: 1}
        assert NETWORK in info["trainers"]
        assert {"ct_screening", "cxr_screening"} < set(info["models"])

    def test_a_picture_is_screened(self, server: RunningServer) -> None:
        document = server.client.infer("lamp_screening", "lamp-0002.lamp").document
        assert (document["modality"], document["verdict"]["label"]) == ("LAMP", "on")
        assert "lamp-0002.lamp: on" in server.client.get("/pneumoscreen/report/lamp-0002.lamp").text

    def test_what_else_it_answers_is_a_task_too(self, server: RunningServer) -> None:
        document = server.client.infer(NETWORK, "lamp-0002.lamp").document
        assert (document["modality"], document.get("verdict")) == ("LAMP", None)
        (note,) = document["notes"]
        assert 0.6 < float(note.removeprefix("brightness ")) < 0.8

    def test_its_label_maps_are_refused_in_a_sentence(self, server: RunningServer, tmp_path: Path) -> None:
        (tmp_path / "map.nrrd").write_bytes(b"whatever")
        with (tmp_path / "map.nrrd").open("rb") as file:
            place = f"{server.client.address}/datastore/label"
            done = requests.put(place, params={"image": "lamp-0002.lamp"}, files={"label": file}, timeout=60)
        assert done.status_code == 422, done.text
        assert "a label map says nothing of lamps; submit a case document instead" in done.text

    def test_scores_order_the_worklist(self, server: RunningServer) -> None:
        requests.post(f"{server.client.address}/scoring/uncertainty", timeout=60).raise_for_status()
        while any(row["score"] != "fresh" for row in server.client.worklist()):
            time.sleep(1)
        assert len(server.client.worklist()) == 20

    def test_it_is_trained_over_http(self, server: RunningServer) -> None:
        address = f"{server.client.address}/train/{NETWORK}"
        done = requests.post(address, json={"device": "cpu", "max_epochs": 2}, params={"run_sync": True}, timeout=280)
        assert (done.status_code, done.json()["status"]) == (200, "DONE"), done.text
        # Twenty lamps are too few for the gate: the network is kept, beside the one in use.
        (kept,) = ModelStore(server.models).candidates(NETWORK)
        assert "fewer than 10 validation patients" in str(kept.reason)


def test_without_the_line_the_package_knows_nothing_of_it(studies: Path) -> None:
    assert [method.name for method in METHODS] == ["ct", "cxr"]
    with pytest.raises(CaseError, match="field modality must be one of CT, CXR"):
        Case.from_json(next((studies / FINAL_LABELS).iterdir()).read_text(encoding="utf-8"))

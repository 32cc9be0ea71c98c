"""Trainings over REST: a real server, a real training process, narrow networks and labelled phantoms.

The phantoms are chosen so that some patients validate and one is a test patient, whom no training may touch.
"""

import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
import torch
from monailabel.tasks.train.basic_train import main_worker

from pneumoscreen.ct.candidates.finding import CandidateModel, CandidateSettings
from pneumoscreen.ct.candidates.network import CandidateNetworkSettings
from pneumoscreen.ct.phantoms.phantom import PhantomSpec, generate_phantom
from pneumoscreen.ct.phantoms.studies import write_phantom
from pneumoscreen.methods import networks
from pneumoscreen.models.store import ModelStore
from pneumoscreen.server.work.train_tasks import train_tasks
from pneumoscreen.studies.folder_split import SPLIT_FILE
from pneumoscreen.studies.layout import FINAL_LABELS, LESION_MASKS, LUNG_MASKS
from pneumoscreen.studies.split import Side, side_of

from ..conftest import RunningServer, copied_models, free_port, serving

SPEC = PhantomSpec(matrix=64, slices=20)
LIMIT_S = 280.0
LONG = {"max_epochs": 100_000, "train_batch_size": 16}
SHORT = {"max_epochs": 3, "train_batch_size": 16}
FIRST_MESSAGE_S = 60.0
CANCEL_S = 20.0


def _seeds(side: Side, count: int) -> list[int]:
    return [seed for seed in range(1, 400) if side_of(f"phantom-{seed:06d}") is side][:count]


TEST_CASE = f"phantom-{_seeds(Side.TEST, 1)[0]:06d}"


@pytest.fixture(scope="session")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labelled phantoms; not to be changed."""
    folder = tmp_path_factory.mktemp("labelled")
    for name in (FINAL_LABELS, LESION_MASKS, LUNG_MASKS):
        (folder / name).mkdir(parents=True)
    for seed in (*_seeds(Side.TRAINING, 4), *_seeds(Side.VALIDATION, 2), *_seeds(Side.TEST, 1)):
        write_phantom(folder, generate_phantom(seed, ("covid19", "influenza_a")[seed % 2], SPEC))
    return folder


@pytest.fixture(scope="session")
def models(model_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The narrow networks of the other tests, with a candidate network that also trains fast."""
    root = copied_models(model_root, tmp_path_factory.mktemp("trained"))
    narrow = CandidateNetworkSettings(
        channels=(8, 8),
        encoder_blocks=(1, 1),
        decoder_blocks=(1,),
        batch_norm_stages=1,
        proposal_stages=(1,),
        proposal_channels=8,
        anchor_scales=(1.0,),
    )
    model = CandidateModel.untrained(CandidateSettings(network=narrow))
    card = {"data": "none", "seed": 0, "command": "pytest", "figures": {}, "licence": "Apache-2.0"}
    ModelStore(root).publish("ct_candidates", model.state(), {**card, "network": model.card_network()})
    return root


Start = Callable[[], RunningServer]


@pytest.fixture
def place(labelled: Path, models: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A studies folder and a model store of a test's own."""
    return shutil.copytree(labelled, tmp_path / "studies"), copied_models(models, tmp_path / "models")


@pytest.fixture
def clinic(place: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with serving(*place, tmp_path_factory, OMP_NUM_THREADS="1") as server:
        yield server


def _post(server: RunningServer, path: str, **body: Any) -> requests.Response:
    return requests.post(f"{server.client.address}/train/{path}", json=body, timeout=60)


def _started(server: RunningServer, model: str, **body: Any) -> dict[str, Any]:
    answer = _post(server, model, **body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def _status(server: RunningServer) -> dict[str, Any]:
    return dict(server.client.get("/train/").json())


def _until(server: RunningServer, holds: Callable[[dict[str, Any]], bool], limit_s: float = LIMIT_S) -> dict[str, Any]:
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        status = _status(server)
        if holds(status):
            return status
        time.sleep(0.2)
    raise AssertionError(
        f"not within {limit_s:.0f} s: {json.dumps(status, indent=1)}\n{server.log.read_text(encoding='utf-8')[-3000:]}"
    )


def _ended(status: dict[str, Any]) -> bool:
    return status["status"] not in ("SUBMITTED", "RUNNING")


def _has_checkpoint(server: RunningServer, model: str) -> bool:
    return any((server.studies / ".pneumoscreen" / "training" / model / "checkpoints").glob("checkpoint-*"))


def _training_processes(server: RunningServer) -> list[psutil.Process]:
    found = psutil.Process(server.process.pid).children(recursive=True)
    return [process for process in found if "pneumoscreen.server.work.training_process" in process.cmdline()]


def test_a_training_tells_its_progress_and_its_publication(clinic: RunningServer) -> None:
    info = clinic.client.get("/info/").json()
    assert set(info["trainers"]) == set(networks())
    assert info["trainers"]["ct_classifier"]["config"]["max_epochs"] == 6
    nothing = requests.get(f"{clinic.client.address}/train/", timeout=30)
    assert (nothing.status_code, nothing.json()["detail"]) == (404, "nothing has been trained here yet")

    began = time.monotonic()
    started = _started(clinic, "ct_classifier", **SHORT, heads="m1,m2", name="round-1")
    assert started["status"] in ("SUBMITTED", "RUNNING") and started["reader"] == "local"
    assert time.monotonic() - began < 20.0, "starting returns at once"
    first = _until(clinic, lambda status: bool(status["progress"]["message"]), FIRST_MESSAGE_S)
    assert first["id"] == started["id"] and time.monotonic() - began < FIRST_MESSAGE_S
    ended = _until(clinic, _ended)
    progress = ended["progress"]
    assert ended["status"] == "DONE", ended
    assert {"start_ts", "end_ts", "request", "details"} <= set(ended)
    assert progress["state"] == "done"
    assert progress["epoch"] == progress["epochs"] == 3
    assert progress["loss"] > 0 and set(progress["losses"]) == {"m1", "m2"}
    assert sorted(progress["metrics"]) == ["1", "2", "3"]
    assert progress["metric_name"] == "m2 f1" and progress["metric"] == progress["metrics"]["3"]
    publication = progress["publication"]
    assert publication["task"] == "ct_classifier" and publication["compared_with"] == 1
    assert publication["sentence"] == progress["message"]

    assert publication["reason"].startswith("fewer than 10 validation patients"), publication
    assert json.loads((clinic.studies / SPLIT_FILE).read_text(encoding="utf-8"))["test"] == 0.15
    card = ModelStore(clinic.models).load_candidate("ct_classifier", publication["candidate_id"]).card
    assert card["split"] == {"validation": 0.15, "test": 0.15}
    assert "began with version 1" in card["data"] and "1 test cases untouched" in card["data"]
    assert card["network"]["widths"] == [8, 16, 16, 32] and card["network"]["dropout"] == 0.2
    note = card["figures"]["calibration_on_validation"]["note"]
    assert note.startswith("no temperature was fitted: ") and note in progress["notes"]
    assert card["network"]["temperatures"] == {}
    folder = clinic.studies / ".pneumoscreen" / "training" / "ct_classifier"
    assert list((folder / "round-1").glob("events_*/events.out.tfevents.*"))
    assert not [path for path in folder.rglob("*") if TEST_CASE in path.name]
    assert TEST_CASE not in (folder / "plan.json").read_text(encoding="utf-8")
    told = json.dumps(ended)
    assert str(clinic.models) not in told and str(clinic.studies) not in told
    assert clinic.client.get("/info/").json()["train_stats"]["ct_classifier"]["epoch"] == 3


def test_candidates_are_trained_and_inference_answers_meanwhile(clinic: RunningServer) -> None:
    _started(clinic, "ct_candidates", max_epochs=2, train_batch_size=1, tracking="mlflow")
    _until(clinic, lambda status: _ended(status) or status["progress"]["step"] > 0)
    answer = clinic.client.infer("ct_screening", TEST_CASE, output="json")
    assert answer.document["case_id"] == TEST_CASE
    ended = _until(clinic, _ended)
    assert ended["status"] == "DONE", ended
    assert set(ended["progress"]["losses"]) == {"objectness", "boxes", "dice", "voxels", "missed"}
    assert ended["progress"]["publication"]["compared_with"] == 2
    logs = clinic.studies / ".pneumoscreen" / "training" / "ct_candidates" / "train_01"
    assert list(logs.glob("events_*/events.out.tfevents.*")) and (logs / "mlflow.db").is_file()


def test_one_runs_others_wait_or_are_refused_and_cancelling_ends_all(clinic: RunningServer) -> None:
    nothing = requests.delete(f"{clinic.client.address}/train/", timeout=30)
    assert (nothing.status_code, nothing.json()["detail"]) == (404, "no training is running; nothing was cancelled")
    _started(clinic, "ct_classifier", **LONG)
    stepping = _until(clinic, lambda status: status["progress"]["time_left_s"] is not None)["progress"]
    assert stepping["step"] >= 1 and stepping["epochs"] == LONG["max_epochs"] and stepping["time_left_s"] > 0
    second = _post(clinic, "ct_candidates", max_epochs=1)
    assert second.status_code == 429 and "a training of ct_classifier is running" in second.json()["detail"]
    queued = requests.post(
        f"{clinic.client.address}/train/ct_candidates", params={"enqueue": True}, json={"max_epochs": 1}, timeout=30
    ).json()
    assert queued["status"] == "SUBMITTED" and queued["progress"]["message"] == "waits for 1 training before it"
    running = clinic.client.get("/train/?check_if_running=true").json()
    assert running["model"] == "ct_classifier"
    _until(clinic, lambda status: _has_checkpoint(clinic, "ct_classifier"))
    processes = _training_processes(clinic)
    assert processes and all(process.nice() >= 10 for process in processes)

    began = time.monotonic()
    answer = requests.delete(f"{clinic.client.address}/train/", timeout=30)
    assert answer.status_code == 200
    assert "ct_classifier and 1 that waited was cancelled; its checkpoints stay" in answer.json()["detail"]
    assert time.monotonic() - began < CANCEL_S
    assert not psutil.wait_procs(processes, CANCEL_S)[1], "the process group is gone"
    for task in clinic.client.get("/train/?all=true").json():
        assert (task["status"], task["progress"]["state"]) == ("STOPPED", "cancelled")
    assert _has_checkpoint(clinic, "ct_classifier")
    audit = "".join(path.read_text(encoding="utf-8") for path in (clinic.studies / "audit").glob("*.jsonl"))
    assert audit.count('"action": "train"') == 2 and audit.count('"action": "cancel-training"') == 2


@pytest.mark.parametrize(
    ("model", "body", "status", "named"),
    [
        ("ct_classifier", {"max_epochs": -1}, 422, "parameter max_epochs: "),
        ("ct_classifier", {"max_epochs": "six"}, 422, "parameter max_epochs: "),
        ("ct_classifier", {"device": "abacus"}, 422, "parameter device: "),
        ("ct_candidates", {"device": "cuda:77"}, 422, "parameter device: "),
        ("ct_classifier", {"train_batch_size": 0}, 422, "parameter train_batch_size: "),
        ("ct_classifier", {"gpus": "0;rm"}, 422, "parameter gpus: "),
        ("ct_classifier", {"name": "../../outside"}, 422, "parameter name: "),
        ("ct_classifier", {"tracking_uri": "file:///etc"}, 422, "parameter tracking_uri: "),
        ("ct_classifier", {"heads": "m3"}, 422, "parameter heads: "),
        ("ct_candidates", {"heads": "m1"}, 422, "parameter heads: "),
        ("ct_classifier", {"learning_rate": float("inf")}, 422, ""),
        ("ct_classifier", {"max_epoch": 3}, 422, "parameter max_epoch: "),
        ("cxr_lungs", {}, 404, "there is no train task 'cxr_lungs'"),
    ],
)
def test_a_wrong_request_is_refused_with_the_fields_name(
    server: RunningServer, model: str, body: dict[str, Any], status: int, named: str
) -> None:
    before = requests.get(f"{server.client.address}/train/?all=true", timeout=30).json()
    text = json.dumps(body)
    headers = {"Content-Type": "application/json"}
    answer = requests.post(f"{server.client.address}/train/{model}", data=text, headers=headers, timeout=30)
    assert answer.status_code == status, answer.text
    assert named in answer.json()["detail"]
    assert requests.get(f"{server.client.address}/train/?all=true", timeout=30).json() == before


@pytest.mark.slow
def test_all_networks_are_trained_in_turn_and_a_failure_is_a_sentence(server: RunningServer) -> None:
    address = f"{server.client.address}/train/?run_sync=true"
    answer = requests.post(address, json={"ct_classifier": {"max_epochs": 1}}, timeout=600)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == set(networks())
    for model, entry in answer.json().items():
        task = entry["result"]
        assert (task["model"], task["status"], task["progress"]["state"]) == (model, "ERROR", "failed")
        # Other tests on this server may have left a label, but none leaves enough to train on.
        assert any(
            text in task["progress"]["message"]
            for text in ("holds no labelled scan", "holds no labelled X-ray", "none of the 1 patients")
        )
        assert task["details"][-1] == task["progress"]["message"]
        assert str(server.studies) not in json.dumps(task)


@pytest.mark.slow  # a minute; the command line's own test of the same stays among the quick ones
def test_a_killed_training_is_resumed_and_ends_with_the_same_metric(clinic: RunningServer) -> None:
    body = {"max_epochs": 8, "train_batch_size": 16}
    whole = _finished_metrics(clinic, body)
    shutil.rmtree(clinic.studies / ".pneumoscreen" / "training" / "ct_classifier" / "checkpoints")
    before = ModelStore(clinic.models)
    while before.current("ct_classifier") != 1:
        before.rollback("ct_classifier", 1)

    _started(clinic, "ct_classifier", **body)
    _until(clinic, lambda status: len(status["progress"]["metrics"]) in range(2, 7))
    (process,) = _training_processes(clinic)[:1]
    process.kill()
    ended = _until(clinic, _ended)
    assert (
        ended["status"] == "ERROR" and "ended by signal 9; the same request resumes it" in ended["progress"]["message"]
    )
    other = _post(clinic, "ct_classifier", **{**body, "max_epochs": 0})
    assert other.status_code == 422

    _started(clinic, "ct_classifier", **body)
    resumed = _until(clinic, _ended)
    assert resumed["status"] == "DONE", resumed
    assert any(note.startswith("resumed: labels and models as they were") for note in resumed["progress"]["notes"])
    assert resumed["progress"]["metrics"] == whole


def _finished_metrics(server: RunningServer, body: dict[str, Any]) -> dict[str, float]:
    _started(server, "ct_classifier", **body)
    ended = _until(server, _ended)
    assert ended["status"] == "DONE", ended
    return dict(ended["progress"]["metrics"])


@pytest.mark.slow
def test_a_training_ends_with_its_server_and_goes_on_with_the_next(
    place: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    with serving(*place, tmp_path_factory, OMP_NUM_THREADS="1") as server:
        _started(server, "ct_classifier", max_epochs=6, train_batch_size=16)
        _until(server, lambda status: bool(status["progress"]["metrics"]))
        processes = _training_processes(server)
        assert processes
        os.kill(server.process.pid, signal.SIGKILL)
        assert not psutil.wait_procs(processes, 10)[1], "no training without a server"
    with serving(*place, tmp_path_factory, OMP_NUM_THREADS="1") as server:
        last = _status(server)
        assert (last["status"], last["model"]) == ("STOPPED", "ct_classifier")
        assert "interrupted with its server" in last["progress"]["message"]
        done = last["progress"]["metrics"]
        _started(server, "ct_classifier", max_epochs=6, train_batch_size=16)
        ended = _until(server, _ended)
        assert ended["status"] == "DONE", ended
        assert {epoch: ended["progress"]["metrics"][epoch] for epoch in done} == done
        assert len(ended["progress"]["metrics"]) == 6
    with serving(*place, tmp_path_factory, OMP_NUM_THREADS="1") as server:
        assert _status(server)["progress"] == ended["progress"], "the last training is told of after a restart"


@pytest.mark.slow
def test_several_processes_train_one_model_as_monai_label_spawns_them(
    place: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a machine with two GPUs does, on the CPU: MONAI Label's own worker in two processes."""
    studies, models = place
    task = train_tasks(studies, ModelStore(models))["ct_classifier"]
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", str(free_port()))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    request = {"max_epochs": 2, "train_batch_size": 16, "device": "cpu", "multi_gpu": True, "run_id": "1"}
    torch.multiprocessing.spawn(main_worker, nprocs=2, args=(2, request, [], task))
    stats = task.stats()
    assert stats["epoch"] == 2 and stats["publication"]["compared_with"] == 1
    folder = studies / ".pneumoscreen" / "training" / "ct_classifier" / "train_01"
    assert len(list(folder.glob("events_1/*"))) == 1, "one process writes"

"""Models in a running server: what is listed, published, rolled back and passed over, without a restart."""

import hashlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import SimpleITK as sitk

from pneumoscreen.cli import main
from pneumoscreen.images.volume import Volume
from pneumoscreen.models.store import CARD_FILE, WEIGHTS_FILE, ModelStore
from pneumoscreen.studies.audit import AuditLog

from ...conftest import RunningServer, copied_models, serving

NAME = "ct_classifier"
IN_TIME_S = 5.0


@pytest.fixture(scope="module")
def clinic(phantom: Volume, model_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server of its own: these tests change its models."""
    studies = tmp_path_factory.mktemp("clinic")
    sitk.WriteImage(phantom.to_sitk(phantom.hu), studies / "one.nii.gz")
    with serving(studies, copied_models(model_root, tmp_path_factory.mktemp("models")), tmp_path_factory) as server:
        yield server


@pytest.fixture(scope="module")
def regions(clinic: RunningServer) -> list[dict[str, Any]]:
    found = clinic.client.infer("ct_candidates", "one", output="json").document["regions"][:2]
    return [{"center_mm": region["center_mm"], "size_mm": region["size_mm"]} for region in found]


@pytest.fixture
def store(clinic: RunningServer, model_root: Path) -> ModelStore:
    """The server's store, as new: one version."""
    shutil.rmtree(clinic.models / NAME)
    shutil.copytree(model_root / NAME, clinic.models / NAME)
    return ModelStore(clinic.models)


def altered(store: ModelStore) -> dict[str, Any]:
    """State and card of a network that judges otherwise."""
    weights = store.load(NAME, 1)
    bias = "heads.m2.classify.4.bias"
    return {
        "state": {**weights.state, bias: weights.state[bias] + 3.0 * (weights.state[bias] >= 0)},
        "card": weights.card,
    }


def screen(clinic: RunningServer, regions: list[dict[str, Any]]) -> dict[str, Any]:
    return clinic.client.infer(NAME, "one", {"regions": regions}).document


def version_of(document: dict[str, Any]) -> int:
    return int(document["models"][NAME]["version"])


def probabilities(document: dict[str, Any]) -> list[dict[str, float]]:
    return [patch["probabilities"] for region in document["regions"] for patch in region["patches"]]


def post(clinic: RunningServer, path: str, body: Any = None) -> requests.Response:
    return requests.post(f"{clinic.client.address}/pneumoscreen/models/{path}", json=body, timeout=60)


def listed(clinic: RunningServer) -> dict[str, Any]:
    answer = clinic.client.get("/pneumoscreen/models").json()
    return {**answer, "classifier": next(model for model in answer["models"] if model["name"] == NAME)}


def test_a_rollback_is_in_the_next_document_in_time(
    clinic: RunningServer, store: ModelStore, regions: list[dict[str, Any]]
) -> None:
    first = screen(clinic, regions)
    assert version_of(first) == 1
    store.publish(NAME, **altered(store))
    second = screen(clinic, regions)
    assert version_of(second) == 2
    assert probabilities(second) != probabilities(first)
    start = time.monotonic()
    answer = post(clinic, f"{NAME}/rollback", {})
    third = screen(clinic, regions)
    took = time.monotonic() - start
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"model": NAME, "version": 1, "before": 2}
    assert version_of(third) == 1
    assert probabilities(third) == probabilities(first)
    assert took < IN_TIME_S
    info = clinic.client.get("/info/").json()
    assert info["models"][NAME]["versions"][NAME] == 1
    assert post(clinic, f"{NAME}/rollback", {"to": 2}).json()["version"] == 2
    assert version_of(screen(clinic, regions)) == 2
    *_, back, forth = AuditLog(clinic.studies).entries()
    assert (back["speaker"], back["action"], back["model"], back["version"], back["before"]) == (
        "local",
        "rollback",
        NAME,
        1,
        2,
    )
    assert forth["version"] == 2


def test_the_command_line_reaches_a_running_server(
    clinic: RunningServer, store: ModelStore, regions: list[dict[str, Any]]
) -> None:
    store.publish(NAME, **altered(store))
    assert version_of(screen(clinic, regions)) == 2
    assert main(["models", "rollback", NAME, "--model-dir", str(clinic.models)]) == 0
    assert version_of(screen(clinic, regions)) == 1


def test_a_corrupt_file_falls_back_with_a_note_and_recovers(
    clinic: RunningServer, store: ModelStore, regions: list[dict[str, Any]]
) -> None:
    store.publish(NAME, **altered(store))
    file = store.folder(NAME, 2) / WEIGHTS_FILE
    whole = file.read_bytes()
    file.write_bytes(whole[:-100])
    document = screen(clinic, regions)
    assert version_of(document) == 1
    (note,) = [note for note in document["notes"] if NAME in note]
    assert "ct_classifier version 2 was passed over" in note
    models = listed(clinic)
    assert note in models["notes"]
    assert models["loaded"][NAME]["version"] == 1
    newest, oldest = models["classifier"]["versions"]
    assert (newest["version"], newest["current"], oldest["damage"]) == (2, True, None)
    assert "SHA-256" in newest["damage"]
    assert clinic.client.get("/info/").json()["models"][NAME]["versions"][NAME] == 1
    file.write_bytes(whole)
    document = screen(clinic, regions)
    assert (version_of(document), [note for note in document["notes"] if NAME in note]) == (2, [])
    assert listed(clinic)["notes"] == []


@pytest.mark.parametrize("file", [WEIGHTS_FILE, CARD_FILE])
def test_weights_that_are_damaged_are_not_handed_out(clinic: RunningServer, store: ModelStore, file: str) -> None:
    def download(path: str = "") -> requests.Response:
        return requests.get(f"{clinic.client.address}/model/{path}{NAME}", timeout=60)

    first = (store.folder(NAME, 1) / WEIGHTS_FILE).read_bytes()
    store.publish(NAME, **altered(store))
    second = (store.folder(NAME, 2) / WEIGHTS_FILE).read_bytes()
    assert download().content == second != first
    damaged = store.folder(NAME, 2) / file
    damaged.write_bytes(damaged.read_bytes()[:-100])
    assert download().content == first, "the version that an inference takes"
    assert download("info/").json()["checksum"].endswith(hashlib.sha256(first).hexdigest())
    damaged = store.folder(NAME, 1) / file
    damaged.write_bytes(damaged.read_bytes()[:-100])
    for path in ("", "info/"):
        answer = download(path)
        assert answer.status_code == 503, answer.text[:200]
        assert f"no usable weights of {NAME}" in answer.json()["detail"]
        assert str(clinic.models) not in answer.text


def test_a_kept_candidate_is_published_by_hand(
    clinic: RunningServer, store: ModelStore, regions: list[dict[str, Any]]
) -> None:
    candidate = store.stage(NAME, **altered(store))
    store.annotate(NAME, candidate, {"publication": {"published": False, "reason": "worse"}})
    (kept,) = listed(clinic)["classifier"]["candidates"]
    assert (kept["id"], kept["reason"], kept["damage"]) == (candidate, "worse", None)
    assert version_of(screen(clinic, regions)) == 1
    answer = post(clinic, f"{NAME}/publish", {"candidate": candidate})
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"model": NAME, "version": 2, "before": 1, "candidate": candidate}
    assert version_of(screen(clinic, regions)) == 2
    assert listed(clinic)["classifier"]["candidates"] == []
    assert store.card(NAME, 2)["publication"]["by_hand"] == "local"
    entry = list(AuditLog(clinic.studies).entries())[-1]
    assert (entry["action"], entry["candidate"], entry["version"]) == ("publish", candidate, 2)


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        (f"{NAME}/rollback", {}, 409, "version 1 is in use and no whole version came before it"),
        (f"{NAME}/rollback", None, 409, "version 1 is in use"),
        (f"{NAME}/rollback", {"to": 7}, 404, "has no version 7"),
        (f"{NAME}/rollback", {"to": 10**30}, 404, "has no version"),
        (f"{NAME}/rollback", {"to": 0}, 422, "to"),
        (f"{NAME}/rollback", {"to": "1"}, 422, "to"),
        (f"{NAME}/rollback", {"to": True}, 422, "to"),
        (f"{NAME}/rollback", {"version": 1}, 422, "version"),
        (f"{NAME}/rollback", [1], 422, ""),
        ("nothing/rollback", {}, 404, "nothing has no version"),
        ("Nothing%00/rollback", {}, 404, "not a model's name"),
        ("..%2f..%2fetc/rollback", {}, 404, ""),
        (f"{NAME}/publish", {"candidate": "20260101-000000-abcdef"}, 404, "has no candidate"),
        (f"{NAME}/publish", {"candidate": "../1"}, 404, "has no candidate"),
        (f"{NAME}/publish", {"candidate": ""}, 422, "candidate"),
        (f"{NAME}/publish", {}, 422, "candidate"),
        ("nothing/publish", {"candidate": "x"}, 404, "has no candidate"),
    ],
)
def test_a_mistake_is_one_sentence_and_changes_nothing(
    clinic: RunningServer, store: ModelStore, path: str, body: Any, status: int, said: str
) -> None:
    before = len(list(AuditLog(clinic.studies).entries()))
    answer = post(clinic, path, body)
    assert answer.status_code == status, answer.text
    assert said in answer.json()["detail"]
    assert (store.versions(NAME), store.current(NAME)) == ([1], 1)
    assert len(list(AuditLog(clinic.studies).entries())) == before
    assert {path.name for path in clinic.models.iterdir()} - {"audit"} == {"ct_candidates", NAME}

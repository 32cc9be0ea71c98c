"""The worklist and the leases over HTTP, against a real server over scans that nobody opens."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests

from pneumoscreen.active_learning.score_file import Finding, ScoreStore, StoredScore
from pneumoscreen.active_learning.scores import CaseScore
from pneumoscreen.case import Case, ImageInfo, ModelInfo
from pneumoscreen.models.store import ModelStore
from pneumoscreen.server import WORK_FOLDER
from pneumoscreen.server.app import PneumoScreenApp
from pneumoscreen.server.inference.engine import scan_state
from pneumoscreen.server.serve import DEFAULT_APP
from pneumoscreen.server.store.screenings import report_file

from ..conftest import RunningServer, serving

CASES = [f"case-{number:02d}" for number in range(40)]
LARGE = 5000


def models_of(root: Path) -> dict[str, ModelInfo]:
    store = ModelStore(root)
    return {name: store.load(name).info for name in ("ct_candidates", "ct_classifier")}


def score(case_id: str, number: int, models: dict[str, ModelInfo], scan: str = "s") -> StoredScore:
    embedding = np.random.default_rng(number).random(256)
    made = CaseScore(case_id, number % 97 / 100, 0.1, (embedding / np.linalg.norm(embedding)).astype(np.float32))
    label, sure = (("covid19", 0.9), ("influenza_a", 0.6), ("no_infection_found", 0.0))[number % 3]
    told = (number % 2 == 0, 0.25) if number % 3 else (None, None)
    return StoredScore(case_id, made, models, scan, Finding("CT", label, sure, number % 20, *told))


def document(case_id: str, diagnosis: str | None = None) -> dict[str, Any]:
    return Case(case_id, "CT", ImageInfo((4, 4, 4), (1.0, 1.0, 1.0), "00"), diagnosis).with_verdict().to_dict()


@pytest.fixture(scope="module")
def clinic(model_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Forty cases: 0 to 2 without a score, 3 failed, 4 of older models, the others fresh."""
    studies = tmp_path_factory.mktemp("clinic")
    models, store = models_of(model_root), ScoreStore(studies / WORK_FOLDER / "scores")
    scans = []
    for number, case_id in enumerate(CASES):
        (studies / f"{case_id}.nii.gz").write_bytes(b"not opened")
        scans.append(scan_state(studies / f"{case_id}.nii.gz"))
        if number >= 4:
            store.put(score(case_id, number, models, scans[number]))
            report = report_file(studies / WORK_FOLDER, case_id)
            report.parent.mkdir(parents=True, exist_ok=True)
            report.write_text("<html>")
    store.put(StoredScore(CASES[3], None, models, scans[3], error="the scan shows no lungs"))
    store.put(score(CASES[4], 4, {**models, "ct_classifier": ModelInfo(7, "old")}, scans[4]))
    with serving(studies, model_root, tmp_path_factory) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_leases(clinic: RunningServer) -> Iterator[None]:
    yield
    for lease in get(clinic, "/pneumoscreen/leases")["leases"]:
        answer = requests.delete(f"{clinic.client.address}/pneumoscreen/leases/{lease['case_id']}", timeout=60)
        assert answer.json() == {"case_id": lease["case_id"], "released": True}


def get(server: RunningServer, path: str, **query: Any) -> dict[str, Any]:
    answer = requests.get(server.client.address + path, params=query, timeout=60)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def ask(server: RunningServer, reader: str, strategy: str = "combined", **params: Any) -> dict[str, Any]:
    path = f"{server.client.address}/activelearning/{strategy}"
    answer = requests.post(path, json={"client_id": reader, **params}, timeout=60)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def lease(server: RunningServer, case: str, reader: str) -> requests.Response:
    return requests.post(f"{server.client.address}/pneumoscreen/leases/{case}", json={"client_id": reader}, timeout=60)


def test_thirty_two_clients_at_once_get_thirty_two_cases(clinic: RunningServer) -> None:
    readers = [f"reader-{number}" for number in range(32)]
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda reader: ask(clinic, reader), readers))
    assert len({answer["id"] for answer in answers}) == 32
    listed = {entry["case_id"]: entry["reader"] for entry in get(clinic, "/pneumoscreen/leases")["leases"]}
    assert listed == {answer["id"]: reader for answer, reader in zip(answers, readers, strict=True)}
    assert get(clinic, "/pneumoscreen/cases")["counts"]["in_progress"] == 32


def test_a_listing_tells_state_verdict_and_score(clinic: RunningServer) -> None:
    lease(clinic, CASES[6], "anna")
    found = get(clinic, "/pneumoscreen/cases", limit=10)
    assert (found["total"], len(found["cases"])) == (40, 10)
    assert found["counts"] == {"new": 4, "screened": 35, "in_progress": 1, "done": 0}
    rows = {row["id"]: row for row in found["cases"]}
    assert [rows[CASES[n]]["score"] for n in (0, 3, 4, 5)] == ["missing", "failed", "stale", "fresh"]
    assert [rows[CASES[n]]["state"] for n in (0, 3, 5, 6)] == ["new", "new", "screened", "in_progress"]
    assert rows[CASES[3]]["error"] == "the scan shows no lungs"
    assert rows[CASES[6]]["lease"]["reader"] == "anna"
    told = [(rows[CASES[n]]["decided"], rows[CASES[n]]["infection"]) for n in (0, 4, 5, 6)]
    assert told == [(None, None), (True, 0.25), (False, 0.25), (None, None)]
    five = rows[CASES[5]]
    assert (five["verdict"], five["confidence"], five["modality"]) == ("no_infection_found", 0.0, "CT")
    assert (five["readers"], five["versions"], five["diagnosis"]) == ([], 0, None)
    assert five == get(clinic, f"/pneumoscreen/cases/{CASES[5]}")


@pytest.mark.parametrize("key", ["id", "state", "verdict", "uncertainty", "updated"])
def test_every_order_keeps_the_unknown_last(clinic: RunningServer, key: str) -> None:
    for descending in (False, True):
        rows = get(clinic, "/pneumoscreen/cases", sort=key, descending=descending)["cases"]
        assert {row["id"] for row in rows} == set(CASES)
        values = [row[key] for row in rows]
        known = [value for value in values if value is not None]
        assert values[: len(known)] == sorted(known, reverse=descending)


def test_pages_states_and_a_search(clinic: RunningServer) -> None:
    pages = [get(clinic, "/pneumoscreen/cases", limit=15, offset=offset)["cases"] for offset in (0, 15, 30, 45)]
    assert [row["id"] for page in pages for row in page] == CASES
    assert [row["id"] for row in get(clinic, "/pneumoscreen/cases", state="new")["cases"]] == CASES[:4]
    found = get(clinic, "/pneumoscreen/cases", search="CASE-1", state="screened", limit=0)
    assert (found["total"], found["cases"]) == (10, [])


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/pneumoscreen/cases?state=lost", 422),
        ("/pneumoscreen/cases?sort=name", 422),
        ("/pneumoscreen/cases?limit=-1", 422),
        ("/pneumoscreen/cases?offset=x", 422),
        ("/pneumoscreen/cases/nothing", 404),
        ("/pneumoscreen/cases/..%2f..%2fetc%2fpasswd", 404),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(clinic: RunningServer, path: str, status: int) -> None:
    answer = requests.get(clinic.client.address + path, timeout=60)
    assert answer.status_code == status
    assert isinstance(answer.json()["detail"], str)


def test_a_lease_is_taken_renewed_refused_and_given_back(clinic: RunningServer) -> None:
    case = CASES[20]
    first = lease(clinic, case, "anna").json()
    again = lease(clinic, case, "anna").json()
    assert (again["taken"], again["reader"]) == (first["taken"], "anna")
    assert again["expires"] > first["expires"]
    refused = lease(clinic, case, "ben")
    assert refused.status_code == 409
    assert f"case {case} is with anna until" in refused.json()["detail"]
    assert lease(clinic, "nothing", "ben").status_code == 404
    path = f"{clinic.client.address}/pneumoscreen/leases/{case}"
    assert requests.delete(path, params={"client_id": "anna"}, timeout=60).json()["released"] is True
    assert requests.delete(path, params={"client_id": "anna"}, timeout=60).status_code == 404
    assert lease(clinic, case, "ben").json()["reader"] == "ben"


def test_a_submission_ends_the_lease_and_the_case_is_done(clinic: RunningServer) -> None:
    case = ask(clinic, "anna", "first")["id"]
    path = f"{clinic.client.address}/pneumoscreen/annotations/{case}"
    for reader in ("anna", "ben"):
        stored = requests.put(path, json=document(case, "covid19"), params={"reader": reader}, timeout=60)
        assert stored.status_code == 200, stored.text
    assert get(clinic, "/pneumoscreen/leases")["leases"] == []
    row = get(clinic, f"/pneumoscreen/cases/{case}")
    assert (row["state"], row["versions"], row["diagnosis"]) == ("done", 2, "covid19")
    assert row["readers"] == ["anna", "ben"]
    assert ask(clinic, "anna", "first")["id"] > case
    assert ask(clinic, "carl", "first", include_done=True)["id"] == case
    assert get(clinic, f"/pneumoscreen/cases/{case}")["state"] == "in_progress"
    requests.delete(f"{clinic.client.address}/datastore/label?id={case}&tag=final", timeout=60)
    requests.delete(f"{clinic.client.address}/pneumoscreen/leases/{case}", timeout=60)
    row = get(clinic, f"/pneumoscreen/cases/{case}")
    assert (row["state"], row["finished"], row["versions"], row["readers"]) == ("new", False, 3, [])


def test_a_label_of_a_stock_client_ends_the_lease_too(clinic: RunningServer, tmp_path: Path) -> None:
    case = CASES[30]
    lease(clinic, case, "anna")
    file = tmp_path / f"{case}.json"
    file.write_text(Case.from_dict(document(case)).to_json())
    address = f"{clinic.client.address}/datastore/label?image={case}&tag=final"
    with file.open("rb") as content:
        assert requests.put(address, files={"label": (file.name, content)}, timeout=60).status_code == 200
    assert get(clinic, "/pneumoscreen/leases")["leases"] == []
    assert get(clinic, f"/pneumoscreen/cases/{case}")["state"] == "done"


def test_an_inference_renews_the_lease(clinic: RunningServer) -> None:
    case = CASES[25]
    path = clinic.studies / WORK_FOLDER / "leases.json"
    lease(clinic, case, "anna")
    before = path.read_bytes()
    answer = requests.post(f"{clinic.client.address}/infer/ct_classifier?image={case}&output=json", timeout=120)
    assert answer.status_code == 422, "no regions were sent, which says nothing of the image"
    held = get(clinic, "/pneumoscreen/leases")["leases"]
    assert [(entry["case_id"], entry["reader"]) for entry in held] == [(case, "anna")]
    assert path.read_bytes() == before, "a renewal is written when it is worth it"


def test_five_thousand_cases_take_less_than_a_second_of_processor_time(
    tmp_path: Path, model_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studies = tmp_path / "studies"
    (studies / WORK_FOLDER / "scores").mkdir(parents=True)
    models = models_of(model_root)
    names = [f"case-{number:04d}" for number in range(LARGE)]
    for number, name in enumerate(names):
        (studies / f"{name}.nii.gz").touch()
        content = json.dumps(score(name, number, models).to_dict())
        (studies / WORK_FOLDER / "scores" / f"{name}.json").write_text(content)
    monkeypatch.setenv("PNEUMOSCREEN_MODELS", str(model_root))
    monkeypatch.setenv("MONAI_LABEL_DATASTORE_AUTO_RELOAD", "false")
    app = PneumoScreenApp(str(DEFAULT_APP), str(studies), {})
    spent: dict[str, list[float]] = {"list": [], "choose": []}
    for number in range(4):
        start = time.process_time()
        rows = app.worklist.rows()
        spent["list"].append(time.process_time() - start)
        assert [row["id"] for row in rows] == names
        start = time.process_time()
        assert app.next_sample({"strategy": "combined", "client_id": f"reader-{number}"})["id"]
        spent["choose"].append(time.process_time() - start)
    assert min(spent["list"]) < 1.0
    assert min(spent["choose"]) < 1.0

"""Annotations over HTTP: versions, conflicts, label maps of stock clients, many clients at once, and nonsense."""

import io
import json
import random
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
import requests
import SimpleITK as sitk
from tests.case_documents import version_1

from pneumoscreen.case import Case
from pneumoscreen.images.volume import Volume
from pneumoscreen.server.store.screenings import last_screening, screened_at, shown_regions
from pneumoscreen.studies.annotations import AnnotationStore
from pneumoscreen.studies.audit import AuditLog, case_digest
from pneumoscreen.studies.layout import image_id
from pneumoscreen.verdict import DEFAULT_CLASSES

from ....studies.conftest import document
from ...conftest import RunningServer, serving, wait_for_image

CLIENTS = 32
FUZZED, QUICK_FUZZED = 1000, 200


@pytest.fixture(scope="module")
def clinic(phantom: Volume, model_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server over scans of its own, in a folder whose parent holds nothing else."""
    studies = tmp_path_factory.mktemp("clinic") / "studies"
    studies.mkdir()
    image = phantom.to_sitk(phantom.hu)
    for name in ("one", "two", "three", "four", "many", "fuzzed"):
        sitk.WriteImage(image, studies / f"{name}.nii.gz")
    sitk.WriteImage(sitk.DICOMOrient(image, "PIR"), studies / "turned.nrrd")
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((64, 64), np.uint8)), studies / "picture.png")
    with serving(studies, model_root, tmp_path_factory) as running:
        yield running


def put(server: RunningServer, case: str, body: Any, **query: Any) -> requests.Response:
    content = body if isinstance(body, (str, bytes)) else json.dumps(body.to_dict() if isinstance(body, Case) else body)
    return requests.put(
        f"{server.client.address}/pneumoscreen/annotations/{case}", data=content, params=query, timeout=120
    )


def get(server: RunningServer, path: str) -> requests.Response:
    return requests.get(f"{server.client.address}/pneumoscreen/annotations/{path}", timeout=60)


def put_label(server: RunningServer, image: str, name: str, content: bytes, **params: Any) -> requests.Response:
    return requests.put(
        f"{server.client.address}/datastore/label",
        params={"image": image, "tag": "final"},
        files={"label": (name, content)},
        data={"params": json.dumps(params)},
        timeout=120,
    )


def test_versions_of_a_case(clinic: RunningServer) -> None:
    empty = get(clinic, "one").json()
    assert empty == {"case_id": "one", "counting": None, "current": {}, "versions": []}
    first = put(clinic, "one", document("one"), base=0)
    assert first.status_code == 200, first.text
    assert (first.json()["version"], first.json()["reader"], first.json()["kind"]) == (1, "reader-a", "reader")
    second = put(clinic, "one", document("one", label="irrelevant"), base=1, reader="reader-b")
    assert (second.json()["version"], second.json()["reader"], second.json()["base"]) == (2, "reader-b", 1)
    listed = get(clinic, "one").json()
    assert [(v["version"], v["counts"]) for v in listed["versions"]] == [(1, False), (2, True)]
    assert "document" not in listed["versions"][0]
    assert (listed["counting"], listed["current"]) == (2, {"reader-a": 1, "reader-b": 2})
    envelope = get(clinic, "one/1").json()
    assert envelope["document"] == document("one").to_dict() and len(envelope["sha256"]) == 64
    info = clinic.client.get("/datastore/label/info?label=one&tag=final").json()
    assert (info["version"], info["reader"]) == (2, "reader-b")
    assert Case.from_dict(clinic.client.get("/datastore/label?label=one&tag=final").json()) == document(
        "one", label="irrelevant"
    )


def test_a_submission_that_contradicts_itself_is_mended_and_told(clinic: RunningServer) -> None:
    wrong = document("one", label="irrelevant").to_dict()
    wrong["verdict"] = document("one").to_dict()["verdict"]
    answer = put(clinic, "one", Case.from_dict(wrong)).json()
    said = "The verdict is no_infection_found, not covid19, by the regions that count."
    assert answer["changes"] == [said]
    stored = get(clinic, f"one/{answer['version']}").json()["document"]
    assert (stored["schema"], stored["verdict"]["label"]) == ("pneumoscreen.case/2", "no_infection_found")
    by_label = put_label(clinic, "one", "a.json", json.dumps(wrong).encode())
    assert by_label.json()["changes"] == [said]


def test_a_document_of_version_1_is_stored_as_version_2(clinic: RunningServer) -> None:
    old = version_1(document("one", label="influenza_a").to_dict())
    answer = requests.put(f"{clinic.client.address}/pneumoscreen/annotations/one", json=old, timeout=60)
    assert answer.status_code == 200 and answer.json()["changes"] == []
    stored = get(clinic, f"one/{answer.json()['version']}").json()["document"]
    assert stored["schema"] == "pneumoscreen.case/2"
    assert (stored["regions"][0]["state"], stored["regions"][0]["infected_ml"]) == ("corrected", None)


def test_a_conflict_says_who_was_faster(clinic: RunningServer) -> None:
    assert put(clinic, "two", document("two")).status_code == 200
    assert put(clinic, "two", document("two", reader="reader-b"), base=1).status_code == 200
    refused = put(clinic, "two", document("two", label="irrelevant"), base=1)
    assert refused.status_code == 409
    assert "reader-b submitted version 2" in refused.json()["detail"]
    assert (refused.json()["other"]["version"], refused.json()["other"]["reader"]) == (2, "reader-b")
    by_label = put_label(
        clinic, "two", "a.json", document("two", label="irrelevant").to_json().encode(), base=1, reader="reader-a"
    )
    assert by_label.status_code == 409 and "reader-b" in by_label.json()["detail"]
    assert len(get(clinic, "two").json()["versions"]) == 2


def test_a_trainer_settles_a_case(clinic: RunningServer) -> None:
    for reader in ("reader-a", "reader-b"):
        assert put(clinic, "three", document("three", reader=reader)).status_code == 200
    url = f"{clinic.client.address}/pneumoscreen/annotations/three/adjudicate"
    chosen = requests.post(url, json={"version": 1}, timeout=60)
    assert chosen.status_code == 200, chosen.text
    assert (chosen.json()["kind"], chosen.json()["base"], chosen.json()["version"]) == ("adjudication", 1, 3)
    assert put(clinic, "three", document("three", label="irrelevant")).json()["version"] == 4
    assert get(clinic, "three").json()["counting"] == 3
    assert clinic.client.get("/datastore/label/info?label=three&tag=final").json()["version"] == 3
    own = requests.post(url, json=document("three", label="influenza_a").to_dict(), params={"reader": "x"}, timeout=60)
    assert (own.json()["version"], own.json()["reader"]) == (5, "x")
    assert get(clinic, "three").json()["counting"] == 5
    for body, status, said in (
        ({"version": 99}, 404, "no version 99"),
        ({"version": 0}, 422, "version"),
        ({"version": "1"}, 422, "version"),
        ({}, 422, "version"),
        ([], 422, "version"),
        ({"schema": "pneumoscreen.case/1"}, 422, "field modality"),
    ):
        answer = requests.post(url, json=body, timeout=60)
        assert (answer.status_code, said in answer.json()["detail"]) == (status, True), answer.text


def test_what_cannot_be_submitted(clinic: RunningServer) -> None:
    good = document("four").to_dict()
    for case, body, query, status, said in (
        ("four", {**good, "case_id": "five"}, {}, 422, "field case_id"),
        ("four", {**good, "colour": 1}, {}, 422, "field colour"),
        ("four", {**good, "diagnosis": "plague"}, {}, 422, "field diagnosis"),
        ("four", "{", {}, 422, "JSON"),
        ("four", b"\xff\xfe", {}, 422, "UTF-8"),
        ("four", good, {"base": 7}, 422, "base"),
        ("four", good, {"base": -1}, 422, "base"),
        ("four", good, {"base": "x"}, 422, "base"),
        ("four", good, {"reader": "a\nb"}, 422, "field reader"),
        ("nobody", {**good, "case_id": "nobody"}, {}, 404, "nobody"),
        ("four", b"[" * 100_000, {}, 422, "JSON"),
    ):
        answer = put(clinic, case, body, **query)
        assert (answer.status_code, said in answer.json()["detail"]) == (status, True), answer.text
    large = put(clinic, "four", b" " * (17 << 20))
    assert large.status_code == 413 and "more than 16 MB" in large.json()["detail"]
    for path, status in (("nobody", 404), ("four/1", 404), ("four/x", 422), ("four/1/label_map", 404)):
        assert get(clinic, path).status_code == status
    assert not (clinic.studies / "annotations" / "nobody").exists()


def test_a_label_map_of_a_stock_client_becomes_regions(clinic: RunningServer) -> None:
    """As Slicer's MONAI Label module does it: screen, erase a segment, add one, submit the label map with its names."""
    answer = clinic.client.infer("ct_screening", "turned", {"result_extension": ".nii.gz"})
    assert answer.label_map is not None
    work = clinic.studies / ".pneumoscreen"
    screening = last_screening(work, "turned", DEFAULT_CLASSES)
    assert screening is not None and screening.to_dict() == answer.document
    assert (screened_at(work, "turned") or "").endswith("Z")
    file = clinic.studies.parent.parent / "shown.nii.gz"
    file.write_bytes(answer.label_map)
    image = sitk.ReadImage(str(file))
    values = sitk.GetArrayFromImage(image)
    shown = sorted(set(np.unique(values).tolist()) - {0})
    assert shown_regions(work, "turned") == set(shown) and len(shown) > 2
    gone, kept = shown[0], shown[1:]
    remaining = np.zeros_like(values)
    for number, value in enumerate(kept, start=1):
        remaining[values == value] = number
    free = np.argwhere(values == 0)[0]
    remaining[tuple(free)] = len(kept) + 1
    changed = sitk.GetImageFromArray(remaining)
    changed.CopyInformation(image)
    sitk.WriteImage(changed, file)
    info = [{"name": f"region {value}", "idx": n} for n, value in enumerate(kept, start=1)]
    info.append({"name": "covid19", "idx": len(kept) + 1})
    saved = put_label(clinic, "turned", "label.nii.gz", file.read_bytes(), label_info=info, reader="reader-s")
    assert saved.status_code == 200, saved.text
    assert (saved.json()["version"], saved.json()["reader"], saved.json()["label_map"]) == (
        1,
        "reader-s",
        "000001.nii.gz",
    )
    case = Case.from_dict(clinic.client.get("/datastore/label?label=turned&tag=final").json())
    before = {region.id: region for region in screening.regions}
    after = {region.id: region for region in case.regions}
    assert after[f"r{gone}"].reader is not None and after[f"r{gone}"].reader.label == "irrelevant"
    for value in kept:
        region = after[f"r{value}"]
        assert (region.center_mm, region.patches) == (before[f"r{value}"].center_mm, before[f"r{value}"].patches)
        assert region.reader is not None and (region.reader.name, region.reader.label) == ("reader-s", region.label)
    (new,) = [region for region in case.regions if region.id not in before]
    index = [int(n) for n in free[::-1]]
    assert np.allclose(new.center_mm, image.TransformIndexToPhysicalPoint(index), atol=0.01)
    assert get(clinic, "turned/1/label_map").content == file.read_bytes()
    sitk.WriteImage(changed[:-1], file)
    refused = put_label(clinic, "turned", "label.nii.gz", file.read_bytes(), label_info=info)
    assert refused.status_code == 422 and "label map cannot be used" in refused.json()["detail"]
    for where, name, content in (("turned", "a.nrrd", b"x"), ("turned", "a.png", b"x"), ("picture", "a.nrrd", b"x")):
        assert put_label(clinic, where, name, content).status_code == 422


def test_a_nested_dicom_series_is_a_case(clinic: RunningServer, shared_data: Path, tmp_path: Path) -> None:
    place = Path("patient") / "study" / "CT"
    shutil.copytree(shared_data / "ct" / "cip_ct64" / "ct-64Dicom", clinic.studies / place)
    image = image_id(clinic.studies, place)
    wait_for_image(clinic.client, image)
    found = clinic.client.infer("ct_candidates", image, output="json").document
    assert found["case_id"] == image
    (tmp_path / "scan.nrrd").write_bytes(clinic.client.get(f"/datastore/image?image={image}").content)
    assert list(sitk.ReadImage(str(tmp_path / "scan.nrrd")).GetSize()) == found["image"]["size"]
    assert put(clinic, image, document(image)).json()["version"] == 1
    listed = {pair["image"] for pair in clinic.client.get("/datastore/?output=train").json()}
    assert str(place) in listed


def test_a_radiograph_is_offered_and_its_screening_refused(clinic: RunningServer) -> None:
    assert "picture" in clinic.client.get("/datastore/?output=all").json()["objects"]
    assert clinic.client.get("/datastore/image?image=picture").content.startswith(b"\x89PNG")
    refused = requests.post(f"{clinic.client.address}/infer/ct_screening?image=picture", timeout=60)
    assert (
        refused.status_code == 422
        and "is a radiograph (X-ray) and not a CT; give a chest CT" in refused.json()["detail"]
    )


def test_a_deleted_label_is_withdrawn(clinic: RunningServer) -> None:
    assert put(clinic, "four", document("four")).status_code == 200
    url = f"{clinic.client.address}/datastore/label"
    assert requests.head(url, params={"image": "four", "tag": "final"}, timeout=60).status_code == 200
    assert requests.delete(url, params={"id": "four", "tag": "final"}, timeout=60).status_code == 200
    assert requests.head(url, params={"image": "four", "tag": "final"}, timeout=60).status_code == 404
    assert requests.delete(url, params={"id": "four", "tag": "final"}, timeout=60).status_code == 404
    listed = get(clinic, "four").json()
    assert [v["kind"] for v in listed["versions"]] == ["reader", "withdrawal"] and listed["counting"] is None
    actions = [
        (e["action"], e["version"]) for e in AuditLog(clinic.studies).entries() if e["case"] == case_digest("four")
    ]
    assert actions == [("submit", 1), ("withdraw", 2)]


def test_many_clients_at_once_keep_every_version(clinic: RunningServer) -> None:
    def submit(number: int) -> dict[str, Any]:
        reader = f"reader-{number:02d}"
        answer = put(clinic, "many", document("many", reader=reader, notes=[reader]), reader=reader)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    start = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = list(pool.map(submit, range(CLIENTS)))
    print(f"{CLIENTS} submissions at once: {time.perf_counter() - start:.2f} s")
    assert sorted(answer["version"] for answer in answers) == list(range(1, CLIENTS + 1))
    store = AnnotationStore(clinic.studies)
    for answer in answers:
        kept = store.version("many", answer["version"])
        assert (kept.reader, kept.document.notes) == (answer["reader"], (answer["reader"],))
    assert len(store.current("many")) == CLIENTS
    counting = store.counting("many")
    assert counting is not None and counting.version == CLIENTS
    assert Case.from_dict(clinic.client.get("/datastore/label?label=many&tag=final").json()) == counting.document
    assert clinic.client.get("/datastore/label/info?label=many&tag=final").json()["version"] == CLIENTS


NAMES = [
    "../up", "../../etc/passwd", "..%2f..%2fup", "%2e%2e%2fup", "%252e%252e%252fup", "%2e%2e", "..", ".", "%00",
    "a%00b", "/etc/passwd", "//etc", "%2Fetc%2Fpasswd", "..\\up", "%5c..%5cup", "C:\\up", "~", "$HOME", "`id`",
    "fuzzed%0d%0aX: y", "\N{PILE OF POO}", "%f0%9f", "\u202eexe", "x" * 300, "é" * 150, ".hidden", ".lock", "labels",
    "annotations", "fuzzed/../../up", "fuzzed/1/../..", "fuzzed%2f..%2f..%2fup", "fuzzed.json", "datastore_v2", "con",
    "fuzzed ", " fuzzed", "%20", "file:///etc/passwd", "http://x", "*", "?", "#", "fuzzed;rm", "a..b", "%ff", "",
]  # fmt: skip
ODD_VALUES: list[Any] = [
    None, True, -1, 0, 1e308, 10**30, "", "x", "\x00", "../up", "\ud800", [], {}, [[]], {"a": {"b": []}}, "x" * 5000,
    [1, 2, 3], {"__proto__": 1}, "2026-13-45", "\u202e", [None] * 50,
]  # fmt: skip


def _mutated(dice: random.Random, value: Any) -> Any:
    """A document with one place changed: replaced, removed, doubled or renamed."""
    if isinstance(value, dict) and value and dice.random() < 0.9:
        key = dice.choice(list(value))
        fate = dice.random()
        if fate < 0.12:
            return {k: v for k, v in value.items() if k != key}
        if fate < 0.2:
            return {**value, dice.choice(["x", "", "../up", key + " ", "\x00"]): value[key]}
        return {**value, key: _mutated(dice, value[key])}
    if isinstance(value, list) and value and dice.random() < 0.8:
        place = dice.randrange(len(value))
        if dice.random() < 0.2:
            return [*value, value[place]]
        return [*value[:place], _mutated(dice, value[place]), *value[place + 1 :]]
    return dice.choice(ODD_VALUES)


def _body(dice: random.Random, case: str) -> bytes:
    content = document(case or "x", notes=[str(dice.random())]).to_dict()
    for _ in range(dice.choice([0, 1, 1, 1, 2, 5])):
        content = _mutated(dice, content)
    text = json.dumps(content).encode()
    fate = dice.random()
    if fate < 0.1:
        return text[: dice.randrange(len(text) + 1)]
    if fate < 0.15:
        return text.replace(b"1.0", dice.choice([b"NaN", b"Infinity", b"1e999", b"-0", b"1" * 5000]))
    if fate < 0.2:
        return dice.randbytes(200)
    return text


def _outside(server: RunningServer) -> dict[str, tuple[int, int]]:
    """Everything beside the studies folder, with size and time."""
    parent = server.studies.parent
    return {
        str(path): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in sorted(parent.rglob("*"))
        if server.studies not in (path, *path.parents)
    }


def _send(server: RunningServer, dice: random.Random) -> requests.Response:
    case = dice.choice([*NAMES, *["fuzzed"] * len(NAMES)])
    body = _body(dice, dice.choice([case, "fuzzed", "x"]))
    if dice.random() < 0.5:
        # Not quoted by this side: the name reaches the server as it stands, as far as HTTP allows.
        path = quote(case, safe="/%\\") if dice.random() < 0.7 else quote(case, safe="")
        target = f"{server.client.address}/pneumoscreen/annotations/{path}"
        query = dice.choice([{}, {"base": dice.choice([0, 3, -1, "x", 10**30])}, {"reader": dice.choice(NAMES)}])
        prepared = requests.Request("PUT", "http://x", params=query, data=body).prepare()
        prepared.url = target + prepared.path_url[1:]
        with requests.Session() as session:
            return session.send(prepared, timeout=60, allow_redirects=False)
    tag = dice.choice(["final"] * 6 + ["original", "../up", "..", "/tmp/up", "a/b", "%2e%2e", "\x00", ""])
    name = dice.choice(
        ["a.json"] * 6 + ["a.nii.gz", "a.nrrd", "../a.json", "a." + "x" * 300, "a", "a.json/../b", "\x00.json"]
    )
    odd = {dice.choice(["reader", "label_info", "base", "diagnosis", "ts", "name"]): dice.choice(ODD_VALUES)}
    deep = '{"a": ' + "[" * 400 + "]" * 400 + "}"
    params = dice.choice(["{}", "{}", "{", "[]", "null", json.dumps(odd), deep, '{"a": NaN}', '{"a": "\\ud800"}'])
    return requests.put(
        f"{server.client.address}/datastore/label",
        params={"image": case, "tag": tag},
        files={"label": (name, io.BytesIO(body))},
        data={"params": params},
        timeout=60,
    )


def _send_nonsense(clinic: RunningServer, count: int) -> dict[int, int]:
    """Send odd submissions, check that all are answered and nothing is written elsewhere; how often each status."""
    dice, outside = random.Random(count), _outside(clinic)
    total = clinic.client.get("/datastore/").json()["total"]
    folders = {path for path in clinic.studies.rglob("*") if path.is_dir()}
    statuses: dict[int, int] = {}
    start = time.perf_counter()
    for number in range(count):
        answer = _send(clinic, dice)
        statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
        assert answer.status_code < 500, f"{number}: {answer.status_code} {answer.text[:300]}"
        if answer.status_code >= 400:
            assert isinstance(answer.json()["detail"], str)
    print(f"{count} odd submissions in {time.perf_counter() - start:.1f} s: {dict(sorted(statuses.items()))}")
    assert _outside(clinic) == outside
    new = {path.relative_to(clinic.studies) for path in clinic.studies.rglob("*") if path.is_dir()} - {
        path.relative_to(clinic.studies) for path in folders
    }
    # A tag that is spelt %2e%2e is a name like any other: nothing decodes it again.
    assert new <= {Path("annotations/fuzzed"), Path("annotations"), Path("audit"), Path("labels/%2e%2e")}, new
    kept = AnnotationStore(clinic.studies).versions("fuzzed")
    assert [version.version for version in kept] == list(range(1, len(kept) + 1))
    assert clinic.client.get("/datastore/").json()["total"] == total
    text = clinic.log.read_text(encoding="utf-8")
    assert "Traceback" not in text, text[-3000:]
    return statuses


def test_odd_submissions_neither_break_the_server_nor_write_elsewhere(clinic: RunningServer) -> None:
    assert {200, 404, 422} <= set(_send_nonsense(clinic, QUICK_FUZZED))


@pytest.mark.slow
def test_a_thousand_odd_submissions_neither_break_the_server_nor_write_elsewhere(clinic: RunningServer) -> None:
    assert {200, 404, 422} <= set(_send_nonsense(clinic, FUZZED))

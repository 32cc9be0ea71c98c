"""The reader's loop over a folder as it comes from the field: unreadable scans, label maps by hand, stock clients."""

import contextlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
import SimpleITK as sitk

from pneumoscreen.case import Case
from pneumoscreen.images.volume import Volume
from pneumoscreen.server.client import Client, ServerError

from ...images.conftest import make_chest, write_series
from ..conftest import RunningServer, serving

PATIENCE_S = 120.0


def put_by_hand(studies: Path, case_id: str, scan: sitk.Image) -> None:
    """A label map of two pieces of value 1, as a drawing program saves it."""
    values = np.zeros(sitk.GetArrayFromImage(scan).shape, np.uint8)
    values[12:15, 60:70, 30:38] = values[12:15, 60:70, 88:96] = 1
    labels = sitk.GetImageFromArray(values)
    labels.CopyInformation(scan)
    sitk.WriteImage(labels, studies / "labels" / "final" / f"{case_id}.nii.gz")


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory, both_models: Path, phantom: Volume) -> Iterator[RunningServer]:
    """A server on one damaged series, one cut file, one scan without lungs, and three scans with labels by hand."""
    studies = tmp_path_factory.mktemp("studies")
    image = phantom.to_sitk(phantom.hu)
    series = write_series(studies / "a_bad", make_chest())
    cut = sorted(series.iterdir())[3]
    cut.write_bytes(cut.read_bytes()[:172])
    sitk.WriteImage(image, studies / "c_good.nii.gz")
    good = (studies / "c_good.nii.gz").read_bytes()
    (studies / "b_cut.nii.gz").write_bytes(good[: len(good) // 2])
    noise = np.random.default_rng(1).integers(-60, 90, phantom.hu.shape).astype(np.int16)
    noise[:, :30] = noise[:, -30:] = -1000
    sitk.WriteImage(phantom.to_sitk(noise), studies / "b_flesh.nii.gz")
    (studies / "labels" / "final").mkdir(parents=True)
    for name in ("hand_named", "hand_plain", "hand_text"):
        (studies / f"{name}.nii.gz").write_bytes(good)
    put_by_hand(studies, "hand_named", image)
    put_by_hand(studies, "hand_plain", image)
    (studies / "labels" / "final" / "hand_text.json").write_text('{"markups": []}')
    about = {"ext": ".nii.gz", "info": {"label_info": [{"name": "Influenza A", "idx": 1}]}}
    entry = {"image": {"ext": ".nii.gz", "info": {}}, "labels": {"final": about}}
    index = {"name": "old", "description": "", "objects": {"hand_named": entry}}
    (studies / "datastore_v2.json").write_text(json.dumps(index))
    with serving(studies, both_models, tmp_path_factory) as running:
        yield running


def worklist(client: Client) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in client.get("/pneumoscreen/cases").json()["cases"]}


def patiently(ask: Callable[[], object]) -> None:
    """Ask again while the image is being copied."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        with contextlib.suppress(ServerError):
            ask()
            return
        time.sleep(0.2)
    ask()


def next_case(client: Client, reader: str, **more: Any) -> str:
    answer = requests.post(f"{client.address}/activelearning/first", json={"client_id": reader, **more}, timeout=60)
    answer.raise_for_status()
    return str(answer.json()["id"])


def test_a_case_that_cannot_be_opened_makes_way_for_the_next(odd: RunningServer) -> None:
    assert next_case(odd.client, "ann") == "a_bad"
    with pytest.raises(ServerError, match="a_bad holds"):
        odd.client.get("/datastore/image?image=a_bad")
    assert next_case(odd.client, "ann") == "b_cut", "the download failed"
    with pytest.raises(ServerError, match="b_cut"):
        odd.client.infer("ct_screening", "b_cut")
    assert next_case(odd.client, "ann") == "b_flesh", "the reading failed"
    with pytest.raises(ServerError, match="lungs"):
        odd.client.infer("ct_screening", "b_flesh")
    assert next_case(odd.client, "ann") == "c_good", "the screening failed"
    with pytest.raises(ServerError, match="CT"):
        odd.client.infer("cxr_screening", "c_good")
    assert next_case(odd.client, "ann") == "c_good", "the wrong task says nothing of the image"
    rows = worklist(odd.client)
    for name, reason in (("a_bad", "a_bad holds"), ("b_cut", "b_cut.nii.gz"), ("b_flesh", "lungs")):
        assert reason in rows[name]["error"]
        assert rows[name]["score"] == "failed"
        assert rows[name]["lease"] is None
    assert rows["c_good"]["error"] is None
    good = (odd.studies / "c_good.nii.gz").read_bytes()
    (odd.studies / "b_cut.nii.gz").write_bytes(good)
    end = time.monotonic() + PATIENCE_S
    while next_case(odd.client, "ben", skip=True) != "b_cut":  # c_good is with ann
        assert time.monotonic() < end, "it was copied again and is offered again"
    patiently(lambda: odd.client.infer("ct_screening", "b_cut"))
    # Whenever the watch sees the new file, the image is left out until it rests.
    patiently(lambda: odd.client.get("/datastore/image?image=b_cut"))
    rows = worklist(odd.client)
    while "b_cut" not in rows and time.monotonic() < end:
        rows = worklist(odd.client)
    assert rows["b_cut"]["error"] is None


def test_a_label_map_by_hand_is_taken_in_or_named(odd: RunningServer) -> None:
    end = time.monotonic() + PATIENCE_S
    rows = worklist(odd.client)
    while not (rows["hand_named"]["versions"] and rows["hand_plain"]["error"]) and time.monotonic() < end:
        time.sleep(0.2)
        rows = worklist(odd.client)
    assert rows["hand_named"]["state"] == "done"
    versions = odd.client.get("/pneumoscreen/annotations/hand_named").json()["versions"]
    assert [(version["kind"], version["reader"]) for version in versions] == [("import", "unknown")]
    document = odd.client.get("/pneumoscreen/annotations/hand_named/1").json()["document"]
    regions = Case.from_dict(document).regions
    assert [region.opinion[0] for region in regions if region.opinion] == ["influenza_a"] * 2
    assert json.loads((odd.studies / "labels/final/hand_named.json").read_text(encoding="utf-8")) == document
    assert "labels/final/hand_plain.nii.gz is not used: value 1 of the label map" in rows["hand_plain"]["error"]
    assert "labels/final/hand_text.json is not used" in rows["hand_text"]["error"]
    for name in ("hand_plain", "hand_text"):
        assert (rows[name]["state"], rows[name]["finished"], rows[name]["versions"]) == ("new", False, 0)
        assert next_case(odd.client, "cid", include=[name]) == name
    assert odd.client.get("/datastore/").json()["completed"] <= 2, "text that is no document is no label of ours"
    time.sleep(2.5)  # a second look at the folder
    assert len(odd.client.get("/pneumoscreen/annotations/hand_named").json()["versions"]) == 1


def test_a_label_map_is_compressed_unless_the_client_says_no(odd: RunningServer) -> None:
    sizes = {}
    for compress in (True, False):
        answer = odd.client.infer("ct_candidates", "c_good", {"result_compress": compress})
        assert answer.label_map is not None
        header, _, _ = answer.label_map.partition(b"\n\n")
        assert (b"encoding: raw" in header) is not compress
        sizes[compress] = len(answer.label_map)
    assert sizes[False] >= 128 * 128 * 30


def test_batch_inference_needs_no_gpu_and_no_parameters(odd: RunningServer) -> None:
    address = f"{odd.client.address}/batch/infer/ct_screening"
    answer = requests.post(address, params={"run_sync": True}, json={}, timeout=600)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert "lungs" in found["b_flesh"]["error"]
    assert "a_bad holds" in found["a_bad"]["error"]
    assert found["c_good"]["params"]["case_id"] == "c_good"
    assert (odd.studies / "labels" / "original" / "c_good.json").is_file()


ODD_TAGS = ["../../x", "a/b", ".hidden", "x\x00", "y" * 300, 5, ["original"], {"a": "b"}]


@pytest.mark.parametrize("run_sync", [True, False])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("label_tag", tag) for tag in ODD_TAGS),
        ("max_batch_size", "2"),
        ("max_batch_size", -1),
        ("images", "../../etc"),
        ("images", {"a": 1}),
        ("images", [5]),
        ("result_extension", ".exe"),
    ],
)
def test_a_batch_with_an_odd_parameter_does_not_start(
    odd: RunningServer, name: str, value: object, run_sync: bool
) -> None:
    address = f"{odd.client.address}/batch/infer/ct_screening"
    refused = requests.post(address, params={"run_sync": run_sync}, json={name: value}, timeout=60)
    assert refused.status_code == 422, refused.text
    assert f"parameter {name}" in refused.json()["detail"]
    assert requests.get(f"{odd.client.address}/batch/infer", timeout=60).status_code == 404, "none has ever run"


@pytest.mark.parametrize("tag", ["../../x", "", "y" * 300])
def test_an_inference_with_an_odd_label_tag_does_not_start(odd: RunningServer, tag: str) -> None:
    params = json.dumps({"label_tag": tag})
    address = f"{odd.client.address}/infer/ct_candidates"
    refused = requests.post(address, params={"image": "c_good"}, files={"params": (None, params)}, timeout=60)
    assert refused.status_code == 422, refused.text
    assert "parameter label_tag" in refused.json()["detail"]


def test_the_log_is_served(odd: RunningServer) -> None:
    odd.client.infer("ct_candidates", "c_good")
    log = odd.client.get("/logs/?text=true").text
    assert "ct_candidates of case" in log
    assert len(odd.client.get("/logs/?text=true&lines=1").text.splitlines()) == 1


@pytest.mark.parametrize("body", [{"client_id": "x"}, {"ct_classifier": {"client_id": "x"}, "client_id": "x"}])
def test_the_keys_of_stock_clients_are_no_parameters(odd: RunningServer, body: dict[str, Any]) -> None:
    for path in ("/train/ct_classifier", "/train/"):
        if path == "/train/ct_classifier" and "ct_classifier" in body:
            continue
        answer = requests.post(odd.client.address + path, json=body, timeout=60)
        assert answer.status_code == 200, answer.text
        requests.delete(odd.client.address + "/train/", timeout=60)
    refused = requests.post(odd.client.address + "/train/", json={"ct_classifier": "x"}, timeout=60)
    assert refused.status_code == 422
    assert "ct_classifier must be a JSON object" in refused.json()["detail"]
    requests.delete(odd.client.address + "/train/", timeout=60)


def test_a_series_that_is_copied_in_appears_as_a_whole(odd: RunningServer, tmp_path: Path) -> None:
    source = write_series(tmp_path / "series", make_chest())
    shutil.copytree(source, odd.studies / "later" / "series")
    end = time.monotonic() + PATIENCE_S
    while True:
        found = [name for name in worklist(odd.client) if name.startswith("later_t")]
        if found:
            break
        assert time.monotonic() < end
        time.sleep(0.2)
    document = odd.client.infer("ct_candidates", found[0]).document
    assert document["image"]["size"][2] == len(list(source.iterdir()))


def test_what_is_called_screened_has_a_report(odd: RunningServer) -> None:
    # In the server itself: the process in the background waits until nobody else wants the processor.
    address = f"{odd.client.address}/scoring/uncertainty"
    requests.post(address, params={"run_sync": True}, timeout=1200).raise_for_status()
    rows = worklist(odd.client)
    assert rows["hand_plain"]["score"] == "fresh"
    for name, row in rows.items():
        if row["state"] == "screened" or row["score"] == "fresh":
            assert b"<html" in odd.client.get(f"/pneumoscreen/report/{name}").content
            assert odd.client.get(f"/pneumoscreen/screening/{name}").json()["case_id"] == name
    shutil.rmtree(odd.studies / ".pneumoscreen" / "reports")
    assert not [name for name, row in worklist(odd.client).items() if row["state"] == "screened"]

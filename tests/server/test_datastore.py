"""The studies folder as a datastore: what is offered, labels, and an index that survives."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import requests
import SimpleITK as sitk

from pneumoscreen.case import Case
from pneumoscreen.errors import PneumoScreenError
from pneumoscreen.server.datastore import StudiesDatastore

from .conftest import RunningServer


def test_only_scans_are_offered(server: RunningServer) -> None:
    index = server.client.get("/datastore/?output=all").json()
    assert {"upright", "turned", "broken", "flesh"} == set(index["objects"])
    assert server.client.get("/info/").json()["datastore"]["total"] == 4


def test_the_next_sample_is_a_scan(server: RunningServer) -> None:
    for strategy in ("first", "random"):
        sample = requests.post(f"{server.client.address}/activelearning/{strategy}", json={}, timeout=60).json()
        assert sample["id"] in ("upright", "turned", "broken", "flesh")
        assert Path(sample["path"]).is_file()


def test_a_case_document_goes_in_as_a_label_and_comes_back(server: RunningServer) -> None:
    document = server.client.infer("ct_screening", "upright", output="json").document
    document["regions"][0]["reader"] = {"label": "covid19", "name": "reader-a", "at": "2026-11-22T10:00:00Z"}
    text = json.dumps(document)
    url = f"{server.client.address}/datastore/label"
    where = {"image": "upright", "tag": "final"}
    saved = requests.put(url, params=where, files={"label": ("case.json", text)}, timeout=60)
    assert saved.status_code == 200, saved.text
    back = requests.get(url, params={"label": "upright", "tag": "final"}, timeout=60)
    assert back.text == text
    case = Case.from_json(back.text)
    assert case.regions[0].reader is not None
    assert case.regions[0].reader.name == "reader-a"
    assert server.client.get("/info/").json()["datastore"]["label_tags"]["final"] == 1
    listed = server.client.get("/datastore/?output=train").json()
    assert listed[0]["label"].endswith("labels/final/upright.json")


@pytest.mark.parametrize(
    ("document", "named"),
    [("{", "JSON"), ("{}", "schema"), ('{"schema": "pneumoscreen.case/9"}', "schema")],
)
def test_a_label_that_is_no_case_document_is_refused(server: RunningServer, document: str, named: str) -> None:
    answer = requests.put(
        f"{server.client.address}/datastore/label",
        params={"image": "upright", "tag": "refused"},
        files={"label": ("case.json", document)},
        timeout=60,
    )
    assert answer.status_code == 422
    assert named in answer.json()["detail"]
    assert not (server.studies / "labels" / "refused").exists()


def test_a_label_of_an_unknown_image_is_refused(server: RunningServer) -> None:
    answer = requests.put(
        f"{server.client.address}/datastore/label",
        params={"image": "nobody"},
        files={"label": ("case.nii.gz", b"x")},
        timeout=60,
    )
    assert answer.status_code == 404


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.nii.gz", "b.b.nrrd", "._a.nii.gz", "c.json", "d.txt"):
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def test_ids_are_names_without_their_ending(folder: Path) -> None:
    (folder / "e.nii.gz.nii.gz").write_bytes(b"x")
    assert sorted(StudiesDatastore(str(folder)).list_images()) == ["a", "b.b", "e.nii.gz"]


def test_a_dicom_folder_is_an_image(folder: Path) -> None:
    series = folder / "series.1"
    series.mkdir()
    image = sitk.GetImageFromArray(np.zeros((4, 4), np.int16))
    sitk.WriteImage(image, series / "IM0.dcm")
    (folder / "papers").mkdir()
    (folder / "papers" / "a.dcm.txt").write_text("no DICOM here")
    datastore = StudiesDatastore(str(folder))
    assert sorted(datastore.list_images()) == ["a", "b.b", "series.1"]
    assert datastore.get_image_uri("series.1") == str(series)
    with pytest.raises(PneumoScreenError, match="does not delete folders"):
        datastore.remove_image("series.1")


def test_an_image_is_known_by_its_path_only_inside_the_studies(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    datastore = StudiesDatastore(str(folder))
    assert datastore.id_of(str(folder / "a.nii.gz")) == "a"
    assert datastore.id_of(str(folder / ".." / folder.name / "a.nii.gz")) == "a"
    assert datastore.id_of(str(folder / "d.txt")) is None
    other = tmp_path_factory.mktemp("other") / "a.nii.gz"
    shutil.copy(folder / "a.nii.gz", other)
    assert datastore.id_of(str(other)) is None


def test_a_write_that_fails_leaves_the_old_index(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datastore = StudiesDatastore(str(folder))
    datastore.update_image_info("a", {"note": "first"})
    index = folder / "datastore_v2.json"
    before = index.read_bytes()

    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full_disk)
        with pytest.raises(OSError, match="No space"):
            datastore.update_image_info("a", {"note": "second"})
    assert index.read_bytes() == before
    assert not [path for path in folder.iterdir() if path.name.startswith(".datastore")]


def test_a_damaged_index_is_set_aside_and_rebuilt(folder: Path) -> None:
    StudiesDatastore(str(folder))
    index = folder / "datastore_v2.json"
    index.write_bytes(index.read_bytes()[:30])
    datastore = StudiesDatastore(str(folder))
    assert sorted(datastore.list_images()) == ["a", "b.b"]
    assert json.loads(index.read_text(encoding="utf-8"))["objects"].keys() == {"a", "b.b"}
    assert len(list(folder.glob("datastore_v2.json.damaged-*"))) == 1

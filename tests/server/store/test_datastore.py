"""The studies folder as a datastore: what is offered, labels, and an index that survives."""

import contextvars
import json
import logging
import os
import shutil
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import requests
import SimpleITK as sitk
from monailabel.interfaces.exception import LabelNotFoundException

from pneumoscreen.case import Case, ReaderMark
from pneumoscreen.errors import PneumoScreenError
from pneumoscreen.images import read_volume
from pneumoscreen.server.access.identity import Role, Speaker, set_speaker
from pneumoscreen.server.app import PneumoScreenApp
from pneumoscreen.server.failures import may_not_write, status_of
from pneumoscreen.server.serve import DEFAULT_APP
from pneumoscreen.server.store.datastore import CopyingError, StudiesDatastore
from pneumoscreen.studies.annotations import StorageError
from pneumoscreen.studies.audit import AuditLog, case_digest

from ...images.conftest import make_chest
from ...studies.conftest import document
from ..conftest import RunningServer


def test_only_scans_are_offered(server: RunningServer) -> None:
    index = server.client.get("/datastore/?output=all").json()
    assert {"upright", "turned", "broken", "flesh"} == set(index["objects"])
    assert server.client.get("/info/").json()["datastore"]["total"] == 4


def test_the_next_sample_is_a_scan(server: RunningServer) -> None:
    for strategy in ("first", "random"):
        sample = requests.post(f"{server.client.address}/activelearning/{strategy}", json={}, timeout=60).json()
        assert sample["id"] in ("upright", "turned", "broken", "flesh")
        assert (server.studies / sample["path"]).is_file(), "below the studies: no place of the disk"


def test_a_case_document_goes_in_as_a_label_and_comes_back(server: RunningServer) -> None:
    document = server.client.infer("ct_screening", "upright", output="json").document
    document["regions"][0]["reader"] = {"label": "covid19", "name": "reader-a", "at": "2026-11-22T10:00:00Z"}
    text = json.dumps(document)
    url = f"{server.client.address}/datastore/label"
    where = {"image": "upright", "tag": "final"}
    # Others submit to this server as well.
    kept = requests.get(f"{server.client.address}/pneumoscreen/annotations/upright", timeout=60).json()
    saved = requests.put(url, params=where, files={"label": ("case.json", text)}, timeout=60)
    assert saved.status_code == 200, saved.text
    back = requests.get(url, params={"label": "upright", "tag": "final"}, timeout=60)
    # The store derives what follows from the reader's mark: state, shares and verdict.
    assert back.json() == Case.from_dict(document).with_verdict().to_dict()
    assert back.json()["regions"][0]["state"] in ("accepted", "corrected")
    said = saved.json()
    assert (said["version"], said["reader"], said["image"]) == (len(kept["versions"]) + 1, "reader-a", "upright")
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


def test_every_image_has_an_id_that_can_be_stored(tmp_path: Path) -> None:
    """Names that no label could have beside its ending are offered all the same, under an id that stays."""
    names = ["pat..1", "p" * 210, "x" * 201, "ü" * 120, "line\nbreak", "back\\slash", "zero\u200bwidth", "a b", "plain"]
    for name in names:
        (tmp_path / f"{name}.nii.gz").write_bytes(name.encode())
    write_slice(tmp_path / ("long folder " * 20).strip() / "IM0.dcm", "CT")
    datastore = StudiesDatastore(str(tmp_path))
    offered = datastore.list_images()
    assert len(offered) == len(names) + 1
    assert {"pat..1", "a b", "plain"} < set(offered), "a name that can be stored is the id"
    for name in offered:
        stored = datastore.submit(name, replace(document(), case_id=name).to_json().encode())
        assert stored.version == 1
        assert datastore.get_label_info(name, "final")["version"] == 1
    files = {Path(datastore.get_image_uri(name)) for name in offered}
    assert {file.read_bytes().decode() for file in files if file.is_file()} == set(names)
    again = StudiesDatastore(str(tmp_path))
    assert {name: again.get_image_uri(name) for name in offered} == {n: datastore.get_image_uri(n) for n in offered}
    assert len(again.get_labeled_images()) == len(offered)
    odd = next(name for name in offered if name.startswith("ppp"))
    again.remove_image(odd)
    assert not (tmp_path / f"{'p' * 210}.nii.gz").exists()
    assert odd not in again.list_images()


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


def write_slice(path: Path, modality: str, **tags: str) -> None:
    """A DICOM file with one picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(np.zeros((16, 16), np.int16))
    image.SetMetaData("0008|0060", modality)
    for tag, value in tags.items():
        image.SetMetaData(tag.replace("_", "|"), value)
    sitk.WriteImage(image, path)


def test_nested_dicom_folders_are_images_with_ids_that_stay(folder: Path) -> None:
    for series in ("patient/study 1/CT", "patient/study 2/CT", "other/study 1/CT"):
        write_slice(folder / series / "IM0.dcm", "CT")
    write_slice(folder / "annotations" / "a" / "IM0.dcm", "CT")
    write_slice(folder / "labels" / "final" / "IM0.dcm", "CT")
    write_slice(folder / "patient" / ".hidden" / "IM0.dcm", "CT")
    (folder / "patient" / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM")
    (folder / "patient" / "again").symlink_to(folder / "patient")
    datastore = StudiesDatastore(str(folder))
    nested = {name for name in datastore.list_images() if name not in ("a", "b.b")}
    assert len(nested) == 3
    assert {name.rsplit("_t", 1)[0] for name in nested} == {"patient", "other"}
    places = {name: datastore.get_image_uri(name) for name in nested}
    assert sorted(places.values()) == sorted(
        str(folder / series) for series in ("patient/study 1/CT", "patient/study 2/CT", "other/study 1/CT")
    )
    write_slice(folder / "a new patient" / "study" / "CT" / "IM0.dcm", "CT")
    datastore.refresh()
    assert {name: datastore.get_image_uri(name) for name in nested} == places
    again = StudiesDatastore(str(folder), read_only=True)
    assert {name: again.get_image_uri(name) for name in nested} == places
    shutil.rmtree(folder / "other")
    datastore.refresh()
    assert not any(name.startswith("other") for name in datastore.list_images())


def test_radiographs_are_images_and_loose_slices_are_not(folder: Path) -> None:
    write_slice(folder / "chest.dcm", "CR")
    write_slice(folder / "slice.dcm", "CT")
    (folder / "report.dcm").write_bytes(b"no DICOM")
    picture = sitk.GetImageFromArray(np.zeros((16, 16), np.uint8))
    for name in ("p.png", "q.JPG", "r.jpeg", "a.png"):
        sitk.WriteImage(picture, folder / name.lower())
    (folder / "q.jpg").rename(folder / "q.JPG")
    datastore = StudiesDatastore(str(folder))
    assert sorted(datastore.list_images()) == ["a", "b.b", "chest", "p", "q", "r"]
    assert datastore.get_image_uri("q").endswith("q.JPG")
    assert datastore.get_image_uri("a").endswith("a.nii.gz"), "the CT goes before a picture of it"


@pytest.mark.parametrize("ending", [".dcm", ".ima", ""])
def test_slices_in_the_studies_folder_itself_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, ending: str
) -> None:
    write_slice(tmp_path / "chest.dcm", "CR")
    (tmp_path / "notes.txt").write_text("no DICOM")
    datastore = StudiesDatastore(str(tmp_path))
    assert caplog.messages == []
    for number in range(5):
        write_slice(tmp_path / "new.dcm", "CT")
        (tmp_path / "new.dcm").rename(tmp_path / f"IM{number}{ending}")
    with caplog.at_level(logging.WARNING, "pneumoscreen"):
        datastore.refresh()
        datastore.refresh()
    assert datastore.list_images() == ["chest"]
    (line,) = caplog.messages
    assert "put each series into a folder of its own" in line


def test_a_ct_that_comes_later_takes_the_place_of_its_picture(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"x")
    datastore = StudiesDatastore(str(tmp_path))
    (tmp_path / "x.nii.gz").write_bytes(b"x")
    datastore.refresh()
    assert datastore.get_image_uri("x").endswith("x.nii.gz")


def test_screening_a_radiograph_is_refused_with_a_sentence(tmp_path: Path) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((16, 16), np.uint8)), tmp_path / "p.png")
    write_slice(tmp_path / "chest.dcm", "CR")
    datastore = StudiesDatastore(str(tmp_path))
    for image in ("p", "chest"):
        with pytest.raises(PneumoScreenError, match=r"is a radiograph \(X-ray\) and not a CT; give a chest CT"):
            read_volume(Path(datastore.get_image_uri(image)))


def test_uploads_are_checked_and_never_half_there(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    datastore, source = StudiesDatastore(str(folder)), tmp_path_factory.mktemp("upload")
    write_slice(source / "chest.dcm", "DX")
    write_slice(source / "slice.dcm", "CT")
    (source / "b.mha").write_bytes(b"scan")
    assert datastore.add_image("new", str(source / "b.mha"), {}) == "new"
    assert (folder / "new.mha").read_bytes() == b"scan"
    assert datastore.add_image("", str(source / "chest.dcm"), {}) == "chest"
    for image_id, name, said in (
        ("s", "slice.dcm", "only if it is a radiograph"),
        ("a", "b.mha", "of another format"),
        ("../up", "b.mha", "not a plain name"),
        ("x", "b.exe", "an image is one of"),
    ):
        with pytest.raises(PneumoScreenError, match=said):
            datastore.add_image(image_id, str(source / name), {})
    with pytest.raises(FileNotFoundError):
        datastore.add_image("gone", str(source / "absent.mha"), {})
    assert not list(folder.glob("*gone*")) and not list(folder.glob(".part-*"))
    with pytest.raises(PneumoScreenError, match="no plain JSON object"):
        datastore.add_image("nan", str(source / "b.mha"), {"note": float("nan")})
    datastore.remove_image("new")
    assert [(e["action"], e["case"]) for e in AuditLog(folder).entries()] == [
        ("add_image", case_digest("new")),
        ("add_image", case_digest("chest")),
        ("remove_image", case_digest("new")),
    ]


def test_a_deleted_label_is_withdrawn_and_its_versions_stay(folder: Path) -> None:
    datastore = StudiesDatastore(str(folder))
    datastore.submit("a", document("a").to_json().encode())
    label = folder / "labels" / "final" / "a.json"
    assert datastore.datalist()[0]["label"] == str(label)
    assert datastore.get_label_info("a", "final")["version"] == 1
    datastore.remove_label("a", "final")
    assert datastore.datalist() == [] and not label.exists()
    assert [v.kind for v in datastore.submissions.store.versions("a")] == ["reader", "withdrawal"]
    with pytest.raises(LabelNotFoundException):
        datastore.remove_label("a", "final")
    datastore.submit("a", document("a").to_json().encode())
    datastore.remove_image("a")
    assert [v.kind for v in datastore.submissions.store.versions("a")][-1] == "withdrawal"
    assert "a" not in datastore.list_images()


def test_the_data_set_holds_final_labels_and_whole_series(folder: Path) -> None:
    for number in range(3):
        write_slice(folder / "p" / "s" / "CT" / f"{number}.dcm", "CT")
    datastore = StudiesDatastore(str(folder))
    with pytest.raises(PneumoScreenError, match="no image has a final label"):
        datastore.get_dataset_archive(None)
    series = next(name for name in datastore.list_images() if name.startswith("p_t"))
    for image in ("a", series):
        datastore.submit(image, document(image).to_json().encode())
    path = Path(datastore.get_dataset_archive(None))
    with zipfile.ZipFile(path) as archive:
        assert sorted(archive.namelist()) == sorted(
            ["image/a.nii.gz", "label/a.json", f"label/{series}.json", "metadata.json"]
            + [f"image/{series}/{number}.dcm" for number in range(3)]
        )
    path.unlink()
    limited = Path(datastore.get_dataset_archive(1))
    with zipfile.ZipFile(limited) as archive:
        assert len(archive.namelist()) == 3
    limited.unlink()


def test_labels_of_older_folders_are_there_from_the_start(folder: Path) -> None:
    label = folder / "labels" / "final" / "a.json"
    label.parent.mkdir(parents=True)
    label.write_text(document("a").to_json(), encoding="utf-8")
    datastore = StudiesDatastore(str(folder))
    assert [pair["label"] for pair in datastore.datalist()] == [str(label)]
    datastore.submit("a", document("a", label="irrelevant").to_json().encode(), "reader-b")
    assert [v.kind for v in datastore.submissions.store.versions("a")] == ["import", "reader"]


def test_a_label_left_behind_by_a_crash_is_mended_at_the_start(folder: Path) -> None:
    StudiesDatastore(str(folder)).submit("a", document("a").to_json().encode())
    label = folder / "labels" / "final" / "a.json"
    label.unlink()
    assert StudiesDatastore(str(folder)).datalist()[0]["label"] == str(label)


def test_names_of_readers(folder: Path) -> None:
    """A known speaker's record carries the token's name, whatever the document says; known marks keep theirs."""
    datastore = StudiesDatastore(str(folder))
    by_a = datastore.submit("a", document("a", reader="reader-a").to_json().encode())
    assert by_a.reader == "reader-a", "a single user's document names its reader"
    context = contextvars.copy_context()
    context.run(set_speaker, Speaker("reader-b", Role.READER))
    more = document("a", reader="reader-a")
    forged = replace(more.regions[0], id="r2", reader=ReaderMark("covid19", "reader-a", "2026-12-01T00:00:00Z"))
    both = replace(more, regions=(*more.regions, forged))
    by_b = context.run(datastore.submit, "a", both.to_json().encode(), "somebody else")
    assert by_b.reader == "reader-b"
    assert [region.reader.name for region in by_b.document.regions if region.reader] == ["reader-a", "reader-b"]
    by_c = datastore.submit("a", by_b.document.to_json().encode(), "reader-c")
    assert by_c.reader == "reader-c", "a single user may say who it is"
    nobody = replace(document("a"), regions=())
    assert datastore.submit("a", nobody.to_json().encode()).reader == "local"
    assert [entry["speaker"] for entry in AuditLog(folder).entries()] == ["local", "reader-b", "local", "local"]


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


@pytest.fixture
def locked_studies() -> Iterator[Path]:
    """A studies folder that may not be written to, and an account that has no way round that."""
    folder = Path(tempfile.mkdtemp())
    (folder / "a.nii.gz").write_bytes(b"not opened")
    folder.chmod(0o555)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    yield folder
    if is_root:
        os.seteuid(0)
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_a_folder_that_may_not_be_written_to_is_served(locked_studies: Path) -> None:
    datastore = StudiesDatastore(str(locked_studies))
    assert datastore.list_images() == ["a"]
    assert datastore.status()["total"] == 1
    datastore.refresh()
    assert datastore.get_image_uri("a") == str(locked_studies / "a.nii.gz")
    with pytest.raises(StorageError) as refused:
        datastore.submit("a", replace(document(), case_id="a").to_json().encode())
    assert status_of(refused.value) == 503
    with pytest.raises(PermissionError) as denied:
        datastore.update_image_info("a", {"note": "x"})
    assert may_not_write(denied.value, str(locked_studies)), "answered with 503"
    assert not may_not_write(denied.value, tempfile.gettempdir())
    assert sorted(path.name for path in locked_studies.iterdir()) == ["a.nii.gz"]


def test_labels_that_are_no_folder_stop_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.nii.gz").write_bytes(b"not opened")
    (tmp_path / "labels").symlink_to(tmp_path / "nowhere")
    datastore = StudiesDatastore(str(tmp_path))
    assert datastore.list_images() == ["a"]
    with pytest.raises(StorageError) as refused:
        datastore.submit("a", replace(document(), case_id="a").to_json().encode())
    assert status_of(refused.value) == 503


def test_a_file_in_the_place_of_a_folder_of_the_servers_costs_no_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_root: Path
) -> None:
    monkeypatch.setenv("PNEUMOSCREEN_MODELS", str(model_root))
    (tmp_path / "a.nii.gz").write_bytes(b"not opened")
    for name in ("annotations", ".pneumoscreen"):
        (tmp_path / name).write_text("x")
    app = PneumoScreenApp(str(DEFAULT_APP), str(tmp_path), {})
    assert [row["id"] for row in app.worklist.rows()] == ["a"]
    assert app.next_sample({"strategy": "first", "client_id": "anna"})["id"] == "a"
    with pytest.raises(OSError) as denied:  # noqa: PT011 (which one depends on the system)
        (tmp_path / ".pneumoscreen" / "images").mkdir(parents=True)
    assert may_not_write(denied.value, str(tmp_path)), "answered with 503"
    assert not may_not_write(denied.value, tempfile.gettempdir() + "/elsewhere")


def test_an_upload_during_a_search_of_the_folder_stays(tmp_path: Path) -> None:
    scan, folder = tmp_path / "new.nii.gz", tmp_path / "studies"
    folder.mkdir()
    scan.write_bytes(b"a scan")
    datastore = StudiesDatastore(str(folder))
    search, has_searched, may_end = datastore._files.search, threading.Event(), threading.Event()

    def slow_search() -> dict[str, str]:
        found = search()
        has_searched.set()
        may_end.wait()
        return found

    datastore._files.search = slow_search
    looking = threading.Thread(target=datastore.refresh)
    looking.start()
    has_searched.wait()
    sending = threading.Thread(target=datastore.add_image, args=("new", str(scan), {}))
    sending.start()
    sending.join(1.0)  # it waits for the search; it would be done by now otherwise
    may_end.set()
    looking.join()
    sending.join()
    assert datastore.list_images() == ["new"]


def test_a_label_that_does_not_fit_its_image_is_refused_under_any_tag(tmp_path: Path) -> None:
    studies = tmp_path / "studies"
    studies.mkdir()
    scan = sitk.GetImageFromArray(make_chest())
    scan.SetSpacing((1.5, 2.0, 5.0))
    sitk.WriteImage(scan, studies / "a.nii.gz")
    datastore = StudiesDatastore(str(studies))
    fits = sitk.Cast(scan > 100, sitk.sitkUInt8)
    moved = sitk.Image(fits)
    moved.SetOrigin((30.0, 0.0, 0.0))
    noise = tmp_path / "noise.nii.gz"
    noise.write_bytes(bytes(range(256)) * 20)
    wrong = {
        "larger": sitk.ConstantPad(fits, (1, 0, 0)),
        "moved": moved,
        "fractions": sitk.Cast(fits, sitk.sitkFloat32) * 0.5,
    }
    for name, image in wrong.items():
        sitk.WriteImage(image, tmp_path / f"{name}.nrrd")
    for path, said in (
        (tmp_path / "larger.nrrd", "does not fit"),
        (tmp_path / "moved.nrrd", "lies elsewhere"),
        (tmp_path / "fractions.nrrd", "whole numbers"),
        (noise, "label map cannot be used"),
    ):
        with pytest.raises(PneumoScreenError, match=said) as refused:
            datastore.save_label("a", str(path), "original", {})
        assert status_of(refused.value) == 422
    foreign = tmp_path / "foreign.json"
    foreign.write_text(replace(document(), case_id="b").to_json())
    with pytest.raises(PneumoScreenError, match="field case_id is 'b'"):
        datastore.save_label("a", str(foreign), "original", {})
    assert list((studies / "labels" / "original").iterdir()) == []
    sitk.WriteImage(fits, tmp_path / "fits.nrrd")
    datastore.save_label("a", str(tmp_path / "fits.nrrd"), "original", {})
    assert [path.name for path in (studies / "labels" / "original").iterdir()] == ["a.nrrd"]


def test_a_label_without_its_image_is_not_named_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "Doe_Jane.nii.gz").write_bytes(b"not opened")
    datastore = StudiesDatastore(str(tmp_path))
    datastore.submit("Doe_Jane", replace(document(), case_id="Doe_Jane").to_json().encode())
    (tmp_path / "Doe_Jane.nii.gz").unlink()
    datastore.refresh()
    assert datastore.list_images() == []
    assert "Doe" not in caplog.text


@pytest.mark.timeout(60)
def test_counts_wait_for_nobody(tmp_path: Path) -> None:
    (tmp_path / "a.nii.gz").write_bytes(b"not opened")
    datastore = StudiesDatastore(str(tmp_path))
    held, free = threading.Event(), threading.Event()

    def write_the_index_to_a_slow_disk() -> None:
        with datastore._guard:
            held.set()
            free.wait()

    other = threading.Thread(target=write_the_index_to_a_slow_disk)
    other.start()
    held.wait()
    try:
        assert datastore.status()["total"] == 1
    finally:
        free.set()
        other.join()
    (tmp_path / "b.nii.gz").write_bytes(b"not opened")
    datastore.refresh()
    assert datastore.status()["total"] == 2


def test_what_is_being_copied_is_said_to_be(tmp_path: Path) -> None:
    datastore = StudiesDatastore(str(tmp_path))
    datastore.wait_for_copies()
    (tmp_path / "a.nii.gz").write_bytes(b"half of it")
    datastore._files._now = lambda: (tmp_path / "a.nii.gz").stat().st_ctime + 1.0
    datastore.refresh()
    assert datastore.list_images() == []
    with pytest.raises(CopyingError, match="is being copied") as refused:
        datastore.submit("a", replace(document(), case_id="a").to_json().encode())
    assert status_of(refused.value) == 409
    with pytest.raises(CopyingError, match="try again in ten seconds"):
        datastore.refuse_if_copied("a")
    datastore._files._now = lambda: (tmp_path / "a.nii.gz").stat().st_ctime + 3.0
    datastore.refresh()
    datastore.refuse_if_copied("a")
    assert datastore.list_images() == ["a"]

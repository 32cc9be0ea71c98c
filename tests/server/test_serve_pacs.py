"""A server on a PACS: its cases, what is fetched, what goes back, and a PACS that is away or answers rubbish."""

import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pydicom
import pytest
import requests
import SimpleITK as sitk
from scripts.phantom_files import write_ct, write_xray
from tests.pacs.dicomweb_server import DicomwebServer
from tests.pacs.test_watch import PLANTED

from pneumoscreen.cxr.phantoms.radiograph import generate_radiograph
from pneumoscreen.images.volume import Volume
from pneumoscreen.pacs.catalogue import case_name
from pneumoscreen.pacs.selection import NOTHING
from pneumoscreen.pacs.uids import uid_of
from pneumoscreen.server.client import ServerError
from PneumoScreenLib.client.server import Server

from .conftest import RunningServer, copied_models
from .on_pacs import serving_pacs

LIMIT_S = 300.0
NAMES = ("two-series", "plain", "film", "scout", "late")
RESULTS = ["DOC", "OT", "SEG", "SR"]


def study(name: str) -> str:
    return uid_of(name, "study")


def case(name: str) -> str:
    return case_name(study(name))


@pytest.fixture(scope="module")
def pacs(phantom: Volume, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DicomwebServer]:
    """Studies of patients whose names must not be seen anywhere."""
    server, folder = DicomwebServer().start(), tmp_path_factory.mktemp("sent")
    for name in ("two-series", "plain", "late", "scout"):
        planted = {**PLANTED, "AccessionNumber": f"ACC7731X-{name[:3]}", "StudyDate": "20240229"}
        files = write_ct(replace(phantom, case_id=name), folder / name, **planted)
        if name == "scout":
            for file in files[6:]:
                file.unlink()
        server.add(folder / name)
    planted = {**PLANTED, "SeriesInstanceUID": "1.2.3.4", "SeriesNumber": 2, "ConvolutionKernel": "Br64"}
    for number, file in enumerate(write_ct(replace(phantom, case_id="two-series"), folder / "sharp", **planted)):
        image = pydicom.dcmread(file)
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.4.{number}"
        image.save_as(file)
    server.add(folder / "sharp")
    film = replace(generate_radiograph(12, "covid19").radiograph, case_id="film")
    server.add(write_xray(film, folder / "film" / "1.dcm", **PLANTED))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def server(
    pacs: DicomwebServer, both_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    models, state = (
        copied_models(both_models, tmp_path_factory.mktemp("models")),
        tmp_path_factory.mktemp("s") / "state",
    )
    with serving_pacs(pacs.url, state, models, tmp_path_factory, "--send-results", "submitted") as running:
        assert running.client.wait_until_offered([case(name) for name in NAMES], LIMIT_S)
        yield running


def until(is_so: Callable[[], Any]) -> Any:
    """What a question answers once it answers with something."""
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        found = is_so()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError("it never came")


def reports(pacs: DicomwebServer, name: str) -> list[pydicom.Dataset]:
    """The structured reports of a study, in the order in which they were stored."""
    with pacs.lock:
        found = [pacs.tags[uid] for uid in dict.fromkeys(pacs.stored)]
    return [one for one in found if one.Modality == "SR" and one.StudyInstanceUID == study(name)]


def kinds(pacs: DicomwebServer, name: str) -> list[str]:
    found = pacs.of(StudyInstanceUID=study(name))
    return sorted(str(one.Modality) for one in found if one.Modality not in ("CT", "DX"))


def test_the_list_is_that_of_the_pacs(server: RunningServer) -> None:
    listed = server.client.get("/pneumoscreen/cases").json()
    assert {row["id"] for row in listed["cases"]} == {case(name) for name in NAMES}
    assert (listed["pacs"]["is_away"], listed["pacs"]["away_since"]) == (False, None) and listed["pacs"]["asked"]
    row = next(row for row in listed["cases"] if row["id"] == case("plain"))
    assert (row["state"], row["age"], row["acquired"]) == ("new", 81, "2024-02-29") and len(row["patient"]) == 12
    assert not list(server.studies.glob("*/*.dcm")), "nothing was fetched for it"


def test_a_case_goes_by_its_study_series_and_accession_number(server: RunningServer, pacs: DicomwebServer) -> None:
    found = server.client.infer("ct_screening", study("two-series"), output="json").document
    note = "The study holds 2 series that may be screened; this one was taken: series 1, soft kernel"
    assert found["case_id"] == case("two-series") and any(said.startswith(note) for said in found["notes"])
    assert found["image"]["series_uid"] == uid_of("two-series", "series")
    page = server.client.get(f"/pneumoscreen/report/{case('two-series')}").text
    assert "this one was taken: series 1" in page
    by_number = server.client.infer("ct_screening", "ACC7731X-two", output="json").document
    assert by_number["case_id"] == case("two-series")
    sharp = server.client.infer("ct_screening", "1.2.3.4", output="json").document
    assert sharp["case_id"] == case_name("", "1.2.3.4") and sharp["image"]["series_uid"] == "1.2.3.4"
    named = requests.post(f"{server.client.address}/pneumoscreen/pacs/find", json={"name": study("plain")}, timeout=60)
    assert named.json() == {"id": case("plain")}
    nobody = requests.post(f"{server.client.address}/infer/ct_screening?image=ACC7731X-nobody", timeout=60)
    assert nobody.status_code == 404 and "ACC7731X" not in nobody.text and "accession number" in nobody.text


def test_an_xray_and_a_study_without_images(server: RunningServer, pacs: DicomwebServer) -> None:
    found = server.client.infer("cxr_screening", case("film"), output="json").document
    assert found["modality"] == "CXR" and found["cxr"]["lung_boxes"]["left"] is not None
    with pytest.raises(ServerError, match=NOTHING):
        server.client.infer("ct_screening", case("scout"))
    row = server.client.get(f"/pneumoscreen/cases/{case('scout')}").json()
    assert (row["score"], row["error"]) == ("failed", NOTHING)


def test_an_image_comes_for_clients(server: RunningServer) -> None:
    answer = server.client.get(f"/datastore/image?image={case('plain')}")
    assert answer.content.startswith(b"NRRD")
    put = requests.put(
        f"{server.client.address}/datastore/image?image=x", files={"file": ("x.nrrd", answer.content)}, timeout=60
    )
    assert put.status_code == 422 and "those of a PACS" in put.json()["detail"]


def test_the_extension_reads_a_case(server: RunningServer, phantom: Volume, tmp_path: Path) -> None:
    client = Server(server.client.address, reader="dr-a")
    assert case("two-series") in {row["id"] for row in client.worklist()}
    told: list[str] = []
    picture = sitk.ReadImage(client.download(case("two-series"), str(tmp_path), lambda text, share: told.append(text)))
    assert picture.GetSize() == phantom.hu.shape[::-1] and told
    document = client.screen(case("two-series"), lambda text, share: told.append(text))
    masks = sitk.ReadImage(client.masks(case("two-series"), str(tmp_path)))
    assert masks.GetSize() == picture.GetSize() and masks.GetOrigin() == picture.GetOrigin()
    assert client.submit(case("two-series"), document, 0)["version"] == 1
    assert client.annotations(case("two-series"))["versions"][0]["reader"] == "dr-a"
    row = next(row for row in client.worklist() if row["id"] == case("two-series"))
    assert (row["state"], row["readers"]) == ("done", ["dr-a"])


def test_results_go_back_and_a_correction_supersedes(server: RunningServer, pacs: DicomwebServer) -> None:
    found = server.client.infer("ct_screening", case("plain"), output="json").document
    for reader in ("Reader A", "Reader B"):
        for region in found["regions"]:
            region["reader"] = {"label": "irrelevant", "name": reader, "at": "2026-11-24T10:00:00Z"}
        answer = requests.put(
            f"{server.client.address}/pneumoscreen/annotations/{case('plain')}",
            params={"reader": reader}, json=found, timeout=60,
        )  # fmt: skip
        assert answer.status_code == 200, answer.text
    until(lambda: kinds(pacs, "plain") == sorted(2 * RESULTS))
    first, second = reports(pacs, "plain")

    def named(report: pydicom.Dataset) -> list[str]:
        items = report.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence
        return [str(item.ReferencedSOPInstanceUID) for item in items]

    assert named(second) == [first.SOPInstanceUID] and "PredecessorDocumentsSequence" not in first
    assert [int(one.InstanceNumber) for one in (first, second)] == [1, 101]
    observers = [str(item.PersonName) for item in second.ContentSequence if "PersonName" in item]
    assert observers == ["Reader B^"]
    assert len(pacs.stored) == len(set(pacs.stored))
    nothing_left = {"send": "submitted", "waiting": 0, "problems": []}
    until(lambda: server.client.get("/pneumoscreen/pacs").json()["results"] == nothing_left)


def test_a_pacs_that_is_away_or_answers_rubbish(server: RunningServer, pacs: DicomwebServer) -> None:
    def screen() -> requests.Response:
        url = f"{server.client.address}/infer/ct_screening?image={case('late')}&output=json"
        return requests.post(url, timeout=120)

    pacs.raw = (b"<html>Quixotemann</html>", "text/html")
    answer = screen()
    assert answer.status_code == 502 and "gives no DICOMweb answer" in answer.json()["detail"], answer.text
    pacs.raw = None
    pacs.stop()
    assert screen().status_code == 503
    job = server.client.progress(case("late"))
    assert job is not None and job["state"] == "failed" and "does not answer" in job["detail"]
    listed = until(lambda: _if_away(server))
    assert {case(name) for name in NAMES} <= {row["id"] for row in listed["cases"]}
    assert "does not answer" in listed["pacs"]["detail"] and listed["pacs"]["away_since"] > listed["pacs"]["asked"]
    assert server.client.infer("ct_screening", case("plain"), output="json").document["case_id"] == case("plain")
    asked = requests.post(f"{server.client.address}/pneumoscreen/pacs/look", timeout=120)
    assert asked.status_code == 503
    pacs.start()
    until(lambda: not _if_away(server))
    assert screen().status_code == 200


def _if_away(server: RunningServer) -> dict[str, Any] | None:
    listed = server.client.get("/pneumoscreen/cases").json()
    return listed if listed["pacs"]["is_away"] else None


def test_a_data_set_holds_the_images_of_its_cases(server: RunningServer, tmp_path: Path) -> None:
    (tmp_path / "set.zip").write_bytes(server.client.get("/datastore/dataset").content)
    with zipfile.ZipFile(tmp_path / "set.zip") as archive:
        names = archive.namelist()
    assert sum(name.startswith(f"image/{case('plain')}/") for name in names) == 30
    assert f"label/{case('plain')}.json" in names


def test_nothing_of_a_patient_is_in_what_the_server_says_and_keeps(server: RunningServer) -> None:
    planted = [*PLANTED.values(), "Quixotemann", "Zebulon", "ACC7731X", "PHANTOM"]
    looked_at = [server.log, *(path for path in server.studies.rglob("*") if path.is_file())]
    kept = [path for path in looked_at if path.suffix not in (".dcm", ".npz", ".nrrd")]
    assert {"cases.sqlite", "results.sqlite", "server.log"} <= {path.name for path in kept}
    for path in kept:
        content = path.read_bytes()
        assert [word for word in planted if word.encode() in content] == [], path
    places = ("/pneumoscreen/cases", "/datastore/?output=all", "/pneumoscreen/progress", "/pneumoscreen/pacs")
    said = "".join(server.client.get(place).text for place in places)
    assert [word for word in planted if word in said] == []

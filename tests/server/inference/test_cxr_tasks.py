"""X-rays over HTTP: screened, reported, refused, labelled and offered for training, beside a CT."""

import io
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
import SimpleITK as sitk
from PIL import Image
from tests.images.radiographs import write_dataset

from pneumoscreen.active_learning.epistemic import DRAWS
from pneumoscreen.active_learning.score_file import ScoreStore
from pneumoscreen.case import CXR_CLASSES, SIDES, Case, Cxr, LungBox
from pneumoscreen.cxr.networks import NETWORKS
from pneumoscreen.cxr.phantoms.radiograph import RadiographSpec, generate_radiograph
from pneumoscreen.cxr.phantoms.studies import write_radiograph
from pneumoscreen.cxr.sampling import enclosing
from pneumoscreen.cxr.scoring import score_radiograph
from pneumoscreen.cxr.screening import CxrScreener, CxrScreening
from pneumoscreen.cxr.truth import load_radiograph
from pneumoscreen.images import read_radiograph_file
from pneumoscreen.images.volume import Volume
from pneumoscreen.models.store import ModelStore
from pneumoscreen.server import WORK_FOLDER
from pneumoscreen.server.client import Answer
from pneumoscreen.server.inference.engine import Engine
from pneumoscreen.server.work.scoring import models_in_use, score_cases, score_image
from pneumoscreen.studies.cases import Study, find_studies, read_document
from pneumoscreen.studies.layout import FINAL_LABELS, LESION_MASKS, LUNG_MASKS

from ..conftest import RunningServer, copied_models, serving

CHEST = "xray-000001"


@pytest.fixture(scope="module")
def folder(phantom: Volume, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """X-rays that can be screened, some that cannot, and a CT."""
    studies = tmp_path_factory.mktemp("clinic")
    for name in (FINAL_LABELS, LESION_MASKS, LUNG_MASKS):
        (studies / name).mkdir(parents=True)
    write_radiograph(studies, generate_radiograph(1, "covid19", RadiographSpec(size=160)))
    for made in (studies / "labels").rglob("*.*"):
        made.unlink()
    write_dataset(studies / "frontal.dcm")
    write_dataset(studies / "lateral.dcm", ViewPosition="LL")
    (studies / "truncated.png").write_bytes((studies / f"{CHEST}.png").read_bytes()[:3000])
    Image.fromarray(np.zeros((1, 1), np.uint8)).save(studies / "dot.png")
    y, x = np.mgrid[:200, :240]
    photograph = np.stack([x, y, 255 - x], axis=2).astype(np.uint8)
    Image.fromarray(photograph).save(studies / "photograph.jpg")
    sitk.WriteImage(phantom.to_sitk(phantom.hu), studies / "ct.nii.gz")
    return studies


@pytest.fixture(scope="module")
def clinic(folder: Path, both_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with serving(folder, both_models, tmp_path_factory, OMP_NUM_THREADS="1") as running:
        yield running


@pytest.fixture(scope="module")
def answer(clinic: RunningServer) -> Answer:
    return clinic.client.infer("cxr_screening", CHEST)


@pytest.fixture(scope="module")
def expected(folder: Path, both_models: Path) -> CxrScreening:
    """The same screening in this process."""
    radiograph = read_radiograph_file(folder / f"{CHEST}.png")
    return CxrScreener.from_store(ModelStore(both_models), "cpu").screen(radiograph, draws=DRAWS)


def post(server: RunningServer, path: str, **more: Any) -> requests.Response:
    return requests.post(f"{server.client.address}{path}", timeout=120, **more)


def refused(response: requests.Response, *statuses: int) -> str:
    assert response.status_code in statuses, response.text
    detail = response.json()["detail"]
    assert isinstance(detail, str)
    assert "Traceback" not in detail
    return detail


class TestScreening:
    def test_the_document_is_that_of_the_method(self, answer: Answer, expected: CxrScreening) -> None:
        case = Case.from_dict(answer.document)
        assert answer.label_map is None
        assert (case.case_id, case.modality) == (CHEST, "CXR")
        assert case.models.keys() == set(NETWORKS)
        assert {"read", "lungs", "classify", "total"} == case.timings_s.keys()
        assert replace(case, timings_s={}) == Case.from_dict({**expected.case.to_dict(), "timings_s": {}})
        assert case.verdict is not None
        assert case.cxr is not None
        assert case.verdict.label == "covid19"
        assert set(case.cxr.sides) == set(SIDES)

    def test_a_dicom_radiograph_is_screened_as_well(self, clinic: RunningServer) -> None:
        case = Case.from_dict(clinic.client.infer("cxr_screening", "frontal", output="json").document)
        assert (case.case_id, case.image.spacing_mm) == ("frontal", (0.2, 0.3))

    def test_twice_is_the_same(self, clinic: RunningServer, answer: Answer) -> None:
        again = clinic.client.infer("cxr_screening", CHEST).document
        assert {**again, "timings_s": None} == {**answer.document, "timings_s": None}

    def test_the_report_is_served(self, clinic: RunningServer, answer: Answer) -> None:
        report = clinic.client.get(f"/pneumoscreen/report/{CHEST}")
        assert report.headers["content-type"].startswith("text/html")
        assert CHEST in report.text
        assert "COVID-19" in report.text

    def test_the_document_of_the_last_screening_is_served(self, clinic: RunningServer, answer: Answer) -> None:
        kept = clinic.client.get(f"/pneumoscreen/screening/{CHEST}").json()
        assert kept["cxr"] == answer.document["cxr"]

    def test_the_gradcam_lies_on_the_picture(
        self, clinic: RunningServer, answer: Answer, expected: CxrScreening, tmp_path: Path
    ) -> None:
        (tmp_path / "map.nrrd").write_bytes(clinic.client.get(f"/pneumoscreen/masks/{CHEST}").content)
        image = sitk.ReadImage(tmp_path / "map.nrrd")
        width, height = answer.document["image"]["size"]
        assert width != height
        assert image.GetSize() == (width, height, 1)
        assert image.GetPixelID() == sitk.sitkUInt8
        np.testing.assert_allclose(image.GetSpacing()[:2], answer.document["image"]["spacing_mm"], rtol=1e-5)
        heat = sitk.GetArrayFromImage(image)[0]
        np.testing.assert_allclose(heat, expected.gradcam * 255.0, atol=1.01)
        assert heat.max() > 200
        assert np.abs(heat[:, ::-1].astype(float) - expected.gradcam * 255.0).max() > 50, "not mirrored"
        x, y, w, h = enclosing([tuple(found["box"]) for found in answer.document["cxr"]["lung_boxes"].values()])
        outside = np.ones(heat.shape, dtype=bool)
        outside[round(y) : round(y + h), round(x) : round(x + w)] = False
        assert not heat[outside].any()

    def test_the_worklist_knows_it(self, clinic: RunningServer, answer: Answer, expected: CxrScreening) -> None:
        rows = {row["id"]: row for row in clinic.client.get("/pneumoscreen/cases").json()["cases"]}
        row, score = rows[CHEST], score_radiograph(CHEST, expected)
        assert (row["modality"], row["verdict"], row["score"]) == ("CXR", "covid19", "fresh")
        assert row["confidence"] == pytest.approx(answer.document["verdict"]["confidence"]["covid19"])
        assert row["uncertainty"] == pytest.approx(score.uncertainty, abs=1e-4)
        assert row["epistemic"] == pytest.approx(score.epistemic, abs=1e-4)

    def test_a_clinical_diagnosis_is_of_the_x_rays_classes(self, clinic: RunningServer) -> None:
        told = clinic.client.infer("cxr_screening", CHEST, {"diagnosis": "cap"}, "json").document
        assert told["diagnosis"] == "cap"
        data = {"params": json.dumps({"diagnosis": "influenza_a"})}
        detail = refused(post(clinic, f"/infer/cxr_screening?image={CHEST}", data=data), 422)
        assert "parameter diagnosis: 'influenza_a' is none of covid19, healthy, cap" in detail

    def test_an_upload_is_screened(self, clinic: RunningServer, answer: Answer) -> None:
        content = (clinic.studies / f"{CHEST}.png").read_bytes()
        found = post(clinic, "/infer/cxr_screening?output=json", files={"file": ("mine.png", io.BytesIO(content))})
        assert found.status_code == 200, found.text
        assert found.json()["cxr"] == answer.document["cxr"]
        assert found.json()["case_id"] == "mine"


class TestRefusals:
    @pytest.mark.parametrize(
        ("task", "image", "says"),
        [
            ("cxr_screening", "ct", "CT"),
            ("ct_screening", CHEST, "radiograph (X-ray) and not a CT; give a chest CT"),
            ("ct_screening", "frontal", "not a CT"),
            ("cxr_screening", "lateral", "lateral"),
            ("cxr_screening", "truncated", "truncated.png"),
            ("cxr_screening", "dot", "dot.png"),
            ("cxr_screening", "photograph", "photograph.jpg"),
        ],
    )
    def test_what_is_no_frontal_radiograph(self, clinic: RunningServer, task: str, image: str, says: str) -> None:
        detail = refused(post(clinic, f"/infer/{task}?image={image}"), 422)
        assert says in detail
        assert clinic.client.get("/info/").status_code == 200
        if task == "cxr_screening":
            assert requests.get(f"{clinic.client.address}/pneumoscreen/report/{image}", timeout=30).status_code == 404

    def test_there_is_no_label_map(self, clinic: RunningServer) -> None:
        detail = refused(post(clinic, f"/infer/cxr_screening?image={CHEST}&output=image"), 422)
        assert detail == "query output: cxr_screening has no label map; use json"

    def test_a_waiting_screening_can_be_cancelled(self, clinic: RunningServer) -> None:
        """It waits behind the screening of a CT, which takes longer than the cancelling."""
        answers: dict[str, requests.Response] = {}

        def ask(task: str, image: str) -> None:
            answers[task] = post(clinic, f"/infer/{task}?image={image}&output=json")

        def job(task: str) -> dict[str, Any] | None:
            jobs = clinic.client.get("/pneumoscreen/progress").json()["jobs"]
            return next((job for job in jobs if job["task"] == task), None)

        def wait_for(task: str) -> dict[str, Any]:
            end = time.monotonic() + 60.0
            while (found := job(task)) is None:
                assert time.monotonic() < end
                time.sleep(0.01)
            return found

        threads = [
            threading.Thread(target=ask, args=pair) for pair in (("ct_screening", "ct"), ("cxr_screening", CHEST))
        ]
        threads[0].start()
        wait_for("ct_screening")
        threads[1].start()
        waiting = wait_for("cxr_screening")
        assert waiting["state"] == "queued"
        assert post(clinic, f"/pneumoscreen/cancel/{waiting['id']}").status_code == 200
        for thread in threads:
            thread.join(120)
        assert "cancelled" in refused(answers["cxr_screening"], *range(400, 500))
        assert answers["ct_screening"].status_code == 200
        assert clinic.client.get(f"/pneumoscreen/progress/{CHEST}").json()["state"] == "cancelled"


class TestInfo:
    def test_task_and_trainings_are_offered(self, clinic: RunningServer) -> None:
        info = clinic.client.get("/info/").json()
        task = info["models"]["cxr_screening"]
        assert (task["type"], task["dimension"]) == ("classification", 2)
        assert list(task["labels"]) == list(CXR_CLASSES)
        assert task["versions"] == dict.fromkeys(NETWORKS, 1)
        assert set(NETWORKS) <= set(info["trainers"])
        assert info["trainers"]["cxr_discrimination"]["config"]["max_epochs"] == 20
        assert info["trainers"]["cxr_discrimination"]["config"]["train_batch_size"] == 16

    def test_a_networks_weights_can_be_fetched(self, clinic: RunningServer, both_models: Path) -> None:
        found = clinic.client.get("/model/cxr_localization").content
        assert found == (both_models / "cxr_localization" / "1" / "model.safetensors").read_bytes()

    @pytest.mark.parametrize(
        ("body", "named"),
        [
            ({"max_epochs": 0}, "max_epochs"),
            ({"train_batch_size": 1}, "train_batch_size"),
            ({"heads": "m2"}, "heads"),
            ({"colour": "red"}, "colour"),
            ({"max_epochs": "many"}, "max_epochs"),
        ],
    )
    @pytest.mark.parametrize("task", NETWORKS)
    def test_a_trainings_parameters_are_checked(
        self, clinic: RunningServer, task: str, body: dict[str, Any], named: str
    ) -> None:
        assert named in refused(post(clinic, f"/train/{task}", json=body), 422)
        assert requests.get(f"{clinic.client.address}/train/", timeout=30).status_code == 404, "nothing was started"

    def test_an_unknown_training_is_told_which_there_are(self, clinic: RunningServer) -> None:
        assert "cxr_localization" in refused(post(clinic, "/train/cxr_lungs", json={}), 404)


def load_document(study: Study) -> Cxr:
    """The findings that count of an X-ray."""
    cxr = read_document(study.document).cxr
    assert cxr is not None
    return cxr


def test_a_readers_class_and_side_become_the_label(clinic: RunningServer, answer: Answer) -> None:
    case = Case.from_dict(answer.document)
    assert case.cxr is not None
    said = {"label": "covid19", "location": "right", "name": "reader-a", "at": "2026-11-24T10:00:00Z"}
    read = replace(case, cxr=Cxr(case.cxr.lung_boxes, case.cxr.probabilities, case.cxr.sides, case.cxr.location, said))
    url = f"{clinic.client.address}/pneumoscreen/annotations/{CHEST}"
    stored = requests.put(url, data=read.to_json().encode(), timeout=60)
    assert stored.status_code == 200, stored.text
    assert stored.json()["version"] == 1
    rows = {row["id"]: row for row in clinic.client.get("/pneumoscreen/cases").json()["cases"]}
    assert (rows[CHEST]["state"], rows[CHEST]["modality"], rows[CHEST]["versions"]) == ("done", "CXR", 1)
    (study,) = find_studies(clinic.studies, modality="CXR")
    label = load_radiograph(study)
    assert (label.label, label.sides) == ("covid19", {"left": False, "right": True})
    assert label.lung_boxes == case.cxr.boxes
    sources = {side: box.source for side, box in load_document(study).lung_boxes.items()}
    assert sources == {"left": "model", "right": "model"}
    x, y, w, h = case.cxr.boxes["left"]
    moved = {**case.cxr.lung_boxes, "left": LungBox((x + 5.0, y, w, h))}
    again = replace(read, cxr=replace(case.cxr, lung_boxes=moved, reader=said))
    assert requests.put(url, data=again.to_json().encode(), timeout=60).status_code == 200
    sources = {side: box.source for side, box in load_document(study).lung_boxes.items()}
    assert sources == {"left": "reader", "right": "model"}, "a box that lies elsewhere was placed by the reader"
    assert load_radiograph(study).lung_boxes["left"] == (x + 5.0, y, w, h)
    for field, wrong in (("label", "plague"), ("location", "middle")):
        document = {**read.to_dict(), "cxr": {**read.to_dict()["cxr"], "reader": {**said, field: wrong}}}
        detail = refused(requests.put(url, data=json.dumps(document), timeout=60), 400, 409, 422)
        assert f"cxr.reader.{field}" in detail


def submitted(clinic: RunningServer, document: dict[str, Any]) -> tuple[dict[str, str], list[str]]:
    """The sources of the lung boxes as they are kept, and what the answer says was changed."""
    url = f"{clinic.client.address}/pneumoscreen/annotations/{CHEST}"
    stored = requests.put(url, data=json.dumps(document), timeout=60)
    assert stored.status_code == 200, stored.text
    (study,) = find_studies(clinic.studies, modality="CXR")
    return {side: box.source for side, box in load_document(study).lung_boxes.items()}, stored.json()["changes"]


@pytest.mark.parametrize("shift", [0.0, 0.04], ids=["as they are", "rounded"])
def test_boxes_that_nobody_moved_are_no_readers(clinic: RunningServer, answer: Answer, shift: float) -> None:
    document = json.loads(json.dumps(answer.document))
    for found in document["cxr"]["lung_boxes"].values():
        found["box"][0] += shift
        found["source"] = "reader"
    sources, changes = submitted(clinic, document)
    assert sources == {"left": "model", "right": "model"}, "a network would learn from itself"
    assert "The box of the left lung counts as the model's: nobody moved it." in changes


def test_boxes_of_a_network_that_was_replaced_meanwhile_are_no_readers(clinic: RunningServer, answer: Answer) -> None:
    """The document was made from a screening by an older network; the last screening has other boxes."""
    document = json.loads(json.dumps(answer.document))
    document["models"]["cxr_lung_boxes"] = {"version": 7, "sha256": "other"}
    for found in document["cxr"]["lung_boxes"].values():
        found["box"][0] += 9.0
    assert submitted(clinic, document)[0] == {"left": "model", "right": "model"}
    document["cxr"]["lung_boxes"]["right"]["source"] = "reader"
    document["cxr"]["lung_boxes"]["right"]["box"][1] += 9.0
    assert submitted(clinic, document)[0] == {"left": "model", "right": "reader"}


def test_a_document_that_contradicts_itself_is_mended_or_refused(clinic: RunningServer, answer: Answer) -> None:
    url = f"{clinic.client.address}/pneumoscreen/annotations/{CHEST}"
    document = json.loads(json.dumps(answer.document))
    found = document["cxr"]["probabilities"]
    likeliest = max(found, key=found.get)
    document["verdict"].update(label="cap", probability={"covid19": 0.8, "cap": 0.7}, confidence={"cap": 1.0})
    assert (
        f"The verdict is {likeliest}, not cap, by the probabilities of the classes." in submitted(clinic, document)[1]
    )
    (study,) = find_studies(clinic.studies, modality="CXR")
    kept = read_document(study.document).verdict
    assert kept is not None and (kept.label, kept.probability, kept.confidence) == (likeliest, found, found)
    for path, wrong in (("probabilities", {"covid19": 0.7, "healthy": 0.1, "cap": 0.7}), ("location", "bipulmonary")):
        broken = json.loads(json.dumps(answer.document))
        broken["verdict"]["label"] = "healthy"
        broken["cxr"][path] = wrong
        assert f"field cxr.{path} must" in refused(requests.put(url, data=json.dumps(broken), timeout=60), 400, 422)


class TestScoring:
    def test_a_radiograph_is_scored_as_its_screening_says(
        self, folder: Path, both_models: Path, expected: CxrScreening
    ) -> None:
        engine = Engine(ModelStore(both_models))
        with engine.turn:
            stored = score_image(CHEST, folder / f"{CHEST}.png", engine)
        wanted = score_radiograph(CHEST, expected)
        assert stored.score is not None
        assert stored.finding is not None
        assert (stored.finding.modality, stored.finding.label, stored.finding.regions) == ("CXR", "covid19", 0)
        assert stored.score.uncertainty == pytest.approx(wanted.uncertainty, abs=1e-4)
        assert stored.models.keys() == set(NETWORKS)
        assert stored.is_fresh(models_in_use(engine)), "other models for CTs do not make it stale"

    @pytest.mark.parametrize("name", ["lateral.dcm", "truncated.png", "dot.png", "photograph.jpg"])
    def test_what_cannot_be_screened_is_scored_with_its_reason(
        self, folder: Path, both_models: Path, name: str
    ) -> None:
        engine = Engine(ModelStore(both_models))
        with engine.turn:
            stored = score_image("x", folder / name, engine)
        assert stored.score is None
        assert stored.error is not None
        assert name in stored.error

    def test_what_has_no_readable_header_does_not_end_the_scoring(self, both_models: Path, tmp_path: Path) -> None:
        (tmp_path / "junk.dcm").write_bytes(b"no DICOM at all")
        engine = Engine(ModelStore(both_models))
        with engine.turn:
            stored = score_image("junk", tmp_path / "junk.dcm", engine)
        assert stored.score is None
        assert stored.error

    def test_a_site_without_models_for_ct_scores_its_radiographs(
        self, folder: Path, both_models: Path, tmp_path: Path
    ) -> None:
        store = ModelStore(copied_models(both_models, tmp_path / "models"))
        for name in ("ct_candidates", "ct_classifier"):
            for file in sorted(store.root.glob(f"{name}/**/*"), reverse=True):
                file.rmdir() if file.is_dir() else file.unlink()
        scores = ScoreStore(tmp_path / WORK_FOLDER)
        images = {"a-ct": folder / "ct.nii.gz", CHEST: folder / f"{CHEST}.png"}
        progress = score_cases(Engine(store), lambda: images, scores, set(), tmp_path / "progress.json")
        assert (progress.total, progress.done, progress.failed) == (2, 2, 1)
        assert set(scores.all()) == {CHEST}

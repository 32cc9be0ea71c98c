"""Inference over HTTP against a real server: documents, label maps, geometry."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
import requests
import SimpleITK as sitk

from pneumoscreen.case import Case, Region
from pneumoscreen.images.volume import Volume
from pneumoscreen.server.client import Answer

from ...conftest import RunningServer


@pytest.fixture(scope="module")
def screenings(server: RunningServer) -> dict[str, Answer]:
    """Both orientations of the phantom, screened."""
    return {image: server.client.infer("ct_screening", image) for image in ("upright", "turned")}


def read_label_map(answer: Answer, folder: Path) -> sitk.Image:
    assert answer.label_map is not None
    assert answer.label_map_name is not None
    file = folder / answer.label_map_name
    file.write_bytes(answer.label_map)
    return sitk.ReadImage(str(file))


@pytest.mark.parametrize("image", ["upright", "turned"])
def test_a_screening_is_a_valid_document(screenings: dict[str, Answer], image: str) -> None:
    case = Case.from_dict(screenings[image].document)
    assert case.case_id == image
    assert case.modality == "CT"
    assert case.verdict is not None
    assert case.regions, "the untrained network finds something; without regions the tests below test nothing"
    assert all(1 <= len(region.patches) <= 3 for region in case.regions)
    assert case.models.keys() == {"ct_candidates", "ct_classifier"}
    assert {"read", "lungs", "candidates", "classify", "total"} <= case.timings_s.keys()


@pytest.mark.parametrize(("image", "file"), [("upright", "upright.nii.gz"), ("turned", "turned.nrrd")])
def test_the_label_map_lies_on_the_stored_image(
    server: RunningServer, screenings: dict[str, Answer], tmp_path: Path, image: str, file: str
) -> None:
    stored = sitk.ReadImage(str(server.studies / file))
    labels = read_label_map(screenings[image], tmp_path)
    assert labels.GetSize() == stored.GetSize()
    assert np.allclose(labels.GetSpacing(), stored.GetSpacing(), atol=1e-4)
    assert np.allclose(labels.GetOrigin(), stored.GetOrigin(), atol=1e-3)
    assert np.allclose(labels.GetDirection(), stored.GetDirection(), atol=1e-6)


@pytest.mark.parametrize("image", ["upright", "turned"])
def test_each_region_of_the_label_map_stands_where_the_document_says(
    screenings: dict[str, Answer], tmp_path: Path, image: str
) -> None:
    case = Case.from_dict(screenings[image].document)
    labels = read_label_map(screenings[image], tmp_path)
    array = sitk.GetArrayFromImage(labels)
    direction = np.array(labels.GetDirection()).reshape(3, 3)
    seen = 0
    for value, region in enumerate(case.regions, start=1):
        voxels = np.argwhere(array == value)[:, ::-1].astype(float)
        if len(voxels) == 0:
            continue  # behind regions with a higher score
        seen += 1
        points = (voxels * labels.GetSpacing()) @ direction.T + labels.GetOrigin()
        # Half a voxel of slack along each axis: a voxel belongs to a box if its centre does.
        slack = np.abs(direction) @ np.array(labels.GetSpacing()) / 2 + 1e-3
        half = np.array(region.size_mm) / 2
        assert np.all(np.abs(points - region.center_mm) <= half + slack), f"region {region.id}"
    assert seen >= 1


def test_both_orientations_tell_the_same(screenings: dict[str, Answer]) -> None:
    upright, turned = (Case.from_dict(screenings[image].document) for image in ("upright", "turned"))
    assert len(upright.regions) == len(turned.regions)
    for one, other in zip(upright.regions, turned.regions, strict=True):
        assert np.allclose(one.center_mm, other.center_mm, atol=0.1)
        assert one.side == other.side
        assert one.label == other.label
    assert upright.verdict is not None
    assert turned.verdict is not None
    assert upright.verdict.label == turned.verdict.label


def test_sides_are_the_patients(screenings: dict[str, Answer], phantom: Volume) -> None:
    case = Case.from_dict(screenings["upright"].document)
    middle_x = float(phantom.index_to_mm(np.array(phantom.hu.shape) / 2)[0])
    far = [region for region in case.regions if abs(region.center_mm[0] - middle_x) > 40]
    assert far
    for region in far:
        assert region.side == ("left" if region.center_mm[0] > middle_x else "right")


def test_screening_twice_gives_the_same_but_for_times(server: RunningServer, screenings: dict[str, Answer]) -> None:
    again = server.client.infer("ct_screening", "upright")
    first = {**screenings["upright"].document, "timings_s": None}
    assert {**again.document, "timings_s": None} == first
    assert again.label_map is not None


def test_output_chooses_the_parts(server: RunningServer) -> None:
    only_json = server.client.infer("ct_candidates", "upright", output="json")
    assert only_json.label_map is None
    url = f"{server.client.address}/infer/ct_candidates"
    image = requests.post(url, params={"image": "upright", "output": "image"}, timeout=120)
    assert image.status_code == 200
    assert image.content[:4] == b"NRRD"
    nifti = server.client.infer("ct_candidates", "upright", {"result_extension": ".nii.gz"})
    assert nifti.label_map is not None
    assert nifti.label_map[:2] == b"\x1f\x8b"


def test_candidates_have_no_labels_and_the_boxes_of_the_screening(
    server: RunningServer, screenings: dict[str, Answer]
) -> None:
    case = Case.from_dict(server.client.infer("ct_candidates", "upright", output="json").document)
    assert case.verdict is None
    assert case.regions
    assert all(region.label is None and region.patches == () for region in case.regions)
    screened = {region.center_mm for region in Case.from_dict(screenings["upright"].document).regions}
    assert screened <= {region.center_mm for region in case.regions}
    assert case.models.keys() == {"ct_candidates"}


def test_the_classifier_labels_given_regions_as_the_screening_did(
    server: RunningServer, screenings: dict[str, Answer]
) -> None:
    screened = Case.from_dict(screenings["upright"].document)
    sent = [{"center_mm": list(region.center_mm), "size_mm": list(region.size_mm)} for region in screened.regions[:3]]
    case = Case.from_dict(server.client.infer("ct_classifier", "upright", {"regions": sent}).document)
    assert [region.id for region in case.regions] == ["r1", "r2", "r3"][: len(sent)]
    for got, expected in zip(case.regions, screened.regions, strict=False):
        assert got.side == expected.side
        assert got.label == expected.label
        assert [patch.slice for patch in got.patches] == [patch.slice for patch in expected.patches]
        assert got.confidence == pytest.approx(expected.confidence, abs=1e-4)
        # The region has its infected volume once the server has seen it.
        assert got.infected_ml == pytest.approx(expected.infected_ml, rel=0.1, abs=0.1)
    assert case.verdict is not None
    assert case.models.keys() == {"ct_candidates", "ct_classifier"}


def test_a_readers_mark_survives_the_classifier_and_decides_the_verdict(
    server: RunningServer, screenings: dict[str, Answer]
) -> None:
    region = dict(screenings["upright"].document["regions"][0])
    region["reader"] = {"label": "influenza_a", "name": "reader-a", "at": "2026-11-22T10:00:00Z"}
    document = server.client.infer("ct_classifier", "upright", {"regions": [region]}).document
    case = Case.from_dict(document)
    assert case.regions[0].reader is not None
    assert case.regions[0].source == "model"
    assert case.verdict is not None
    assert case.verdict.label == "influenza_a"
    assert case.verdict.confidence == {"influenza_a": 1.0}


def test_no_regions_means_no_infection(server: RunningServer) -> None:
    case = Case.from_dict(server.client.infer("ct_classifier", "upright", {"regions": []}).document)
    assert case.regions == ()
    assert case.verdict is not None
    assert case.verdict.label == "no_infection_found"


def test_an_upload_is_screened_and_leaves_nothing(server: RunningServer, screenings: dict[str, Answer]) -> None:
    before = set(Path(tempfile.gettempdir()).glob("pneumoscreen-*"))
    with (server.studies / "turned.nrrd").open("rb") as file:
        answer = requests.post(
            f"{server.client.address}/infer/ct_candidates?output=json",
            files={"file": ("../../some case.nrrd", file)},
            timeout=120,
        )
    assert answer.status_code == 200, answer.text
    case = Case.from_dict(answer.json())
    assert case.case_id == "some_case"
    expected = Case.from_dict(screenings["turned"].document)
    assert {r.center_mm for r in expected.regions} <= {r.center_mm for r in case.regions}
    assert set(Path(tempfile.gettempdir()).glob("pneumoscreen-*")) <= before


def test_a_session_is_screened(server: RunningServer) -> None:
    address = server.client.address
    with (server.studies / "upright.nii.gz").open("rb") as file:
        made = requests.put(f"{address}/session/", files={"files": ("scan.nii.gz", file)}, timeout=60)
    session = made.json()["session_id"]
    try:
        answer = requests.post(
            f"{address}/infer/ct_candidates", params={"session_id": session, "output": "json"}, timeout=120
        )
        assert answer.status_code == 200, answer.text
        assert Case.from_dict(answer.json()).regions
    finally:
        assert requests.delete(f"{address}/session/{session}", timeout=60).status_code == 200
    gone = requests.post(f"{address}/infer/ct_candidates", params={"session_id": session}, timeout=60)
    assert gone.status_code == 404


def test_the_report_of_the_last_screening_is_served(server: RunningServer, screenings: dict[str, Answer]) -> None:
    response = server.client.get("/pneumoscreen/report/upright")
    assert response.headers["content-type"].startswith("text/html")
    assert "upright" in response.text
    missing = requests.get(f"{server.client.address}/pneumoscreen/report/broken", timeout=30)
    assert missing.status_code == 404


def test_the_document_of_the_last_screening_is_served(server: RunningServer, screenings: dict[str, Answer]) -> None:
    kept = Case.from_dict(server.client.get("/pneumoscreen/screening/turned").json())
    assert kept.regions == Case.from_dict(screenings["turned"].document).regions
    for missing in ("broken", "%2e%2e%2fscreening%2fturned"):
        assert requests.get(f"{server.client.address}/pneumoscreen/screening/{missing}", timeout=30).status_code == 404


@pytest.mark.parametrize("image", ["upright", "turned"])
def test_the_masks_lie_on_the_stored_image_with_the_patients_sides(
    server: RunningServer, screenings: dict[str, Answer], image: str, tmp_path: Path
) -> None:
    (tmp_path / "masks.nrrd").write_bytes(server.client.get(f"/pneumoscreen/masks/{image}").content)
    masks = sitk.ReadImage(str(tmp_path / "masks.nrrd"))
    scan = sitk.ReadImage(str(next(server.studies.glob(f"{image}.n*"))))
    assert masks.GetSize() == scan.GetSize()
    np.testing.assert_allclose(masks.GetOrigin(), scan.GetOrigin(), atol=1e-3)
    np.testing.assert_allclose(masks.GetDirection(), scan.GetDirection(), atol=1e-4)
    statistics = sitk.LabelShapeStatisticsImageFilter()
    statistics.Execute(masks)
    assert {1, 2} <= set(statistics.GetLabels()) <= {1, 2, 3}
    assert statistics.GetCentroid(1)[0] > statistics.GetCentroid(2)[0], "LPS: x grows towards the patient's left"
    assert requests.get(f"{server.client.address}/pneumoscreen/masks/broken", timeout=30).status_code == 404


def test_a_screening_can_be_saved_as_a_label(server: RunningServer) -> None:
    server.client.infer("ct_screening", "turned", {"save_label": True}, output="json")
    saved = requests.get(
        f"{server.client.address}/datastore/label", params={"label": "turned", "tag": "original"}, timeout=30
    )
    assert Case.from_json(saved.text).case_id == "turned"
    assert isinstance(Case.from_json(saved.text).regions[0], Region)


def test_stock_clients_extra_parameters_are_taken(server: RunningServer) -> None:
    params = {"client_id": "user-xyz", "device": "cpu", "label_info": [{"name": "lesion"}], "logging": "info"}
    assert server.client.infer("ct_candidates", "upright", params, "json").document["regions"]

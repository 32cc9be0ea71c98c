"""Real scans over REST: a NIfTI file with disease on the right, and a DICOM folder, with the published networks."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
import requests
import SimpleITK as sitk

from pneumoscreen.case import Case
from pneumoscreen.models.store import DEFAULT_ROOT
from pneumoscreen.server.client import Answer

from .conftest import RunningServer, serving

NIFTI, DICOM = "rid74879", "lungdx_A0001_dicom"
PATIENT = "Zyxqvwatson"
"""A name that stands nowhere else."""


@pytest.fixture(scope="module")
def real_server(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server over two real scans; the DICOM series carries a patient's name."""
    studies = tmp_path_factory.mktemp("real studies")
    shutil.copyfile(shared_data / "ct" / "radiopaedia_covid19" / f"{NIFTI}.nii.gz", studies / f"{NIFTI}.nii.gz")
    (studies / DICOM).mkdir()
    for path in sorted((shared_data / "ct" / DICOM).glob("*.dcm")):
        dataset = pydicom.dcmread(path)
        dataset.PatientName = f"{PATIENT}^Anna"
        dataset.save_as(studies / DICOM / path.name)
    with serving(studies, DEFAULT_ROOT, tmp_path_factory) as running:
        yield running


@pytest.fixture(scope="module")
def nifti(real_server: RunningServer) -> Answer:
    """The NIfTI file, screened."""
    return real_server.client.infer("ct_screening", NIFTI)


@pytest.fixture(scope="module")
def dicom(real_server: RunningServer) -> Answer:
    """The DICOM folder, screened."""
    return real_server.client.infer("ct_screening", DICOM)


def image_of(content: bytes | None, name: str, folder: Path) -> sitk.Image:
    assert content
    (folder / name).write_bytes(content)
    return sitk.ReadImage(str(folder / name))


def assert_same_grid(one: sitk.Image, other: sitk.Image) -> None:
    assert one.GetSize() == other.GetSize()
    assert np.allclose(one.GetSpacing(), other.GetSpacing(), atol=1e-5)
    assert np.allclose(one.GetOrigin(), other.GetOrigin(), atol=1e-3)
    assert np.allclose(one.GetDirection(), other.GetDirection(), atol=1e-6)


def assert_regions_stand_where_the_document_says(case: Case, labels: sitk.Image) -> None:
    array = sitk.GetArrayViewFromImage(labels)
    to_axes = np.linalg.inv(np.array(labels.GetDirection()).reshape(3, 3))
    seen = 0
    for value, region in enumerate(case.regions, start=1):
        voxels = np.argwhere(array == value)[:, ::-1]
        if len(voxels) == 0:
            continue  # behind regions with a higher score
        seen += 1
        middle = to_axes @ (np.array(region.center_mm) - labels.GetOrigin())
        # A voxel belongs to a box if its centre does; half a voxel of slack.
        reach = np.array(region.size_mm) / 2 + np.array(labels.GetSpacing()) / 2 + 1e-3
        assert np.all(np.abs(voxels * np.array(labels.GetSpacing()) - middle) <= reach), f"region {region.id}"
    assert seen >= 1


def test_the_label_map_of_a_nifti_file_lies_on_it(real_server: RunningServer, nifti: Answer, tmp_path: Path) -> None:
    case = Case.from_dict(nifti.document)
    labels = image_of(nifti.label_map, "labels.nrrd", tmp_path)
    stored = sitk.ReadImage(str(real_server.studies / f"{NIFTI}.nii.gz"))
    assert_same_grid(labels, stored)
    assert case.image.size == stored.GetSize()
    assert_regions_stand_where_the_document_says(case, labels)


def test_the_disease_is_found_on_the_right(nifti: Answer) -> None:
    case = Case.from_dict(nifti.document)
    best = case.regions[0]
    assert best.side == "right"
    middle = np.mean([region.center_mm[0] for region in case.regions if region.side == "right"])
    assert all(region.center_mm[0] > middle for region in case.regions if region.side == "left")
    assert case.lungs["right"].affected_percent > case.lungs["left"].affected_percent


def test_a_dicom_folder_its_image_and_its_label_map_share_a_grid(
    real_server: RunningServer, dicom: Answer, tmp_path: Path
) -> None:
    case = Case.from_dict(dicom.document)
    assert case.case_id == DICOM
    assert case.image.series_uid
    response = real_server.client.get(f"/datastore/image?image={DICOM}")
    assert f'filename="{DICOM}.nrrd"' in response.headers["content-disposition"]
    image = image_of(response.content, "image.nrrd", tmp_path)
    assert image.GetSize() == case.image.size == (512, 512, 64)
    labels = image_of(dicom.label_map, "labels.nrrd", tmp_path)
    assert_same_grid(labels, image)
    assert_regions_stand_where_the_document_says(case, labels)
    files = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(real_server.studies / DICOM))
    series = sitk.ReadImage(files)
    # Whatever the order of the slices, a point of the patient has the same value.
    for index in ((0, 0, 0), (256, 256, 32), (130, 200, 10), (400, 300, 60)):
        here = series.TransformPhysicalPointToIndex(image.TransformIndexToPhysicalPoint(index))
        assert series.GetPixel(here) == image.GetPixel(index)
    head = requests.head(f"{real_server.client.address}/datastore/image", params={"image": DICOM}, timeout=30)
    assert head.status_code == 200


def test_a_changed_series_is_converted_anew(real_server: RunningServer) -> None:
    copies = real_server.studies / ".pneumoscreen" / "images"
    real_server.client.get(f"/datastore/image?image={DICOM}")
    (first,) = copies.iterdir()
    real_server.client.get(f"/datastore/image?image={DICOM}")
    assert list(copies.iterdir()) == [first]
    one = real_server.studies / DICOM / "001.dcm"
    one.touch()
    real_server.client.get(f"/datastore/image?image={DICOM}")
    (second,) = copies.iterdir()
    assert second != first


def test_a_moved_region_is_labelled_anew(real_server: RunningServer, nifti: Answer) -> None:
    sent = nifti.document["regions"][0]  # among all others: a region alone may be too weak for its label
    x, y, z = sent["center_mm"]
    moved = {**sent, "center_mm": [x, y + 6.0, z]}
    case = Case.from_dict(
        real_server.client.infer(
            "ct_classifier", NIFTI, {"regions": [*nifti.document["regions"], {**moved, "id": "m"}]}
        ).document
    )
    same, *_, other = case.regions
    assert same.label == sent["label"]
    # Patches are judged in other company, and rounding depends on the size of a batch: in the last digits only.
    for anew, before in zip(same.patches, Case.from_dict(nifti.document).regions[0].patches, strict=True):
        assert (anew.slice, anew.label) == (before.slice, before.label)
        assert anew.distance_from_edge == pytest.approx(before.distance_from_edge, abs=1e-9)
        assert anew.probabilities == pytest.approx(before.probabilities, abs=1e-4)
    assert other.center_mm == (x, y + 6.0, z)
    assert other.patches
    assert other.patches != same.patches
    assert other.side == "right"
    assert case.verdict is not None


def test_candidates_alone(real_server: RunningServer, nifti: Answer) -> None:
    answer = real_server.client.infer("ct_candidates", NIFTI)
    assert answer.label_map
    case = Case.from_dict(answer.document)
    screened = Case.from_dict(nifti.document)
    assert {region.center_mm for region in screened.regions} <= {region.center_mm for region in case.regions}


def test_the_report_is_of_this_scan(real_server: RunningServer, nifti: Answer) -> None:
    text = real_server.client.get(f"/pneumoscreen/report/{NIFTI}").text
    assert NIFTI in text
    assert 'src="http' not in text


def test_a_saved_document_comes_back(real_server: RunningServer, nifti: Answer) -> None:
    address = f"{real_server.client.address}/datastore/label"
    document = json.dumps(nifti.document)
    saved = requests.put(
        address, params={"image": NIFTI, "tag": "final"}, files={"label": ("case.json", document)}, timeout=30
    )
    assert saved.status_code == 200, saved.text
    back = requests.get(address, params={"label": NIFTI, "tag": "final"}, timeout=30)
    assert Case.from_dict(back.json()) == Case.from_dict(nifti.document)


def test_nothing_tells_the_patients_name(real_server: RunningServer) -> None:
    dicom = real_server.client.infer("ct_screening", DICOM)  # another test changes a file of it
    report = real_server.client.get(f"/pneumoscreen/report/{DICOM}").text
    log = real_server.log.read_text(encoding="utf-8")
    assert "ct_screening of case " in log and DICOM not in log, "an id may be a name: the log holds a digest"
    for text in (log, report, json.dumps(dicom.document)):
        assert PATIENT not in text
    assert "Traceback" not in log

"""What MONAI Label's plugin for OHIF v3 asks, request for request, and DICOM Segmentations as an answer.

The requests are those of its ``MonaiLabelClient.js`` (Apache-2.0, MONAI Consortium): images by the UID of their series,
parameters as one form field, label maps as NRRD without compression.
"""

import io
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
import requests
import SimpleITK as sitk
from requests_toolbelt import MultipartDecoder

from pneumoscreen.case import Case
from pneumoscreen.images import read_volume
from pneumoscreen.images.volume import Volume
from pneumoscreen.server.failures import RequestError
from pneumoscreen.server.inference.dicom_seg import dicom_answer
from pneumoscreen.server.store.raw_labels import with_geometry

from .conftest import RunningServer

LABEL_INFO = [{"name": "COVID-19", "idx": 1}]


def series(dicom_studies: Path, name: str) -> str:
    return str(pydicom.dcmread(dicom_studies / name / "0000.dcm").SeriesInstanceUID)


def infer(
    radiology: RunningServer, image: str, output: str, model: str = "ct_candidates", **params: object
) -> requests.Response:
    """As the plugin does; it takes no answer but 200."""
    sent = {"result_extension": ".nrrd", "result_dtype": "uint8", "result_compress": False, "restore_label_idx": False}
    return requests.post(
        f"{radiology.client.address}/infer/{model}",
        params={"image": image, "output": output},
        files={"params": (None, json.dumps({**params, **sent}))},
        timeout=300,
    )


def test_the_plugin_finds_models_labels_and_strategies(radiology: RunningServer) -> None:
    about = requests.get(f"{radiology.client.address}/info/", timeout=60).json()
    segmenting = [name for name, model in about["models"].items() if model["type"] == "segmentation"]
    assert {"ct_screening", "ct_candidates"} <= set(segmenting)
    # It numbers a model's labels by their place in the list, and adds them to the app's.
    assert all(isinstance(model["labels"], list) for model in about["models"].values())
    assert isinstance(about["labels"], list) and about["name"] == "PneumoScreen"
    assert about["models"]["ct_candidates"]["labels"][:2] == ["region 1", "region 2"]
    assert about["strategies"] and about["datastore"]["total"] == 5 and isinstance(about["train_stats"], dict)


def test_next_sample_names_the_study_that_ohif_is_to_open(radiology: RunningServer, dicom_studies: Path) -> None:
    told = requests.post(
        f"{radiology.client.address}/activelearning/first", json={"include": ["two"], "client_id": "ohif"}, timeout=60
    ).json()
    header = pydicom.dcmread(dicom_studies / "two" / "0000.dcm")
    assert (told["StudyInstanceUID"], told["SeriesInstanceUID"]) == (header.StudyInstanceUID, header.SeriesInstanceUID)
    no_dicom = requests.post(
        f"{radiology.client.address}/activelearning/first", json={"include": ["nifti"], "client_id": "else"}, timeout=60
    ).json()
    assert no_dicom["id"] == "nifti" and "StudyInstanceUID" not in no_dicom


@pytest.mark.parametrize("name", ["one", "two"])
def test_a_series_is_segmented_by_its_uid_into_plain_bytes(
    name: str, radiology: RunningServer, dicom_studies: Path
) -> None:
    answer = infer(radiology, series(dicom_studies, name), "image")
    assert answer.status_code == 200, answer.text
    head, _, body = answer.content.partition(b"\n\n")
    fields = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
    assert fields["encoding"] == "raw" and fields["type"] in ("unsigned char", "uint8", "uchar")
    # OHIF lays the bytes on its volume as they come: columns, rows, slices along the normal.
    columns, rows, slices = map(int, fields["sizes"].split())
    assert len(body) == columns * rows * slices
    labels = np.frombuffer(body, np.uint8).reshape(slices, rows, columns)
    volume = read_volume(dicom_studies / name)
    stored = sitk.GetArrayFromImage(volume.to_sitk(volume.hu))
    assert labels.shape == stored.shape and labels.max() >= 1
    case = Case.from_dict(infer(radiology, name, "json").json())
    assert labels.max() <= len(case.regions)
    assert (stored[labels > 0] > -1000).mean() > 0.9


def test_the_segmentation_of_a_series_comes_as_dicom(
    radiology: RunningServer, dicom_studies: Path, tmp_path: Path
) -> None:
    name = "two"
    answer = infer(radiology, series(dicom_studies, name), "dicom_seg", "ct_screening", label_info=LABEL_INFO)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/dicom"
    seg = pydicom.dcmread(io.BytesIO(answer.content))
    header = pydicom.dcmread(dicom_studies / name / "0000.dcm")
    assert seg.Modality == "SEG" and seg.StudyInstanceUID == header.StudyInstanceUID
    assert str(seg.PatientName) == str(header.PatientName)
    (referenced,) = seg.ReferencedSeriesSequence
    assert referenced.SeriesInstanceUID == header.SeriesInstanceUID
    case = Case.from_dict(infer(radiology, name, "json", "ct_screening").json())
    said = [str(item.SegmentLabel) for item in seg.SegmentSequence]
    assert said[:2] == ["Left lung", "Right lung"]
    assert {text.split(":")[0] for text in said[2:]} <= {
        "Infection, both lungs",
        *(region.id for region in case.regions),
    }
    # The left lung's frames have as many voxels as the document gives it millilitres.
    frames = [
        np.sum(frame)
        for frame, groups in zip(seg.pixel_array, seg.PerFrameFunctionalGroupsSequence, strict=True)
        if groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber == 1
    ]
    voxel_ml = np.prod(case.image.spacing_mm) / 1000
    assert sum(frames) * voxel_ml == pytest.approx(case.lungs["left"].volume_ml, rel=0.02)
    if shutil.which("dciodvfy"):
        (tmp_path / "seg.dcm").write_bytes(answer.content)
        told = subprocess.run(
            ["dciodvfy", tmp_path / "seg.dcm"], capture_output=True, encoding="utf-8", errors="replace"
        )
        assert not re.findall("^Error", told.stderr, re.M), told.stderr


def test_an_uploaded_file_of_many_frames_or_none_is_told(radiology: RunningServer, dicom_studies: Path) -> None:
    for image, model, said in (
        ("nifti", "ct_candidates", "no DICOM image"),
        ("film", "cxr_screening", "has no label map; use json"),
        ("one", "ct_classifier", "has no label map; use json"),
    ):
        answer = infer(radiology, image, "dicom_seg", model)
        assert answer.status_code == 422 and said in answer.json()["detail"], answer.text


def test_a_series_without_what_a_segmentation_refers_to_is_a_sentence(radiology: RunningServer) -> None:
    answer = infer(radiology, "frameless", "dicom_seg")
    assert answer.status_code == 422 and "without FrameOfReferenceUID" in answer.json()["detail"]
    assert "GEHEIM" not in radiology.log.read_text(encoding="utf-8") + answer.text


def test_what_is_submitted_by_the_series_uid_becomes_a_version(
    radiology: RunningServer, dicom_studies: Path, phantom: Volume
) -> None:
    volume = read_volume(dicom_studies / "two")
    stored = volume.to_sitk(volume.hu)
    values = np.zeros(sitk.GetArrayFromImage(stored).shape, np.uint8)
    case = Case.from_dict(infer(radiology, "two", "json").json())
    middle = stored.TransformPhysicalPointToIndex(case.regions[0].center_mm)
    x, y, z = (slice(max(0, at - 2), at + 3) for at in middle)
    values[z, y, x] = 1
    told = requests.put(
        f"{radiology.client.address}/datastore/label",
        params={"image": series(dicom_studies, "two")},
        files={"params": (None, json.dumps({"label_info": LABEL_INFO})), "label": ("label.bin", values.tobytes())},
        timeout=120,
    )
    assert told.status_code == 200, told.text
    assert told.json()["version"] == 1 and told.json()["image"] == "two"
    kept = requests.get(f"{radiology.client.address}/pneumoscreen/annotations/two/1", timeout=60).json()
    regions = kept["document"]["regions"]
    painted = [region for region in regions if region["source"] == "reader"]
    assert [region["reader"]["label"] for region in painted] == ["covid19"]
    assert np.allclose(painted[0]["center_mm"], case.regions[0].center_mm, atol=max(case.image.spacing_mm))
    short = requests.put(
        f"{radiology.client.address}/datastore/label",
        params={"image": "two"},
        files={"label": ("label.bin", values.tobytes()[:-1])},
        timeout=120,
    )
    assert short.status_code == 422 and "send one byte a voxel" in short.json()["detail"]


def test_segmentations_in_several_objects_come_as_dicomweb_sends_them() -> None:
    answer = dicom_answer([b"one\r\n", b"--two"])
    assert answer.headers["Content-Type"].startswith('multipart/related; type="application/dicom"; boundary=')
    parts = MultipartDecoder(answer.body, answer.headers["Content-Type"]).parts
    assert [part.content for part in parts] == [b"one\r\n", b"--two"]
    assert {part.headers[b"Content-Type"] for part in parts} == {b"application/dicom"}


def test_a_uid_of_no_series_is_unknown(radiology: RunningServer) -> None:
    answer = infer(radiology, "1.2.840.99.1", "image")
    assert answer.status_code == 404 and "is not in the studies folder" in answer.json()["detail"]


def test_raw_values_lie_on_the_image_as_stored(phantom: Volume, tmp_path: Path) -> None:
    turned = replace(phantom, stored_orientation="RPI")
    values = np.arange(phantom.hu.size, dtype=np.int64) % 251
    (tmp_path / "label.bin").write_bytes(values.astype(np.uint8).tobytes())
    labels = sitk.ReadImage(str(with_geometry(tmp_path / "label.bin", turned, tmp_path)))
    stored = turned.to_sitk(turned.hu)
    assert labels.GetDirection() == pytest.approx(stored.GetDirection())
    assert labels.GetOrigin() == pytest.approx(stored.GetOrigin(), abs=1e-3)
    assert sitk.GetArrayFromImage(labels).ravel().tolist() == values.tolist()
    (tmp_path / "label.bin").write_bytes(b"\0")
    with pytest.raises(RequestError, match="has 1 bytes"):
        with_geometry(tmp_path / "label.bin", turned, tmp_path)

"""Boxes as CSV and JSON."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from pneumoscreen.ct.phantoms.phantom import Phantom
from pneumoscreen.images.volume import LEFT, RIGHT

from .conftest import ORIENTATIONS, Imported, ball, write

HEADER = "case,x0,y0,z0,x1,y1,z1,unit,label\n"


def stored_box(phantom: Phantom, mask: np.ndarray, orientation: str) -> list[int]:
    """First and last voxel (x, y, z) of a mask in a file of this orientation."""
    image = sitk.DICOMOrient(phantom.volume.to_sitk(mask.astype(np.uint8)), orientation)
    voxels = np.argwhere(sitk.GetArrayFromImage(image))[:, ::-1]
    return [*voxels.min(axis=0).tolist(), *voxels.max(axis=0).tolist()]


def true_box(mask: np.ndarray) -> np.ndarray:
    voxels = np.argwhere(mask)
    return np.concatenate([voxels.min(axis=0) - 0.5, voxels.max(axis=0) + 0.5])


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_voxels_are_those_of_the_file(
    orientation: str, covid: Phantom, tmp_path: Path, run_import: Callable[..., Imported]
) -> None:
    write(tmp_path / "in" / "a.nii.gz", covid, covid.volume.hu, orientation)
    left, right = (stored_box(covid, ball(covid, side), orientation) for side in (LEFT, RIGHT))
    rows = [f"a,{','.join(map(str, left))},voxel,covid19", f"a,{','.join(map(str, right))},,irrelevant"]
    (tmp_path / "in" / "boxes.csv").write_text(HEADER + "\n".join(rows), encoding="utf-8")
    imported = run_import(tmp_path / "in")
    case, document = imported.load("a"), imported.document("a")
    assert document.diagnosis == "covid19", "the type that the regions name"
    assert [(region.side, region.opinion) for region in document.regions] == [
        ("left", ("covid19", 1.0)),
        ("right", ("irrelevant", 1.0)),
    ]
    assert np.allclose(case.lesions[0].box, true_box(ball(covid, LEFT)), atol=0.02)
    assert np.allclose(case.lesions[1].box, true_box(ball(covid, RIGHT)), atol=0.02)
    assert case.infection is None


def test_millimetres_are_lps_corners_in_either_order(
    covid: Phantom, tmp_path: Path, run_import: Callable[..., Imported]
) -> None:
    write(tmp_path / "in" / "a.nii.gz", covid, covid.volume.hu, "RAI")
    center, size = covid.volume.box_to_mm(true_box(ball(covid, LEFT)))
    high, low = (center + size / 2).tolist(), (center - size / 2).tolist()
    corners = dict(zip(("x0", "y0", "z0", "x1", "y1", "z1"), [*high, *low], strict=True))
    (tmp_path / "in" / "a.json").write_text(json.dumps({"unit": "mm", "boxes": [corners]}), encoding="utf-8")
    imported = run_import(tmp_path / "in", diagnosis="influenza_a")
    assert np.allclose(imported.load("a").lesions[0].box, true_box(ball(covid, LEFT)), atol=0.02)
    assert imported.document("a").regions[0].opinion == ("influenza_a", 1.0)


GOOD = {"x0": 10, "y0": 10, "z0": 10, "x1": 12, "y1": 12, "z1": 12}


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({**GOOD, "label": "plague"}, "label 'plague' is not one of"),
        ({**GOOD, "x1": "NaN"}, "x1"),
        ({**GOOD, "x1": 1e999}, "x1"),
        ({**GOOD, "x1": None}, "x1"),
        ({**GOOD, "x1": 3}, "last voxel comes before its first"),
        ({**GOOD, "x0": 900, "x1": 950}, "outside its scan"),
        ({**GOOD, "unit": "inch"}, "unit"),
        ({**GOOD, "unit": "mm", "x1": 10}, "empty"),
        ({**GOOD, "colour": "red"}, "colour"),
        ("a text", "box 1"),
        ({"x0": 1, "y0": 1, "z0": 1, "x1": 3, "y1": 3, "z1": 3}, "beside the lungs"),
    ],
)
def test_a_bad_box_is_one_sentence(
    entry: object, reason: str, covid: Phantom, tmp_path: Path, run_import: Callable[..., Imported]
) -> None:
    write(tmp_path / "in" / "a.nii.gz", covid, covid.volume.hu)
    (tmp_path / "in" / "a.json").write_text(json.dumps([entry]), encoding="utf-8")
    imported = run_import(tmp_path / "in", layout="boxes", diagnosis="covid19")
    refusals = [o.reason or "" for o in imported.outcomes if o.action == "refused"]
    assert len(refusals) == 1 and reason in refusals[0] and "\n" not in refusals[0]
    assert not (imported.studies / "labels").exists()


def test_more_boxes_than_a_document_holds_are_refused_before_they_are_looked_at(
    covid: Phantom, tmp_path: Path, run_import: Callable[..., Imported]
) -> None:
    write(tmp_path / "in" / "a.nii.gz", covid, covid.volume.hu)
    (tmp_path / "in" / "boxes.csv").write_text(HEADER + "a,1,1,1,9,9,9,voxel,covid19\n" * 20_000, encoding="utf-8")
    imported = run_import(tmp_path / "in", layout="boxes", diagnosis="covid19")
    (refusal,) = [o.reason or "" for o in imported.outcomes if o.action == "refused"]
    assert "boxes.csv line 1002: at most 1000 regions of a scan are kept" in refusal


def test_labels_that_contradict_the_diagnosis_are_refused(
    covid: Phantom, tmp_path: Path, run_import: Callable[..., Imported]
) -> None:
    write(tmp_path / "in" / "a.nii.gz", covid, covid.volume.hu)
    rows = [
        f"a,{','.join(map(str, stored_box(covid, ball(covid, side), 'LPS')))},voxel,{label}"
        for side, label in ((LEFT, "covid19"), (RIGHT, "influenza_a"))
    ]
    (tmp_path / "in" / "boxes.csv").write_text(HEADER + "\n".join(rows), encoding="utf-8")
    assert "more than one type" in run_import(tmp_path / "in").reasons()[0]
    assert (
        "is labelled influenza_a and the diagnosis is covid19"
        in (run_import(tmp_path / "in", diagnosis="covid19").reasons()[0])
    )


def test_other_files_are_passed_over_and_boxes_of_no_scan_are_named(
    covid: Phantom, tmp_path: Path, run_import: Callable[..., Imported]
) -> None:
    write(tmp_path / "in" / "a.nii.gz", covid, covid.volume.hu)
    box = ",".join(map(str, stored_box(covid, ball(covid, LEFT), "LPS")))
    (tmp_path / "in" / "boxes.csv").write_text(f"{HEADER}a,{box},,\nb,{box},,\n", encoding="utf-8-sig")
    (tmp_path / "in" / "patients.csv").write_text("case,age\na,50\n", encoding="utf-8")
    (tmp_path / "in" / "dataset.json").write_text('{"name": "x"}', encoding="utf-8")
    imported = run_import(tmp_path / "in", diagnosis="covid19")
    assert imported.actions() == {"a": "imported", "boxes.csv": "refused"}
    assert "boxes of b, which is no scan here" in imported.reasons()[0]


def test_a_table_with_a_field_without_end_is_named(
    covid: Phantom, tmp_path: Path, run_import: Callable[..., Imported]
) -> None:
    write(tmp_path / "in" / "a.nii.gz", covid, covid.volume.hu)
    (tmp_path / "in" / "boxes.csv").write_text(f"{HEADER}{'c' * 200_000},1,1,1,9,9,9,voxel,covid19\n")
    imported = run_import(tmp_path / "in", layout="boxes")
    assert imported.actions() == {"boxes.csv": "refused", "a": "image only"}
    assert "is no CSV" in imported.reasons()[0]


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe\x00", b"[" * 100_000])
def test_a_damaged_file_is_named(
    content: bytes, covid: Phantom, tmp_path: Path, run_import: Callable[..., Imported]
) -> None:
    write(tmp_path / "in" / "a.nii.gz", covid, covid.volume.hu)
    (tmp_path / "in" / "a.json").write_bytes(content)
    imported = run_import(tmp_path / "in", layout="boxes")
    assert imported.actions() == {"a.json": "refused", "a": "image only"}

"""Pascal VOC boxes on DICOM slices: synthetic ones, and those of a real lung cancer."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscreen.ct.importers.voc import joined, read_boxes
from pneumoscreen.ct.phantoms.phantom import Phantom
from pneumoscreen.images import read_input
from pneumoscreen.images.volume import LEFT
from pneumoscreen.importers.found import SourceError
from pneumoscreen.studies.cases import find_studies

from .conftest import Imported, ball, write_dicom
from .test_boxes import true_box


def voc(name: str, x0: float, y0: float, x1: float, y1: float) -> str:
    box = f"<xmin>{x0}</xmin><ymin>{y0}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax>"
    return f"<annotation><object><name>{name}</name><bndbox>{box}</bndbox></object></annotation>"


def annotate(folder: Path, uids: list[str], mask: np.ndarray, name: str = "A") -> None:
    """A file for each slice that the mask shows in."""
    folder.mkdir(parents=True, exist_ok=True)
    for uid, plane in zip(uids, mask, strict=True):
        if plane.any():
            (y0, x0), (y1, x1) = np.argwhere(plane).min(axis=0), np.argwhere(plane).max(axis=0)
            (folder / f"{uid}.xml").write_text(voc(name, x0, y0, x1, y1), encoding="utf-8")


def test_boxes_of_neighbouring_slices_are_one_region(
    clear: Phantom, tmp_path: Path, run_import: Callable[..., Imported]
) -> None:
    uids = write_dicom(tmp_path / "in" / "series", clear)
    annotate(tmp_path / "in" / "xml", uids, ball(clear, LEFT))
    imported = run_import(tmp_path / "in")
    assert imported.actions() == {"series": "imported"}
    case, document = imported.load("series"), imported.document("series")
    assert document.diagnosis == "no_infection_found"
    assert [(region.side, region.opinion) for region in document.regions] == [("left", ("irrelevant", 1.0))]
    assert np.allclose(case.lesions[0].box, true_box(ball(clear, LEFT)), atol=0.02)
    assert np.array_equal(case.volume.hu, clear.volume.hu)


def test_the_user_may_say_what_they_are(covid: Phantom, tmp_path: Path, run_import: Callable[..., Imported]) -> None:
    uids = write_dicom(tmp_path / "scans" / "series", covid)
    annotate(tmp_path / "xml", uids, ball(covid, LEFT))
    imported = run_import(tmp_path / "scans", annotations=tmp_path / "xml", diagnosis="covid19")
    assert imported.document("series").regions[0].opinion == ("covid19", 1.0)
    other = run_import(
        tmp_path / "scans",
        annotations=tmp_path / "xml",
        diagnosis="no_infection_found",
        label="irrelevant",
        studies=tmp_path / "other",
    )
    assert other.document("series").regions[0].opinion == ("irrelevant", 1.0)


def test_files_of_other_series_are_remarked_on(
    clear: Phantom, tmp_path: Path, run_import: Callable[..., Imported]
) -> None:
    uids = write_dicom(tmp_path / "in" / "series", clear)
    annotate(tmp_path / "in" / "xml", uids, ball(clear, LEFT))
    (tmp_path / "in" / "xml" / "1.2.3.xml").write_text(voc("A", 1, 1, 2, 2), encoding="utf-8")
    imported = run_import(tmp_path / "in")
    assert imported.actions() == {"series": "imported"}
    assert len(imported.remarks) == 1 and "1 XML files" in imported.remarks[0]
    shutil.rmtree(tmp_path / "in" / "xml")
    (tmp_path / "in" / "1.2.3.xml").write_text(voc("A", 1, 1, 2, 2), encoding="utf-8")
    with pytest.raises(SourceError, match="SOPInstanceUID"):
        run_import(tmp_path / "in")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("<annotation>", "not valid XML"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotation/>', "entities"),
        ("<html/>", "no Pascal VOC"),
        (voc("A", 5, 1, 2, 2), "ends before it begins"),
        (voc("A", float("nan"), 1, 2, 2), "ends before it begins"),
        ("<annotation><object><name>A</name></object></annotation>", "four numbers"),
        (
            voc("A", 1, 1, 2, 2).replace("<annotation>", "<annotation>" + voc("A", 1, 1, 2, 2)[12:-13] * 1000),
            "object 1001: at most 1000",
        ),
    ],
)
def test_a_bad_file_is_one_sentence(content: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "1.2.xml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SourceError, match=reason) as caught:
        read_boxes(path)
    assert str(path) in str(caught.value)


def flat(z: int, y: int, x: int, name: str = "A") -> tuple[str, np.ndarray]:
    return name, np.array([z - 0.5, y, x, z + 0.5, y + 10, x + 10], dtype=np.float64)


def test_what_is_joined() -> None:
    assert len(joined([flat(1, 0, 0), flat(2, 5, 5), flat(3, 9, 9)])) == 1
    assert len(joined([flat(1, 0, 0), flat(3, 0, 0)])) == 2, "a slice lies between them"
    assert len(joined([flat(1, 0, 0), flat(2, 0, 10)])) == 2, "they only touch"
    assert len(joined([flat(1, 0, 0), flat(2, 0, 0, "B")])) == 2, "another object"
    assert len(joined([flat(1, 0, 0), flat(3, 0, 0), flat(2, 0, 0)])) == 1, "whatever the order"


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 40), st.integers(0, 40)), max_size=8), st.randoms())
def test_the_order_does_not_matter(places: list[tuple[int, int, int]], random: "np.random.Generator") -> None:
    boxes = [flat(*place) for place in places]
    shuffled = list(boxes)
    random.shuffle(shuffled)  # type: ignore[arg-type]
    one, other = joined(boxes), joined(shuffled)
    assert [box.tolist() for _, box in one] == [box.tolist() for _, box in other]
    for _, box in boxes:
        assert any((whole[:3] <= box[:3]).all() and (whole[3:] >= box[3:]).all() for _, whole in one)


def test_the_cancer_of_a_real_scan_lies_in_the_left_upper_lobe(
    shared_data: Path, tmp_path: Path, run_import: Callable[..., Imported]
) -> None:
    ct = shared_data / "ct"
    imported = run_import(ct / "lungdx_A0001_dicom", annotations=ct / "lungdx_A0001_boxes")
    assert imported.actions() == {"lungdx_A0001_dicom": "imported"}
    (study,) = find_studies(imported.studies)
    document, volume = imported.document("lungdx_A0001_dicom"), read_input(study.scan)
    assert document.diagnosis == "no_infection_found"
    (region,) = document.regions
    assert region.side == "left" and region.opinion == ("irrelevant", 1.0)
    box = volume.box_from_mm(np.array(region.center_mm), np.array(region.size_mm))
    # The lungs fill slices 10 to 52 of this scan.
    assert box[0] > 10 + 0.6 * 42 and box[3] < 52, "in the upper part of the lung"
    z0, y0, x0, z1, y1, x1 = np.rint(box).astype(int)
    tumour, other_lung = volume.hu[z0:z1, y0:y1, x0:x1], volume.hu[z0:z1, y0:y1, ::-1][:, :, x0:x1]
    assert np.median(tumour) > -200 and np.median(other_lung) < np.median(tumour) - 150, "opaque on the left only"
    assert "A0001" not in study.patient

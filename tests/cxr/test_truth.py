"""Labelled radiographs: which word counts, which lungs are infected, and what cannot be used is named."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.case_documents import version_1

from pneumoscreen.case import CXR_CLASSES, READER, Case, Cxr, ImageInfo, placed
from pneumoscreen.cxr.figures.cases import boxes_are_drawn
from pneumoscreen.cxr.phantoms.radiograph import RadiographSpec
from pneumoscreen.cxr.phantoms.studies import write_radiograph_studies
from pneumoscreen.cxr.truth import label_of, load_radiograph, sides_of
from pneumoscreen.errors import CaseError, ImageError
from pneumoscreen.studies.cases import find_scans, find_studies
from pneumoscreen.studies.layout import FINAL_LABELS
from pneumoscreen.verdict import Verdict

SHARES = {"covid19": 0.2, "healthy": 0.7, "cap": 0.1}
BOXES = {"left": (60.0, 10.0, 30.0, 50.0), "right": (10.0, 10.0, 30.0, 50.0)}


def cxr(location: str = "none", reader: dict[str, Any] | None = None, sides: dict[str, float] | None = None) -> Cxr:
    return Cxr(placed(BOXES, READER), SHARES, {"left": 0.5, "right": 0.5} if sides is None else sides, location, reader)


def case(diagnosis: str | None, reader: str | None, verdict: str | None) -> Case:
    return Case(
        "x",
        "CXR",
        ImageInfo((100, 80), (1.0, 1.0), "0" * 64),
        diagnosis,
        verdict=None if verdict is None else Verdict(verdict, "softmax", SHARES, dict(SHARES)),
        cxr=cxr(reader=None if reader is None else {"label": reader, "name": "a", "at": "2026-11-24T10:00:00Z"}),
    )


@pytest.mark.parametrize(
    ("diagnosis", "reader", "verdict", "label"),
    [
        ("covid19", "healthy", "cap", "covid19"),
        (None, "healthy", "cap", "healthy"),
        (None, None, "cap", "cap"),
        ("covid19", None, None, "covid19"),
        (None, None, None, None),
    ],
)
def test_the_diagnosis_goes_before_the_reader_and_the_reader_before_the_networks(
    diagnosis: str | None, reader: str | None, verdict: str | None, label: str | None
) -> None:
    assert label_of(case(diagnosis, reader, verdict)) == label


@pytest.mark.parametrize(
    ("location", "sides"),
    [
        ("left", {"left": True, "right": False}),
        ("right", {"left": False, "right": True}),
        ("bipulmonary", {"left": True, "right": True}),
        ("none", {"left": False, "right": False}),
    ],
)
def test_sides_of_a_location(location: str, sides: dict[str, bool]) -> None:
    assert sides_of(cxr(location)) == sides
    assert sides_of(cxr("none", {"location": location})) == sides, "the reader goes before the networks"
    assert sides_of(cxr("none", {"location": location}, sides={})) == sides


def test_no_sides_where_nobody_has_said() -> None:
    assert sides_of(cxr("none", sides={})) == {}
    assert sides_of(cxr("none", {"label": "covid19"}, sides={})) == {}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("radiographs")
    write_radiograph_studies(folder, 3, 1, RadiographSpec(size=96))
    return folder


Change = Callable[[dict[str, Any]], None]


def changed(written: Path, folder: Path, change: Change) -> Path:
    """A folder with the first radiograph, whose document was changed."""
    (folder / FINAL_LABELS).mkdir(parents=True)
    (folder / "xray-000001.png").write_bytes((written / "xray-000001.png").read_bytes())
    document = json.loads((written / FINAL_LABELS / "xray-000001.json").read_text(encoding="utf-8"))
    change(document)
    (folder / FINAL_LABELS / "xray-000001.json").write_text(json.dumps(document), encoding="utf-8")
    return folder


def test_a_folder_of_version_1_is_read_as_before(written: Path, tmp_path: Path) -> None:
    folder = tmp_path / "old"
    shutil.copytree(written, folder)
    for path in (folder / FINAL_LABELS).glob("*.json"):
        document = version_1(json.loads(path.read_text(encoding="utf-8")))
        assert document["schema"] == "pneumoscreen.case/1"
        path.write_text(json.dumps(document), encoding="utf-8")
    old, new = (find_studies(place, modality="CXR") for place in (folder, written))
    assert [study.case_id for study in old] == [study.case_id for study in new]
    for before, after in zip(old, new, strict=True):
        found, expected = load_radiograph(before), load_radiograph(after)
        assert (found.label, found.sides, found.lung_boxes) == (expected.label, expected.sides, expected.lung_boxes)
        assert boxes_are_drawn(before.document) and boxes_are_drawn(after.document)


def test_a_written_radiograph_is_loaded_with_its_truth(written: Path) -> None:
    studies = find_studies(written, modality="CXR")
    assert [study.case_id for study in studies] == ["xray-000001", "xray-000002", "xray-000003"]
    for study, label in zip(studies, CXR_CLASSES, strict=True):
        found = load_radiograph(study)
        document = Case.from_json(study.document.read_text(encoding="utf-8"))
        assert document.cxr is not None
        assert (found.label, found.patient) == (label, study.patient)
        assert found.lung_boxes == document.cxr.boxes
        assert found.radiograph.sha256 == document.image.sha256
        assert found.radiograph.pixels.shape == document.image.size[::-1]
        if label == "covid19":
            assert found.sides == {side: share == 1.0 for side, share in document.cxr.sides.items()}
        else:
            assert found.sides == {}


def test_one_box_is_no_box(written: Path, tmp_path: Path) -> None:
    folder = changed(written, tmp_path, lambda document: document["cxr"]["lung_boxes"].pop("right"))
    assert load_radiograph(find_studies(folder, modality="CXR")[0]).lung_boxes == {}


def test_a_document_that_names_no_class_is_refused(written: Path, tmp_path: Path) -> None:
    def forget(document: dict[str, Any]) -> None:
        document["diagnosis"] = None
        document["cxr"]["reader"] = None

    (study,) = find_studies(changed(written, tmp_path, forget), modality="CXR")
    with pytest.raises(CaseError, match=r"xray-000001\.json names no class .* enter the diagnosis"):
        load_radiograph(study)


def test_a_document_of_a_ct_is_refused(written: Path, tmp_path: Path) -> None:
    def retype(document: dict[str, Any]) -> None:
        document.pop("cxr")
        document.update(
            modality="CT", image={**document["image"], "size": [64, 64, 20], "spacing_mm": [1.0, 1.0, 5.0]}, regions=[]
        )

    (study,) = find_studies(changed(written, tmp_path, retype), modality="CXR")
    with pytest.raises(CaseError, match=r"xray-000001\.json labels no X-ray \(field cxr is missing\)"):
        load_radiograph(study)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}"])
def test_a_damaged_document_is_named(written: Path, tmp_path: Path, content: str) -> None:
    folder = changed(written, tmp_path, lambda document: None)
    (folder / FINAL_LABELS / "xray-000001.json").write_text(content, encoding="utf-8")
    with pytest.raises(CaseError, match=r"xray-000001\.json"):
        load_radiograph(find_studies(folder, modality="CXR")[0])


def test_a_damaged_picture_is_named(written: Path, tmp_path: Path) -> None:
    folder = changed(written, tmp_path, lambda document: None)
    picture = folder / "xray-000001.png"
    picture.write_bytes(picture.read_bytes()[:600])
    (study,) = [scan for scan in find_scans(folder) if scan.document.is_file()]
    with pytest.raises(ImageError, match=r"xray-000001\.png"):
        load_radiograph(study)


def test_a_diagnosis_other_than_covid_19_has_no_sides(written: Path, tmp_path: Path) -> None:
    folder = changed(written, tmp_path, lambda document: document.update(diagnosis="cap"))
    found = load_radiograph(find_studies(folder, modality="CXR")[0])
    assert (found.label, found.sides) == ("cap", {})


def test_the_reader_decides_the_side(written: Path, tmp_path: Path) -> None:
    folder = changed(written, tmp_path, lambda document: document["cxr"]["reader"].update(location="right"))
    found = load_radiograph(find_studies(folder, modality="CXR")[0])
    assert found.sides == {"left": False, "right": True}


def test_a_radiograph_that_changed_counts_as_another(written: Path, tmp_path: Path) -> None:
    folder = changed(written, tmp_path, lambda document: None)
    (before,) = find_studies(folder, modality="CXR")
    origin = before.origin()
    (folder / "xray-000001.png").write_bytes((written / "xray-000002.png").read_bytes())
    (after,) = find_studies(folder, modality="CXR")
    assert after.origin() != origin


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("cxr", "reader", "label"), "plague"),
        (("cxr", "reader", "location"), "middle"),
        (("cxr", "lung_boxes", "left"), [10.0, 10.0, 0.0, 30.0]),
        (("cxr", "lung_boxes", "right"), [10.0, 10.0, 30.0, -1.0]),
        (("diagnosis",), "influenza_a"),
    ],
)
def test_what_no_training_could_use_is_named(
    written: Path, tmp_path: Path, path: tuple[str, ...], value: object
) -> None:
    def spoil(document: dict[str, Any]) -> None:
        for name in path[:-1]:
            document = document[name]
        document[path[-1]] = value

    folder = changed(written, tmp_path, spoil)
    with pytest.raises(CaseError, match=".".join(path).replace(".", r"\.")):
        load_radiograph(find_studies(folder, modality="CXR")[0])

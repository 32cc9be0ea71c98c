"""ROI markups of 3D Slicer and MONAI Label."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pneumoscreen.case import lps_to_ras
from pneumoscreen.ct.importers.markups import label_in
from pneumoscreen.ct.phantoms.phantom import Phantom
from pneumoscreen.images.volume import LEFT, RIGHT

from .conftest import ORIENTATIONS, Imported, ball, write
from .test_boxes import true_box

SCHEMA = "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/Schema/markups-schema-v1.0.3.json#"
SLICER_AXES = [-1.0, -0.0, -0.0, -0.0, -1.0, -0.0, 0.0, 0.0, 1.0]


def roi(phantom: Phantom, side: int, system: str = "LPS", **fields: Any) -> dict[str, Any]:
    """An ROI around the ball in a lung, as 3D Slicer writes it."""
    center, size = phantom.volume.box_to_mm(true_box(ball(phantom, side)))
    place = list(lps_to_ras(center.tolist())) if system == "RAS" else center.tolist()
    point = {"id": "1", "label": "R-1", "description": "", "position": place, "positionStatus": "defined"}
    return {
        "type": "ROI",
        "coordinateSystem": system,
        "coordinateUnits": "mm",
        "roiType": "Box",
        "center": place,
        "orientation": SLICER_AXES,
        "size": size.tolist(),
        "controlPoints": [point],
        **fields,
    }


def save(path: Path, *markups: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"@schema": SCHEMA, "markups": list(markups)}), encoding="utf-8")


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("system", ["LPS", "RAS"])
def test_both_coordinate_systems_give_the_same_box(
    system: str, orientation: str, covid: Phantom, tmp_path: Path, run_import: Callable[..., Imported]
) -> None:
    write(tmp_path / "in" / "a.nii.gz", covid, covid.volume.hu, orientation)
    save(tmp_path / "in" / "a.mrk.json", roi(covid, LEFT, system))
    imported = run_import(tmp_path / "in", diagnosis="covid19")
    assert [region.side for region in imported.document("a").regions] == ["left"]
    assert np.allclose(imported.load("a").lesions[0].box, true_box(ball(covid, LEFT)), atol=0.02)
    assert not any("rotated" in note for note in imported.document("a").notes)


def test_ras_taken_for_lps_would_be_seen(
    left_only: np.ndarray, covid: Phantom, tmp_path: Path, run_import: Callable[..., Imported]
) -> None:
    write(tmp_path / "in" / "a.nii.gz", covid, covid.volume.hu)
    wrong = {**roi(covid, LEFT, "RAS"), "coordinateSystem": "LPS"}
    save(tmp_path / "in" / "a.mrk.json", wrong)
    imported = run_import(tmp_path / "in", diagnosis="covid19")
    sides = [region.side for region in imported.document("a").regions] if imported.actions()["a"] == "imported" else []
    assert sides != ["left"], "the two systems differ by the side"


def test_a_rotated_roi_becomes_the_box_around_it(
    covid: Phantom, tmp_path: Path, run_import: Callable[..., Imported]
) -> None:
    write(tmp_path / "in" / "a.nii.gz", covid, covid.volume.hu)
    angle = np.radians(30)
    turn = [np.cos(angle), -np.sin(angle), 0.0, np.sin(angle), np.cos(angle), 0.0, 0.0, 0.0, 1.0]
    save(tmp_path / "in" / "a.mrk.json", roi(covid, RIGHT, size=[40.0, 20.0, 30.0], orientation=turn))
    region = run_import(tmp_path / "in", diagnosis="covid19").document("a").regions[0]
    wide = 40 * np.cos(angle) + 20 * np.sin(angle), 40 * np.sin(angle) + 20 * np.cos(angle)
    assert np.allclose(region.size_mm, [*wide, 30.0], atol=0.02)
    notes = run_import(tmp_path / "in", diagnosis="covid19", studies=tmp_path / "second").document("a").notes
    assert any("1 rotated ROI was replaced" in note for note in notes)


def test_names_become_labels(covid: Phantom, tmp_path: Path, run_import: Callable[..., Imported]) -> None:
    write(tmp_path / "in" / "a.nii.gz", covid, covid.volume.hu)
    save(tmp_path / "in" / "a.mrk.json", roi(covid, LEFT, name="COVID-19 2"), roi(covid, RIGHT, name="Irrelevant_1"))
    document = run_import(tmp_path / "in").document("a")
    assert document.diagnosis == "covid19"
    assert [region.opinion for region in document.regions] == [("covid19", 1.0), ("irrelevant", 1.0)]


@pytest.mark.parametrize(
    ("words", "label"),
    [
        (["R-1"], None),
        (["R-1", "influenza_a"], "influenza_a"),
        (["Influenza A (left)"], "influenza_a"),
        (["covid19"], "covid19"),
        (["no covid19"], None),
        ([], None),
    ],
)
def test_label_in(words: list[str], label: str | None) -> None:
    assert label_in(words) == label


@pytest.mark.parametrize(
    "name", ["a.mrk.json", "a_ROI.mrk.json", "markups/a-R.mrk.json", "labels/final/a.json", "R.mrk.json"]
)
def test_files_are_matched_to_scans(
    name: str, covid: Phantom, tmp_path: Path, run_import: Callable[..., Imported]
) -> None:
    write(tmp_path / "in" / "a.nii.gz", covid, covid.volume.hu)
    save(tmp_path / "in" / name, roi(covid, LEFT))
    assert run_import(tmp_path / "in", diagnosis="covid19").actions() == {"a": "imported"}


def test_the_longer_name_wins(covid: Phantom, tmp_path: Path, run_import: Callable[..., Imported]) -> None:
    for name in ("a", "a_2"):
        write(tmp_path / "in" / f"{name}.nii.gz", covid, covid.volume.hu)
    save(tmp_path / "in" / "a_2.mrk.json", roi(covid, LEFT))
    save(tmp_path / "in" / "b.mrk.json", roi(covid, LEFT))
    imported = run_import(tmp_path / "in", diagnosis="covid19")
    assert imported.actions() == {"b.mrk.json": "refused", "a": "image only", "a_2": "imported"}
    assert "belongs to no scan" in imported.reasons()[0]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"type": "Fiducial"}, "no ROI, so no region has a size"),
        ({"coordinateSystem": "XYZ"}, "neither LPS nor RAS"),
        ({"coordinateUnits": "furlong"}, "coordinateUnits"),
        ({"center": [0, 0]}, "center must hold 3 numbers"),
        ({"center": [0, 0, None]}, "center must hold 3 numbers"),
        ({"center": [1e400, 0, 0]}, "no finite number"),
        ({"size": [0, 10, 10]}, "empty"),
        ({"orientation": [1.0] * 9}, "no rotation"),
        ({"roiType": "Sphere"}, "roiType"),
        ({"center": [9000, 0, 0]}, "outside its scan"),
    ],
)
def test_a_markup_that_is_no_box_is_one_sentence(
    fields: dict[str, Any], reason: str, covid: Phantom, tmp_path: Path, run_import: Callable[..., Imported]
) -> None:
    write(tmp_path / "in" / "a.nii.gz", covid, covid.volume.hu)
    save(tmp_path / "in" / "a.mrk.json", roi(covid, LEFT, **fields))
    imported = run_import(tmp_path / "in", diagnosis="covid19")
    assert imported.actions() == {"a": "refused"}
    assert reason in imported.reasons()[0] and "a.mrk.json" in imported.reasons()[0]


def test_other_units(covid: Phantom, tmp_path: Path, run_import: Callable[..., Imported]) -> None:
    write(tmp_path / "in" / "a.nii.gz", covid, covid.volume.hu)
    whole = roi(covid, LEFT)
    micro = {name: [v * 1000 for v in whole[name]] for name in ("center", "size")}
    save(tmp_path / "in" / "a.mrk.json", {**whole, **micro, "coordinateUnits": ["um", "UCUM", "micrometer"]})
    imported = run_import(tmp_path / "in", diagnosis="covid19")
    assert np.allclose(imported.load("a").lesions[0].box, true_box(ball(covid, LEFT)), atol=0.02)

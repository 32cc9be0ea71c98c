"""The X-ray section of the panel, on a radiograph in the scene and a document of the contract."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtTest import QTest
from tests.slicer_extension.doubles.misbehaving import misbehaving
from tests.slicer_extension.doubles.running_panel import Panel, running_panel
from tests.slicer_extension.doubles.scripted_module import MODULE

SAMPLE = MODULE / "Resources/SampleData/phantom.nrrd"

DOCUMENT: dict[str, Any] = {
    "schema": "pneumoscreen.case/1",
    "case_id": "cxr-1",
    "modality": "CXR",
    "image": {"size": [64, 48], "spacing_mm": [1.0, 1.0], "sha256": "0" * 64, "series_uid": None},
    "verdict": {
        "label": "covid19",
        "rule": "softmax",
        "probability": {"covid19": 0.7, "healthy": 0.1, "cap": 0.2},
        "confidence": {"covid19": 0.7, "healthy": 0.1, "cap": 0.2},
    },
    "cxr": {
        "lung_boxes": {"left": [36.0, 10.0, 16.0, 24.0], "right": [4.0, 6.0, 20.0, 30.0]},
        "probabilities": {"covid19": 0.7, "healthy": 0.1, "cap": 0.2},
        "sides": {"left": 0.9, "right": 0.2},
        "location": "left",
        "reader": None,
    },
}


@pytest.fixture
def panel(tmp_path: Path) -> Iterator[Panel]:
    with running_panel(tmp_path) as running:
        yield running


@pytest.fixture
def xray(panel: Panel) -> Panel:
    import slicer.util

    from PneumoScreenLib.contract import Case
    from PneumoScreenLib.reading.reading import Reading

    values = np.arange(48 * 64, dtype=np.uint16).reshape(1, 48, 64)
    panel.session.view.volume = slicer.util.addVolumeFromArray(values)
    panel.session.case_id = "cxr-1"
    panel.session.show(Reading(Case.from_dict(DOCUMENT), reader="dr-a"))
    panel.settle()
    return panel


def choose(combo: Any, index: int) -> None:
    """Choose an entry by the arrow key, as a reader does."""
    for _ in range(index - combo.currentIndex):
        QTest.keyClick(combo, Qt.Key.Key_Down)


def test_no_xray_no_section(panel: Panel) -> None:
    assert not panel.ui.xraySection.visible
    panel.logic.connection.server = {"user": "dr-a", "roles": ["reader"], "offers_xray": True}
    panel.logic.connection.server_changed.emit()
    panel.show()
    assert panel.ui.xraySection.visible
    assert panel.ui.xrayLocationLabel.text == "No X-ray is open."
    assert not panel.ui.xrayFrame.visible and not panel.ui.xrayClassFrame.visible, "nothing to be filled in"


def test_class_side_and_picture_are_shown(xray: Panel) -> None:
    xray.show()
    assert xray.ui.xrayVerdictLabel.text == "COVID-19  70\u00a0%"
    assert xray.ui.xrayLocationLabel.text == "Affected lung: Left (left 90\u00a0%, right 20\u00a0%)"
    assert not xray.ui.xrayPicture.pixmap.isNull() and xray.ui.xrayFrame.visible and xray.ui.xraySideFrame.visible
    assert "Research use only" in xray.ui.xrayResearchLabel.text
    assert not xray.ui.findingsFrame.visible, "regions belong to a CT"


def test_the_extent_is_told_where_it_was_measured(xray: Panel) -> None:
    from PneumoScreenLib.verdict.report_page import page
    from PneumoScreenLib.xray.findings import extent_in_words

    reading = xray.session.reading
    zones = {f"{side}_{zone}": 0.0 for side in ("left", "right") for zone in ("upper", "middle", "lower")}
    found = replace(
        reading.case.cxr, severity={**zones, "left_lower": 3.0, "left_upper": 1.0}, opacity={"left": 0.4, "right": 0.0}
    )
    assert extent_in_words(found) == "Extent: 4 of 18; opaque: left 40 %, right 0 %"
    assert extent_in_words(reading.case.cxr) == ""
    assert "4 of 18" in page(replace(reading.case, cxr=found), {}, "dr-a", "2026-01-01")


def test_the_readers_class_and_side_are_in_the_document_and_can_be_undone(xray: Panel) -> None:
    xray.show()
    choices = xray.widget.panels[9]._choices
    choices["cap"].click()
    said = xray.session.reading.document()["cxr"]["reader"]
    assert (said["label"], said["location"], said["name"]) == ("cap", "left", "dr-a")
    assert choices["cap"].checked and choices["left"].checked and not choices["covid19"].checked
    choices["bipulmonary"].click()
    assert xray.session.reading.document()["cxr"]["reader"]["location"] == "bipulmonary"
    while xray.session.reading.can_undo:
        xray.session.correct("undo")
    assert xray.session.reading.document()["cxr"]["reader"] is None


def test_class_and_side_by_keys(xray: Panel) -> None:
    xray.show()

    def said(*keys: str) -> tuple[str, str]:
        for key in keys:
            QTest.keySequence(xray.main_window, QKeySequence(key))
        reader = xray.session.reading.document()["cxr"]["reader"]
        return reader["label"], reader["location"]

    assert said("A") == ("covid19", "left"), "the model is right"
    assert said("3", "6") == ("cap", "bipulmonary")
    assert said("2") == ("healthy", "none"), "a healthy lung is affected nowhere"
    assert said("1", "5") == ("covid19", "right")


def test_the_strength_of_the_grad_cam_follows_its_slider(xray: Panel, tmp_path: Path) -> None:
    from PneumoScreenLib.scene.radiograph import STRENGTH

    xray.show()
    xray.session.view.show_masks(str(grad_cam(tmp_path)))
    xray.session.masks_changed.emit()
    assert xray.ui.xrayHeatSlider.value == round(100 * STRENGTH)
    shares = []
    for value in (0, 90):
        xray.ui.xrayHeatSlider.value = value
        assert xray.session.view.heat.strength == value / 100
        shares.append(warm_share(xray))
    assert shares[1] > shares[0] + 0.04, "the panel's picture follows as well"


def test_an_old_document_without_probabilities_names_its_verdict(xray: Panel) -> None:
    from PneumoScreenLib.contract import Case
    from PneumoScreenLib.reading.reading import Reading

    wrong = {**DOCUMENT["cxr"], "probabilities": {"covid19": 0.7, "healthy": 0.1, "cap": 0.7}}
    xray.session.show(Reading(Case.from_dict({**DOCUMENT, "cxr": wrong}), reader="dr-a"))
    xray.show()
    assert xray.ui.xrayVerdictLabel.text == "COVID-19"


def grad_cam(folder: Path) -> Path:
    """A file as the server keeps it: one picture of bytes, hot in one corner."""
    values = np.zeros((1, 48, 64), np.uint8)
    values[0, 30:44, 40:60] = 255
    path = folder / "grad-cam.nrrd"
    sitk.WriteImage(sitk.GetImageFromArray(values), path)
    return path


def warm_share(panel: Panel) -> float:
    """Share of the shown picture that is warm."""
    image = panel.ui.xrayPicture.pixmap.toImage()
    colours = [image.pixelColor(x, y) for x in range(0, image.width(), 4) for y in range(0, image.height(), 4)]
    return sum(each.red() - each.blue() > 60 for each in colours) / len(colours)


def test_what_spoke_for_the_verdict_is_shown_and_can_be_switched_off(xray: Panel, tmp_path: Path) -> None:
    xray.show()
    assert not xray.ui.xrayHeatCheck.visible, "nothing was fetched yet"
    xray.session.reading_changed.emit()
    frames = warm_share(xray)
    with misbehaving(body=grad_cam(tmp_path).read_bytes()) as address:
        xray.logic.settings.setValue("PneumoScreen/address", address)
        xray.session._ask_for_masks()
        xray.wait(lambda: xray.session.view.has_heat)
    assert xray.ui.xrayHeatCheck.visible and xray.ui.xrayHeatCheck.checked
    assert warm_share(xray) - frames == pytest.approx(14 * 20 / (48 * 64), abs=0.04)
    xray.ui.xrayHeatCheck.click()
    assert warm_share(xray) == pytest.approx(frames, abs=0.02) and xray.ui.xrayHeatCheck.visible
    xray.ui.xrayHeatCheck.click()
    assert warm_share(xray) > frames + 0.04


def test_a_server_without_a_grad_cam_is_no_trouble(xray: Panel) -> None:
    xray.show()
    with misbehaving(404, b'{"detail": "no masks"}') as address:
        xray.logic.settings.setValue("PneumoScreen/address", address)
        xray.session._ask_for_masks()
        xray.wait(lambda: not xray.logic.calls._waiting)
    assert not xray.said and not xray.ui.xrayHeatCheck.visible


def test_the_rest_of_the_panel_knows_that_an_xray_has_no_regions(xray: Panel) -> None:
    xray.show()
    for section in (xray.ui.readingSection, xray.ui.xraySection):
        section.collapsed = True
    xray.session.reading_changed.emit()
    for section in (xray.ui.readingSection, xray.ui.xraySection):
        section.collapsed = False
    assert not xray.ui.findingsFrame.visible, "also after a section was folded meanwhile"
    assert xray.ui.xrayFrame.visible and xray.ui.xrayClassFrame.visible
    assert xray.ui.submitButton.visible and xray.ui.noteEdit.visible
    assert xray.ui.xrayPicture.pixmap.height() > 150, "a picture to look at"
    xray.session.place_box()
    interaction = xray.double.scene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
    assert interaction.GetCurrentInteractionMode() != interaction.Place


def test_an_xray_offers_its_own_diagnoses(xray: Panel) -> None:
    xray.show()
    combo = xray.ui.diagnosisCombo
    assert [combo.itemText(i) for i in range(combo.count)][1:] == [
        "COVID-19",
        "Healthy",
        "Community-acquired pneumonia",
    ]
    choose(combo, 3)
    assert xray.session.reading.document()["diagnosis"] == "cap"
    xray.session.open_sample(str(SAMPLE))

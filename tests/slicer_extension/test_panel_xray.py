"""The X-ray section of the panel, on a radiograph in the scene and a document of the contract."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from tests.slicer_extension.running_panel import Panel, running_panel

DOCUMENT: dict[str, Any] = {
    "schema": "pneumoscreen.case/1",
    "case_id": "cxr-1",
    "modality": "CXR",
    "image": {"size": [64, 48], "spacing_mm": [1.0, 1.0], "sha256": "0" * 64, "series_uid": None},
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
    from PneumoScreenLib.reading import Reading

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


def test_class_side_and_picture_are_shown(xray: Panel) -> None:
    xray.show()
    assert xray.ui.xrayVerdictLabel.text == "COVID-19  70 %"
    assert xray.ui.xrayLocationLabel.text == "Location: left (left 90 %, right 20 %)"
    assert not xray.ui.xrayPicture.pixmap.isNull()
    assert "Research use only" in xray.ui.xrayResearchLabel.text
    assert not xray.ui.findingsFrame.visible, "regions belong to a CT"


def test_the_readers_class_and_side_are_in_the_document_and_can_be_undone(xray: Panel) -> None:
    xray.show()
    choose(xray.ui.xrayClassCombo, 3)
    said = xray.session.reading.document()["cxr"]["reader"]
    assert (said["label"], said["location"], said["name"]) == ("cap", "left", "dr-a")
    choose(xray.ui.xraySideCombo, 4)
    assert xray.session.reading.document()["cxr"]["reader"]["location"] == "bipulmonary"
    while xray.session.reading.can_undo:
        xray.session.correct("undo")
    assert xray.session.reading.document()["cxr"]["reader"] is None

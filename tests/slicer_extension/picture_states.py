"""Writes the panel in all its states: ``python -m tests.slicer_extension.picture_states FOLDER``; to be looked at.

Each state at 9, 11 and 12 pt, in a narrow and a wide font, light and dark, 380 and 900 pixels wide. No server runs:
what one would answer is put in its place. One sheet a font, ground and width has all states side by side.
"""

import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
from PySide6 import QtGui, QtWidgets
from tests.slicer_extension.cases import measured
from tests.slicer_extension.doubles.running_panel import Panel, running_panel
from tests.slicer_extension.doubles.scripted_module import MODULE
from tests.slicer_extension.pictures import DARK, LIGHT, TRAINING, fold, grab, save, use_palette
from tests.slicer_extension.xray.test_panel import DOCUMENT

SAMPLE = MODULE / "Resources/SampleData/phantom.nrrd"
POINTS, WIDTHS = (9.0, 11.0, 12.0), (380, 900)
FONTS = {"narrow": ("DejaVu Sans", 87), "wide": ("DejaVu Sans", 112)}
"""Family and stretch in percent."""
GROUNDS = {"light": LIGHT, "dark": DARK}
SERVER = {
    "app": "PneumoScreen",
    "version": "1.0",
    "address": "http://127.0.0.1:8000",
    "user": "dr-a",
    "roles": ["reader", "trainer"],
    "is_known": True,
    "offers_xray": True,
    "models": {"ct_candidates": 4, "ct_classifier": 4, "cxr_discrimination": 2},
    "strategies": ["combined", "first"],
}
CASES = [
    {"id": "ct-0007", "state": "in_progress", "verdict": "covid19", "confidence": 0.93, "uncertainty": 0.12,
     "decided": True, "infection": 0.97, "lease": {"reader": "dr-b"}},
    {"id": "ct-0012", "state": "screened", "verdict": "influenza_a", "uncertainty": 0.71, "decided": False},
    {"id": "thorax-2026-11-03-follow-up", "state": "new", "error": "the series has gaps: slices 12 to 19 are missing"},
    {"id": "ct-0031", "state": "done", "verdict": "no_infection_found", "uncertainty": 0.02, "decided": True},
]  # fmt: skip


VERSIONS = [
    {"version": 2, "current": True, "published": "2026-11-20", "publication": {"candidate": {"estimate": 0.93}}},
    {"version": 1, "current": False, "published": "2026-10-02", "publication": {"candidate": {"estimate": 0.88}}},
]  # fmt: skip


def connected(panel: Panel) -> None:
    """A server has answered."""
    connection = panel.logic.connection
    connection.server, connection.cases = SERVER, CASES
    connection.server_changed.emit()
    connection.cases_changed.emit()
    fold(panel, "connect", "worklist")


def reading(panel: Panel) -> None:
    """Six regions, some read, one drawn by the reader."""
    panel.session.open_sample(str(SAMPLE))
    from PneumoScreenLib.reading.reading import Reading

    panel.session.show(Reading(measured(), reader="dr-a"))
    panel.session.correct("covid19")
    panel.session.correct("irrelevant")
    panel.session.reading.add((60.0, 10.0, -190.0), (20.0, 20.0, 20.0), "influenza_a")
    panel.ui.glassButton.click()
    fold(panel, "reading")


def keys(panel: Panel) -> None:
    """The map of keys, and a question about what is unread."""
    reading(panel)
    panel.session.is_on_server = True
    panel.logic.connection.server = SERVER
    panel.logic.connection.server_changed.emit()
    panel.ui.keysButton.click()
    panel.ui.submitButton.click()


def nothing_found(panel: Panel) -> None:
    """A case without regions."""
    panel.session.open_sample(str(SAMPLE))
    from PneumoScreenLib.reading.reading import Reading

    panel.session.show(Reading(replace(measured(), regions=()), reader="dr-a"))
    fold(panel, "reading")


def xray(panel: Panel) -> None:
    """A radiograph, its class said."""
    import slicer.util

    from PneumoScreenLib.contract import Case
    from PneumoScreenLib.reading.reading import Reading

    rows = np.hypot(*np.mgrid[-1:1:240j, -1:1:320j])
    values = (60000 * (1 - rows / rows.max())).astype(np.uint16).reshape(1, 240, 320)
    panel.session.view.volume = slicer.util.addVolumeFromArray(values)
    panel.session.case_id = "cxr-1"
    boxes = {"left": [180.0, 50.0, 80.0, 120.0], "right": [50.0, 40.0, 90.0, 130.0]}
    panel.session.show(Reading(Case.from_dict({**DOCUMENT, "cxr": {**DOCUMENT["cxr"], "lung_boxes": boxes}})))
    panel.session.correct_xray("cap")
    fold(panel, "reading", "xray")


def training(panel: Panel) -> None:
    """The end of a training."""
    connected(panel)
    panel.logic.trainings._found(json.loads(TRAINING.read_text(encoding="utf-8")))
    panel.logic.trainings._listed({"models": {"ct_classifier": {"versions": VERSIONS}}})
    fold(panel, "train")


STATES: dict[str, Callable[[Panel], None]] = {
    "connected": connected,
    "reading": reading,
    "keys": keys,
    "nothing": nothing_found,
    "xray": xray,
    "training": training,
}


def sheet(pictures: list[np.ndarray], ground: str) -> np.ndarray:
    """Pictures of unlike height side by side."""
    height = max(each.shape[0] for each in pictures)
    colour = QtGui.QColor(ground)
    whole = np.full((height, sum(each.shape[1] + 12 for each in pictures), 3), colour.getRgb()[:3], np.uint8)
    left = 0
    for each in pictures:
        whole[: each.shape[0], left : left + each.shape[1]] = each
        left += each.shape[1] + 12
    return whole


def main(target: Path, only: str = "") -> None:
    """Write one sheet for each font, ground and width.

    Args:
        target: folder.
        only: a part of the names of the sheets that are wanted.
    """
    target.mkdir(parents=True, exist_ok=True)
    application = QtWidgets.QApplication.instance() or QtWidgets.QApplication([])
    for points, font_name, ground, width in product(POINTS, FONTS, GROUNDS, WIDTHS):
        name = f"{points:g}pt-{font_name}-{ground}-{width}"
        if only not in name:
            continue
        use_palette(application, GROUNDS[ground])
        family, stretch = FONTS[font_name]
        font = QtGui.QFont(family)
        font.setPointSizeF(points)
        font.setStretch(stretch)
        application.setFont(font)
        pictures = []
        for show in STATES.values():
            with tempfile.TemporaryDirectory() as folder, running_panel(Path(folder)) as panel:
                panel.show(width)
                show(panel)
                pictures.append(grab(panel))
        save(sheet(pictures, GROUNDS[ground]["Window"]), target / f"{name}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])

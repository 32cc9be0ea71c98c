"""Writes the pictures of the extension's README: ``python -m tests.slicer_extension.pictures [folder]``.

The real panel and Slicer's own views, a real server with the models of the repository, phantoms as cases.
"""

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
import SimpleITK as sitk
from PySide6 import QtCore, QtGui, QtWidgets
from tests.server.conftest import serving
from tests.slicer_extension.doubles.headless_views import SliceView, ThreeDView, tile
from tests.slicer_extension.doubles.running_panel import Panel, running_panel
from tests.slicer_extension.doubles.slicer_double import SlicerDouble

from pneumoscreen.case import lps_to_ras
from pneumoscreen.ct.phantoms.phantom import PhantomSpec, generate_phantom
from pneumoscreen.cxr.phantoms.radiograph import generate_radiograph
from pneumoscreen.cxr.phantoms.studies import write_picture

REPOSITORY = Path(__file__).parents[2]
SCREENSHOTS = REPOSITORY / "slicer_extension/Screenshots"
MODELS = REPOSITORY / "apps/pneumoscreen/model"
CASES = {"ct-0007": (7, "covid19"), "ct-0012": (12, "influenza_a"), "ct-0031": (31, None)}
XRAY = ("xray-0012", 12, "covid19")
WIDTH, LOWEST, LAYOUTS = 380, 100, 20
VIEW = (420, 400)
LIGHT = {"Window": "#f1f3f5", "Base": "#ffffff", "Text": "#1c2126", "Button": "#e9ecef", "AlternateBase": "#f6f8fa"}
DARK = {"Window": "#272a2e", "Base": "#1e2124", "Text": "#e4e7ea", "Button": "#3a3e44", "AlternateBase": "#23262a"}


TRAINING = Path(__file__).with_name("recorded_training.json")
"""A training as a server told of it at its end: 8 epochs of the classifier on 14 labelled phantoms of 192 x 192."""


class Folders:
    """Temporary folders with pytest's interface, which ``serving`` takes."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def mktemp(self, name: str) -> Path:
        """A new folder."""
        return Path(tempfile.mkdtemp(prefix=name, dir=self._root))


def use_palette(application: QtWidgets.QApplication, colours: dict[str, str]) -> None:
    """Slicer's light or dark ground, on Qt's own style."""
    application.setStyle("Fusion")
    font = QtGui.QFont()
    font.setFamilies(["Inter", "DejaVu Sans"])
    font.setPointSizeF(9.0)
    application.setFont(font)
    palette = QtGui.QPalette()
    roles, grey = QtGui.QPalette.ColorRole, QtGui.QColor("#8b939c")
    for name, colour in colours.items():
        palette.setColor(getattr(roles, name), QtGui.QColor(colour))
    for role in (roles.WindowText, roles.ButtonText, roles.ToolTipText):
        palette.setColor(role, QtGui.QColor(colours["Text"]))
    palette.setColor(roles.Highlight, QtGui.QColor("#2f7dc1"))
    palette.setColor(roles.HighlightedText, QtGui.QColor("#ffffff"))
    palette.setColor(roles.PlaceholderText, grey)
    for role in (roles.WindowText, roles.Text, roles.ButtonText):
        palette.setColor(QtGui.QPalette.ColorGroup.Disabled, role, grey)
    application.setPalette(palette)


@contextmanager
def clinic(root: Path) -> Iterator[str]:
    """A server with three CT phantoms and an X-ray; its address."""
    studies = root / "studies"
    studies.mkdir()
    for case_id, (seed, diagnosis) in CASES.items():
        volume = generate_phantom(seed, diagnosis, PhantomSpec(matrix=192, slices=48)).volume
        sitk.WriteImage(volume.to_sitk(volume.hu), studies / f"{case_id}.nii.gz")
    name, seed, label = XRAY
    write_picture(generate_radiograph(seed, label).radiograph, studies / f"{name}.png")
    with serving(studies, MODELS, Folders(root)) as server:  # type: ignore[arg-type]
        yield server.client.address


def views_of(double: SlicerDouble) -> list[Any]:
    """Axial, 3-D, coronal and sagittal views, as Slicer's four-up layout has them."""
    red, green, yellow = (
        SliceView(double, name, orientation, VIEW)
        for name, orientation in (("Red", "Axial"), ("Green", "Coronal"), ("Yellow", "Sagittal"))
    )
    return [red, ThreeDView(double, size=VIEW), green, yellow]


def grab(panel: Panel) -> np.ndarray:
    """The panel as uint8 [row, column, RGB], as high as it wants to be."""
    _in_scroll_area(panel)
    # Lower than any panel, so that no section is stretched.
    panel.main_window.resize(panel.window.width, LOWEST)
    # Each layout tells the one around it of its new height in a turn of its own.
    panel.settle(LAYOUTS)
    image = panel.window.grab().toImage().convertToFormat(QtGui.QImage.Format.Format_RGB888)
    width, height = image.width(), image.height()
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(height, image.bytesPerLine())
    # A copy: the bytes are the image's, which ends here.
    return rows[:, : 3 * width].reshape(height, width, 3).copy()


def _in_scroll_area(panel: Panel) -> None:
    """Put the panel into a scroll area, as the application has it: each section has the height that it wants."""
    window = panel.main_window
    if not isinstance(window.centralWidget(), QtWidgets.QScrollArea):
        area = QtWidgets.QScrollArea()
        area.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(QtCore.Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidgetResizable(True)
        area.setWidget(window.takeCentralWidget())
        window.setCentralWidget(area)
        area.widget().show()


def save(pixels: np.ndarray, path: Path) -> None:
    """Write a picture as PNG."""
    pixels = np.ascontiguousarray(pixels)
    height, width, _ = pixels.shape
    QtGui.QImage(pixels.data, width, height, 3 * width, QtGui.QImage.Format.Format_RGB888).save(str(path))
    print(path)


def beside(panel: np.ndarray, views: np.ndarray, ground: str) -> np.ndarray:
    """Panel on the left, views on the right, on a common ground."""
    height = max(panel.shape[0], views.shape[0])
    colour = QtGui.QColor(ground)
    rgb = (colour.red(), colour.green(), colour.blue())
    whole = np.full((height, panel.shape[1] + views.shape[1] + 8, 3), rgb, np.uint8)
    whole[: panel.shape[0], : panel.shape[1]] = panel
    whole[: views.shape[0], panel.shape[1] + 8 :] = views
    return whole


def read_a_case(panel: Panel) -> None:
    """Connect, open, screen, and correct a little."""
    panel.connect()
    panel.open("ct-0007")
    panel.screen()
    panel.ui.lungsCheck.checked = True
    panel.wait(lambda: panel.session.view.masks.node is not None)
    regions = panel.session.reading.case.regions
    panel.session.select(regions[min(1, len(regions) - 1)].id)
    panel.session.correct("accept")
    panel.session.correct("select_next")
    panel.session.correct("influenza_a")


def aim(panel: Panel, views: list[Any]) -> None:
    """The whole scan in each view, at the selected region."""
    panel.double.layout.resetSliceViews()
    ras = lps_to_ras(panel.session.selected_region().center_mm)
    for view in (views[0], views[2], views[3]):
        view.node.JumpSliceByOffsetting(*ras)
    views[1].fit()


def fold(panel: Panel, *open_sections: str) -> None:
    """Open some sections and close the others."""
    for name in ("connect", "worklist", "reading", "train", "xray"):
        getattr(panel.ui, f"{name}Section").collapsed = name not in open_sections


def write(target: Path, root: Path, address: str) -> None:
    """All pictures."""
    target.mkdir(parents=True, exist_ok=True)
    application = QtWidgets.QApplication.instance() or QtWidgets.QApplication([])
    for name, colours in (("light", LIGHT), ("dark", DARK)):
        use_palette(application, colours)
        folder = root / f"settings-{name}"
        folder.mkdir()
        with running_panel(folder, address=address, reader=f"dr-{name}") as panel:
            panel.show(WIDTH)
            views = views_of(panel.double)
            read_a_case(panel)
            aim(panel, views)
            fold(panel, "connect", "worklist", "reading")
            save(grab(panel), target / f"panel-{name}.png")
            fold(panel, "reading")
            pixels = tile([view.pixels() for view in views], 2)
            save(beside(grab(panel), pixels, colours["Window"]), target / f"reading-{name}.png")
            # Recorded: a training takes longer than a picture is worth.
            panel.logic.trainings._found(json.loads(TRAINING.read_text(encoding="utf-8")))
            fold(panel, "train")
            save(grab(panel), target / f"training-{name}.png")
            panel.open(XRAY[0])
            panel.screen()
            panel.wait(lambda: panel.session.view.has_heat)
            panel.double.layout.resetSliceViews()
            fold(panel, "reading", "xray")
            save(beside(grab(panel), views[0].pixels(), colours["Window"]), target / f"xray-{name}.png")


def icon(target: Path) -> None:
    """The module's icon from its drawing."""
    from PySide6 import QtSvg

    image = QtGui.QImage(128, 128, QtGui.QImage.Format.Format_ARGB32)
    image.fill(QtCore.Qt.GlobalColor.transparent)
    painter = QtGui.QPainter(image)
    QtSvg.QSvgRenderer(str(REPOSITORY / "slicer_extension/PneumoScreen.svg")).render(painter)
    painter.end()
    image.save(str(target))
    print(target)


def main(target: Path = SCREENSHOTS) -> None:
    """Write them."""
    QtWidgets.QApplication.instance() or QtWidgets.QApplication([])
    icon(REPOSITORY / "slicer_extension/PneumoScreen/Resources/Icons/PneumoScreen.png")
    with tempfile.TemporaryDirectory() as folder, clinic(Path(folder)) as address:
        write(target, Path(folder), address)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))

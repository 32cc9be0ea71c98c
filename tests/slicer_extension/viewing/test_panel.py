"""How a case is looked at, by keys and buttons on the running panel."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtGui import QKeySequence
from PySide6.QtTest import QTest
from tests.slicer_extension.doubles.running_panel import Panel, running_panel
from tests.slicer_extension.session.test_session import SAMPLE


@pytest.fixture
def panel(tmp_path: Path) -> Iterator[Panel]:
    with running_panel(tmp_path) as running:
        running.show()
        running.session.open_sample(str(SAMPLE))
        yield running


def press(panel: Panel, key: str) -> None:
    QTest.keySequence(panel.main_window, QKeySequence(key))
    panel.settle()


def test_ground_glass_by_its_key_and_the_button_follows(panel: Panel) -> None:
    view = panel.session.view
    press(panel, "W")
    assert view.glass.node is not None and panel.ui.glassButton.checked
    assert "lungs of this case are not known" in panel.said, "the sample has no masks"
    press(panel, "W")
    assert view.glass.node is None and not panel.ui.glassButton.checked
    panel.ui.glassButton.click()
    assert view.glass.node is not None and panel.ui.glassButton.checked


def test_a_ruler_by_its_key(panel: Panel) -> None:
    press(panel, "I")
    assert panel.session.view.rulers.is_placing
    interaction = panel.double.scene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
    assert interaction.GetCurrentInteractionMode() == interaction.Place
    panel.session.leave()
    assert not panel.session.view.rulers.is_placing


def test_the_surface_is_switched_by_its_key(panel: Panel) -> None:
    assert panel.ui.surfaceCheck.checked
    press(panel, "K")
    assert not panel.ui.surfaceCheck.checked and not panel.session.view.masks.surface.is_on


def test_a_case_without_an_earlier_scan_says_so(panel: Panel) -> None:
    assert not panel.ui.priorButton.enabled
    press(panel, "Y")
    assert "no earlier scan" in panel.said


def test_every_key_of_the_map_stands_on_a_button(panel: Panel) -> None:
    from PySide6.QtWidgets import QAbstractButton

    from PneumoScreenLib.keys import KEYS, key_of

    texts = [button.text for button in panel.window.findChildren(QAbstractButton)]
    for action in set(KEYS.values()):
        assert any(text.endswith(f"({key_of(action)})") for text in texts), action

"""The keys beside Slicer's own: neither takes the other's, and they hold where and while the module is used."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6 import QtWidgets
from PySide6.QtGui import QKeySequence
from PySide6.QtTest import QTest
from tests.slicer_extension.doubles.main_window import ACTIONS, SLICE_VIEW_KEYS
from tests.slicer_extension.doubles.running_panel import Panel, running_panel
from tests.slicer_extension.session.test_session import read_a_case

from PneumoScreenLib.keys import KEYS


@pytest.fixture
def panel(tmp_path: Path) -> Iterator[Panel]:
    with running_panel(tmp_path) as running:
        running.show()
        read_a_case(running)
        yield running


def press(panel: Panel, key: str, where: QtWidgets.QWidget | None = None) -> None:
    QTest.keySequence(where or panel.main_window, QKeySequence(key))
    panel.settle()


def mark_of(panel: Panel) -> str | None:
    region = panel.session.reading.region("r1")
    return None if region.reader is None else region.reader.label


def test_no_key_is_one_of_slicers_own() -> None:
    own = {QKeySequence(key).toString() for key in ACTIONS.values()}
    assert not own & {QKeySequence(key).toString() for key in KEYS}
    assert not SLICE_VIEW_KEYS & {key.lower() for key in KEYS if len(key) == 1}


def test_slicers_keys_go_on_and_ours_beside_them(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    submitted: list[str] = []
    monkeypatch.setattr(panel.logic.asking, "say", lambda message: submitted.append(message.text))
    press(panel, "Ctrl+S")
    assert panel.main_window.triggered == ["FileSaveSceneAction"] and not submitted
    press(panel, "Ctrl+Shift+S")
    assert submitted == ["Connect to a server first."]
    press(panel, "2")
    assert mark_of(panel) == "influenza_a"


def test_keys_hold_in_the_window_of_a_second_monitor(panel: Panel) -> None:
    second = QtWidgets.QWidget()
    second.show()
    second.activateWindow()
    panel.settle()
    press(panel, "2", second)
    assert mark_of(panel) == "influenza_a"
    second.close()


def test_keys_do_not_hold_beside_a_dialog(panel: Panel) -> None:
    dialog = QtWidgets.QDialog(panel.main_window)
    dialog.setModal(True)
    dialog.show()
    dialog.activateWindow()
    panel.settle()
    press(panel, "2", dialog)
    assert mark_of(panel) is None
    dialog.close()


def test_keys_hold_between_enter_and_exit_only(panel: Panel) -> None:
    panel.widget.exit()
    press(panel, "2")
    assert mark_of(panel) is None
    panel.reload()
    assert not any(each.enabled for each in panel.widget.shortcuts._shortcuts), "a new panel is not shown yet"
    panel.widget.enter()
    assert all(each.enabled for each in panel.widget.shortcuts._shortcuts)

"""Labels that a narrow panel breaks into lines: never between a number and its unit, nor within a key, none cut."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.slicer_extension.doubles.running_panel import Panel, running_panel
from tests.slicer_extension.picture_states import FONTS, STATES, keys, nothing_found, reading, training, xray
from tests.slicer_extension.pictures import grab


@pytest.fixture
def panel(tmp_path: Path) -> Iterator[Panel]:
    with running_panel(tmp_path) as running:
        running.show()
        yield running


def broken(panel: Panel) -> list[str]:
    from PySide6.QtWidgets import QLabel

    texts = [label.text for label in panel.window.findChildren(QLabel) if label.wordWrap]
    return [text for text in texts if re.search(r"\d %", text)]


def test_no_percent_sign_goes_to_the_next_line(panel: Panel) -> None:
    reading(panel)
    assert "0.0\u00a0%" in panel.ui.lungsLabel.text and broken(panel) == []
    xray(panel)
    assert "70\u00a0%" in panel.ui.xrayLocationLabel.text and broken(panel) == []


def test_what_is_copied_for_a_report_has_plain_spaces(panel: Panel) -> None:
    reading(panel)
    from PneumoScreenLib.verdict.report_sentence import sentence

    assert "\u00a0" not in sentence(panel.session.reading.case)


def test_no_key_of_the_map_is_broken(panel: Panel) -> None:
    keys(panel)
    shown = re.findall(r"<b>(.*?)</b>", panel.ui.keysLabel.text)
    assert "Ctrl+Return,<br>Ctrl+Enter" in shown and not [key for key in shown if " " in key]


def test_the_question_about_unread_regions_is_among_the_states_that_are_looked_at(panel: Panel) -> None:
    keys(panel)
    assert "regions are not read" in panel.said


def test_no_empty_table_where_nothing_was_found(panel: Panel) -> None:
    reading(panel)
    assert panel.ui.regionTable.visible
    panel.ui.openOnlyCheck.checked = True
    panel.session.correct("accept_rest")
    assert panel.ui.regionTable.rowCount == 0 and panel.ui.regionTable.visible
    panel.ui.openOnlyCheck.checked = False
    nothing_found(panel)
    assert not panel.ui.regionTable.visible


@pytest.fixture
def wide_letters() -> Iterator[None]:
    """The largest and widest font of the state sheets."""
    from PySide6 import QtGui, QtWidgets

    application = QtWidgets.QApplication.instance() or QtWidgets.QApplication([])
    before = application.font()
    family, stretch = FONTS["wide"]
    font = QtGui.QFont(family)
    font.setPointSizeF(12.0)
    font.setStretch(stretch)
    application.setFont(font)
    yield
    application.setFont(before)


@pytest.mark.parametrize("state", STATES)
def test_no_line_is_cut_in_large_wide_letters(wide_letters: None, panel: Panel, state: str) -> None:
    from PySide6.QtWidgets import QLabel

    STATES[state](panel)
    grab(panel)
    shown = [label for label in panel.window.findChildren(QLabel) if label.wordWrap and label.visible]
    assert shown
    cut = [label.name for label in shown if label.height < QLabel.heightForWidth(label, label.width)]
    assert cut == []


def test_a_question_has_the_width_of_the_panel(wide_letters: None, panel: Panel) -> None:
    keys(panel)
    grab(panel)
    ui = panel.ui
    assert ui.statusLabel.width > 0.8 * ui.statusFrame.width
    assert ui.retryButton.y >= ui.statusLabel.y + ui.statusLabel.height


def test_what_the_server_answered_has_the_width_of_the_panel(wide_letters: None, panel: Panel) -> None:
    STATES["connected"](panel)
    grab(panel)
    assert panel.ui.connectionLabel.width > 0.9 * panel.ui.connectSection.width


def test_no_region_is_seen_in_half_and_no_button_moves_while_the_list_grows_short(
    wide_letters: None, panel: Panel
) -> None:
    reading(panel)
    grab(panel)
    table = panel.ui.regionTable
    height, row = table.height, table.verticalHeader().defaultSectionSize
    assert table.viewport().height >= 7 * row and table.viewport().height < 8 * row
    panel.ui.openOnlyCheck.checked = True
    panel.session.correct("accept_rest")
    grab(panel)
    assert table.rowCount == 0 and table.height == height


def test_no_empty_table_where_nothing_is_published(panel: Panel) -> None:
    training(panel)
    assert panel.ui.versionTable.visible and panel.ui.versionTable.rowCount == 2
    panel.logic.trainings._listed({"models": {}})
    assert not panel.ui.versionTable.visible


def test_an_xray_has_one_heading_which_is_the_readers_once_given(panel: Panel) -> None:
    xray(panel)
    assert panel.ui.xrayVerdictLabel.text == "CAP, left (reader)"
    assert panel.ui.xrayLocationLabel.text.startswith("By the model: COVID-19  70\u00a0%\nAffected lung: Left")


def test_a_line_begins_with_a_capital(panel: Panel) -> None:
    nothing_found(panel)
    assert panel.ui.positionLabel.text == "No regions"


def test_what_comes_into_a_closed_section_is_not_seen_before_it_is_opened(panel: Panel) -> None:
    training(panel)
    ui = panel.ui
    ui.trainSection.collapsed = ui.worklistSection.collapsed = True
    training_shown = (ui.versionTable, ui.publishedLabel, ui.curveLabel)
    panel.logic.trainings.changed.emit()
    panel.logic.connection.cases_changed.emit()
    ui.worklistTable.selectRow(0)
    panel.settle()
    assert not any(each.visible for each in (*training_shown, ui.worklistDetailLabel))
    ui.trainSection.collapsed = ui.worklistSection.collapsed = False
    panel.settle()
    assert all(each.visible for each in (*training_shown, ui.worklistDetailLabel))

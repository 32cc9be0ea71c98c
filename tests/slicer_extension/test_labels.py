"""Labels that a narrow panel breaks into lines: never between a number and its unit, nor within a key."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.slicer_extension.doubles.running_panel import Panel, running_panel
from tests.slicer_extension.picture_states import keys, nothing_found, reading, xray


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
    assert "70\u00a0%" in panel.ui.xrayVerdictLabel.text and broken(panel) == []


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

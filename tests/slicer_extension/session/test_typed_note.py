"""A note while it is typed: kept at a pause, lost never."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtTest import QTest
from tests.slicer_extension.doubles.running_panel import Panel, running_panel
from tests.slicer_extension.session.test_session import SAMPLE, read_a_case

NOTE = "nodule in the left lung, 8 mm"


@pytest.fixture
def panel(tmp_path: Path) -> Iterator[Panel]:
    with running_panel(tmp_path) as running:
        running.show()
        read_a_case(running)
        yield running


def typed(panel: Panel, text: str = NOTE) -> None:
    panel.ui.noteEdit.setFocus()
    QTest.keyClicks(panel.ui.noteEdit, text)
    panel.settle()


def test_a_note_costs_one_write_and_one_drawing_a_pause(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    synced, drawn = [], []
    monkeypatch.setattr(os, "fsync", synced.append)
    panel.session.reading_changed.connect(lambda: drawn.append(True))
    panel.session.note._timer.setInterval(10_000)
    typed(panel)
    assert panel.ui.noteEdit.plainText == NOTE and not synced and not drawn
    panel.session.note._timer.setInterval(0)
    panel.wait(lambda: panel.session.note.text is None)
    assert panel.session.reading.note == NOTE and len(synced) == 1 and len(drawn) == 1


def test_what_comes_from_the_server_meanwhile_leaves_the_letters(panel: Panel) -> None:
    typed(panel)
    panel.session.asking.busy_changed.emit()
    panel.session.reading_changed.emit()
    assert panel.ui.noteEdit.plainText == NOTE


def test_a_correction_and_its_undo_come_after_the_note(panel: Panel) -> None:
    typed(panel)
    panel.session.correct("influenza_a")
    assert panel.session.reading.note == NOTE
    panel.session.correct("undo")
    assert panel.session.reading.note == NOTE and panel.session.selected_region().reader is None


@pytest.mark.parametrize("how", ["submit", "another case", "scene closed", "panel closed"])
def test_nothing_that_was_typed_is_lost(panel: Panel, how: str) -> None:
    typed(panel)
    reading = panel.session.reading
    if how == "submit":
        panel.logic.submission.submit()
    elif how == "another case":
        panel.session.open_sample(str(SAMPLE))
    elif how == "scene closed":
        panel.double.scene.Clear(False)
    else:
        panel.widget.cleanup()
    assert reading.note == NOTE
    (file,) = Path(panel.session.drafts.folder).glob("*.json")
    assert NOTE in file.read_text(encoding="utf-8")


def test_a_note_of_the_case_before_is_not_written_into_the_next(panel: Panel) -> None:
    typed(panel)
    panel.session.open_sample(str(SAMPLE))
    panel.session.note.settle()
    assert panel.session.reading.note == ""
    read_a_case(panel)
    assert panel.session.reading.note == "" == panel.ui.noteEdit.plainText

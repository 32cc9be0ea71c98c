"""A reading by keys alone: one key a region, the rest by one key; unread regions are asked about."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtGui import QKeySequence
from PySide6.QtTest import QTest
from tests.slicer_extension.cases import measured
from tests.slicer_extension.doubles.running_panel import Panel, running_panel
from tests.slicer_extension.session.test_session import SAMPLE

from pneumoscreen.case import Case


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The documents that go to the server, in its place."""
    return []


@pytest.fixture
def panel(tmp_path: Path, sent: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> Iterator[Panel]:
    from PneumoScreenLib.reading.reading import Reading

    with running_panel(tmp_path) as running:
        running.show()
        running.session.open_sample(str(SAMPLE))
        running.session.show(Reading(measured(), reader="dr-a"))
        running.session.is_on_server = True
        running.logic.asking.say(None)
        running.logic.connection.server = {"user": "dr-a", "roles": ["reader"], "is_known": True}
        running.logic.connection.server_changed.emit()

        def run(name: str, args: dict[str, Any], done: Any, *rest: Any) -> None:
            if name == "submit":
                sent.append(args["document"])
                done({"version": 1})

        monkeypatch.setattr(running.logic.asking, "run", run)
        monkeypatch.setattr(running.logic.connection, "refresh", lambda: None)
        yield running


def press(panel: Panel, *keys: str) -> int:
    """Real key events; how many."""
    for key in keys:
        QTest.keySequence(panel.main_window, QKeySequence(key))
        panel.settle()
    return len(keys)


def test_six_regions_take_at_most_eight_keys(panel: Panel, sent: list[dict[str, Any]]) -> None:
    assert panel.session.reading.selected == "r4", "what matters first is looked at first"
    assert panel.ui.positionLabel.text == "Region 1 · 0 of 6 read"
    count = press(panel, "1", "2", "A", "3", "A", "A", "Ctrl+Return")
    assert count <= 8
    ((document),) = sent
    said = {region.id: (region.reader.label, region.state) for region in Case.from_dict(document).regions}
    assert said == {
        "r4": ("covid19", "accepted"),
        "r3": ("influenza_a", "accepted"),
        "r6": ("covid19", "accepted"),
        "r5": ("irrelevant", "corrected"),
        "r1": ("covid19", "accepted"),
        "r2": ("irrelevant", "accepted"),
    }


def test_the_rest_is_accepted_by_one_key(panel: Panel, sent: list[dict[str, Any]]) -> None:
    press(panel, "3", "Shift+A")
    assert panel.ui.positionLabel.text.endswith("6 of 6 read")
    assert not panel.ui.acceptRestButton.enabled
    press(panel, "Ctrl+Shift+S")
    assert [region["state"] for region in sent[0]["regions"]].count("accepted") == 5


def test_unread_regions_are_asked_about_once_and_go_as_not_looked_at(panel: Panel, sent: list[dict[str, Any]]) -> None:
    press(panel, "A", "A", "Ctrl+Shift+S")
    assert not sent and "4 of 6 regions are not read" in panel.said
    assert panel.ui.retryButton.visible and panel.ui.retryButton.text == "Submit anyway"
    press(panel, "A", "Ctrl+Shift+S")
    assert len(sent) == 1, "asked once, not at every key"
    states = {region["id"]: (region["state"], region["reader"] is not None) for region in sent[0]["regions"]}
    assert states == {
        **dict.fromkeys(("r4", "r3", "r6"), ("accepted", True)),
        **dict.fromkeys(("r5", "r1", "r2"), ("open", False)),
    }


def test_the_question_is_answered_by_its_button_too(panel: Panel, sent: list[dict[str, Any]]) -> None:
    panel.ui.submitButton.click()
    panel.ui.retryButton.click()
    assert len(sent) == 1


def test_only_open_regions_are_listed_where_the_reader_wants_it(panel: Panel) -> None:
    table = panel.ui.regionTable
    panel.ui.openOnlyCheck.click()
    press(panel, "A", "3")
    assert table.rowCount == 4 and panel.session.reading.selected == "r6"
    assert table.currentRow() == 0
    panel.ui.openOnlyCheck.click()
    assert table.rowCount == 6


def test_one_correction_writes_one_row_and_another_reading_all_of_them(
    panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PneumoScreenLib.reading.reading import Reading

    (rows,) = [each for each in panel.widget.panels if type(each).__name__ == "RegionsPanel"]
    written: list[str] = []
    texts = rows._texts
    monkeypatch.setattr(rows, "_texts", lambda number, region: (written.append(region.id), texts(number, region))[1])
    press(panel, "3", "N")
    assert written == ["r4"]
    written.clear()
    press(panel, "Ctrl+Z", "N", "P")
    assert written == ["r4"]
    written.clear()
    regions = panel.session.reading.case.regions
    panel.session.show(Reading(panel.session.reading.case, reader="dr-b"))
    assert sorted(written) == sorted(region.id for region in regions), "its state may be another"
    panel.ui.openOnlyCheck.click()
    press(panel, "1")
    assert panel.ui.regionTable.rowCount == 5
    assert [panel.ui.regionTable.item(row, 0).text() for row in range(5)] == ["2", "3", "4", "5", "6"]
    panel.ui.openOnlyCheck.click()
    assert [panel.ui.regionTable.item(row, 0).text() for row in range(6)] == ["1", "2", "3", "4", "5", "6"]


def test_a_click_on_a_heading_sorts(panel: Panel) -> None:
    from PneumoScreenLib.reading.arrangement import ML

    table = panel.ui.regionTable
    table.horizontalHeader().sectionClicked.emit(ML)
    assert [table.item(row, ML).text() for row in range(6)] == ["1.0", "2.0", "3.0", "4.0", "9.0", "12.5"]
    table.horizontalHeader().sectionClicked.emit(ML)
    assert table.item(0, ML).text() == "12.5"
    assert table.selectedItems()[0].row() == 0, "the selected region stays selected"


@pytest.mark.parametrize("points", [9.0, 11.0, 12.0])
@pytest.mark.parametrize("width", [380, 900])
def test_nothing_is_cut(tmp_path: Path, points: float, width: int) -> None:
    from PySide6.QtGui import QFontMetrics
    from PySide6.QtWidgets import QApplication, QPushButton

    from PneumoScreenLib.reading.reading import Reading

    with running_panel(tmp_path) as first:
        application = first.application
    font = QApplication.font()
    larger = QApplication.font()
    larger.setPointSizeF(points)
    application.setFont(larger)
    try:
        with running_panel(tmp_path / "panel") as panel:
            panel.session.open_sample(str(SAMPLE))
            panel.session.show(Reading(measured(), reader="dr-a"))
            panel.session.correct("influenza_a")
            panel.show(width)
            table = panel.ui.regionTable
            metrics = QFontMetrics(table.font)
            shown = [column for column in range(table.columnCount) if not table.isColumnHidden(column)]
            assert {0, 1, 2, 3, 8} <= set(shown)
            for column in shown:
                texts = [table.item(row, column).text() for row in range(table.rowCount)]
                assert max(map(metrics.horizontalAdvance, texts)) <= table.columnWidth(column), column
            assert sum(map(table.columnWidth, shown)) <= table.viewport().width
            for button in panel.window.findChildren(QPushButton):
                if button.isVisible():
                    needed = QFontMetrics(button.font).horizontalAdvance(button.text)
                    assert needed + 8 <= button.width, (button.text, button.width)
            if width == 900:
                assert len(shown) == table.columnCount
    finally:
        application.setFont(font)


def test_columns_that_are_less_needed_give_way_first() -> None:
    from PneumoScreenLib.widgets.columns import visible_columns

    widths, give_way = [20, 30, 100, 40, 40], [0, 0, 0, 1, 2]
    assert visible_columns(widths, give_way, 230) == [0, 1, 2, 3, 4]
    assert visible_columns(widths, give_way, 229) == [0, 1, 2, 3]
    assert visible_columns(widths, give_way, 160) == [0, 1, 2]
    assert visible_columns(widths, give_way, 60) == [0, 1, 2], "what is needed never gives way"


def test_200_regions_cost_a_key_no_more_than_six(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from PneumoScreenLib.boxes import boxes
    from PneumoScreenLib.reading.reading import Reading

    first = measured().regions[0]
    places = [(80.0 - i % 20 * 8.0, 50.0 - i // 20 * 10.0, -200.0 + i) for i in range(200)]
    regions = [replace(first, id=f"r{i}", center_mm=place) for i, place in enumerate(places)]
    panel.session.show(Reading(replace(measured(), regions=tuple(regions)), reader="dr-a"))
    panel.wait(lambda: not panel.session.view.boxes.is_at_work)
    drawn: list[str] = []
    draw = boxes.draw
    monkeypatch.setattr(boxes, "draw", lambda node, region, *rest: (drawn.append(region.id), draw(node, region, *rest)))
    cells: list[Any] = []
    panel.ui.regionTable.itemChanged.connect(cells.append)
    press(panel, "3")
    assert set(drawn) == {"r0", "r1"} and len(drawn) <= 4, "the two boxes that change, each at most twice"
    assert {cell.row() for cell in cells} == {0}, "the one row that changes"
    drawn.clear()
    cells.clear()
    press(panel, "N")
    assert sorted(drawn) == ["r1", "r2"] and not cells, "selecting writes no cell"


def test_overlays_are_hidden_while_the_key_is_held_and_come_back(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    from PneumoScreenLib.viewing import panel as viewing_panel

    assert viewing_panel.REPEAT_MS < viewing_panel.FIRST_MS < 1500
    # Minutes, which no slow machine lets pass before the test looks.
    monkeypatch.setattr(viewing_panel, "FIRST_MS", 600_000)
    monkeypatch.setattr(viewing_panel, "REPEAT_MS", 500_000)
    boxes = panel.session.view.boxes
    press(panel, "H")
    assert boxes.is_hidden
    viewing = panel.widget.panels[10]
    assert viewing._timer.isActive()
    press(panel, "H")
    assert boxes.is_hidden and viewing._timer.interval == 500_000, "repeated: held"
    viewing._timer.timeout.emit()
    assert not boxes.is_hidden


def test_windows_slab_report_and_map_by_keys(panel: Panel) -> None:
    from PySide6.QtWidgets import QApplication

    display = panel.session.view.volume.GetDisplayNode()
    press(panel, "S")
    assert (display.GetWindow(), display.GetLevel()) == (400.0, 40.0)
    press(panel, "L", "X")
    assert (display.GetWindow(), display.GetLevel()) == (1500.0, -500.0) and panel.session.view.hanging.is_slab
    press(panel, "E")
    assert panel.session.view.boxes.is_editing
    press(panel, "Ctrl+Shift+C")
    assert QApplication.clipboard().text().endswith("Research use only.") and "Copied" in panel.said
    panel.ui.keysButton.click()
    assert panel.ui.keysFrame.visible and "hide all overlays while held" in panel.ui.keysLabel.text
    panel.ui.keysButton.click()
    assert not panel.ui.keysFrame.visible


def test_a_box_deleted_in_the_data_tree_is_a_region_deleted(panel: Panel) -> None:
    boxes = panel.session.view.boxes
    panel.double.scene.RemoveNode(boxes.node("r4"))
    panel.settle()
    ids = [region.id for region in panel.session.reading.case.regions]
    assert "r4" not in ids and len(ids) == 5 and "Undo" in panel.said
    press(panel, "Ctrl+Z")
    assert boxes.node("r4") is not None and panel.session.reading.region("r4")


def test_a_label_holds_on_its_button_when_its_region_is_selected_again(panel: Panel) -> None:
    labels = panel.widget.panels[8]._labels
    labels["influenza_a"].click()
    assert panel.session.reading.selected == "r3" and not labels["influenza_a"].checked
    panel.ui.previousButton.click()
    assert panel.session.reading.selected == "r4" and labels["influenza_a"].checked
    panel.ui.nextRegionButton.click()
    assert panel.session.reading.selected == "r3"

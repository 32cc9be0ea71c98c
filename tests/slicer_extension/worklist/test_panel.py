"""The worklist of thousands: written in pieces, searched and sorted without a pause that a reader feels."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.slicer_extension.doubles.running_panel import Panel, running_panel

STATES = ("new", "screened", "in_progress", "done")
COUNT = 5000


def row(number: int) -> dict[str, Any]:
    """A case as the server lists it."""
    return {
        "id": f"ct-{number:05d}",
        "state": STATES[number % 4],
        "finished": number % 4 == 3,
        "lease": None,
        "modality": "CT",
        "diagnosis": None,
        "verdict": ("covid19", "influenza_a", "no_infection_found", None)[number % 4],
        "confidence": 0.6,
        "regions": 4,
        "uncertainty": (number * 7919 % COUNT) / COUNT if number % 4 else None,
        "epistemic": None,
        "score": "fresh",
        "error": None,
        "readers": [],
        "versions": 0,
        "updated": None,
    }


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Panel]:
    with running_panel(tmp_path_factory.mktemp("panel")) as running:
        running.show()
        yield running


def turns_until_written(panel: Panel) -> float:
    """Longest turn of the event loop until all rows stand, s."""
    worklist, longest = panel.widget.panels[2], 0.0
    while worklist.is_writing:
        start = time.thread_time()
        panel.application.processEvents()
        longest = max(longest, time.thread_time() - start)
    return longest


def fill(panel: Panel) -> float:
    panel.logic.connection.server = {"app": "PneumoScreen", "strategies": ["combined"], "roles": ["reader"]}
    panel.logic.connection.server_changed.emit()
    start = time.thread_time()
    panel.logic.connection._listed([row(number) for number in range(COUNT)])
    return time.thread_time() - start


def test_five_thousand_cases_never_hold_the_interface_up(panel: Panel) -> None:
    first = fill(panel)
    longest = turns_until_written(panel)
    table = panel.ui.worklistTable
    assert table.rowCount == COUNT
    assert table.item(COUNT - 1, 0).text() == f"ct-{COUNT - 1:05d}"
    assert first < 0.25 and longest < 0.1


def test_searching_is_answered_while_one_types(panel: Panel) -> None:
    fill(panel)
    turns_until_written(panel)
    start = time.thread_time()
    panel.ui.searchEdit.text = "ct-0123"
    assert time.thread_time() - start < 0.15
    assert panel.ui.worklistTable.rowCount == 10
    panel.ui.searchEdit.text = ""
    turns_until_written(panel)


def test_a_state_is_chosen_and_a_click_on_a_heading_sorts(panel: Panel) -> None:
    fill(panel)
    panel.ui.stateCombo.currentIndex = STATES.index("done") + 1
    turns_until_written(panel)
    table = panel.ui.worklistTable
    assert table.rowCount == COUNT // 4
    panel.ui.stateCombo.currentIndex = 0
    sort = panel.widget.panels[2]._sort
    sort(3)
    turns_until_written(panel)
    up = [table.item(line, 0).text() for line in range(3)]
    sort(3)
    turns_until_written(panel)
    down = [table.item(line, 0).text() for line in range(3)]
    assert up != down
    uncertain = {f"ct-{number:05d}": row(number)["uncertainty"] for number in range(COUNT)}
    assert uncertain[down[0]] >= uncertain[down[1]] >= uncertain[down[2]]


def test_a_row_says_who_reads_a_case_and_why_one_failed(panel: Panel) -> None:
    cases = [{**row(0), "lease": {"reader": "dr-b"}}, {**row(4), "error": "it shows no lungs"}]
    panel.logic.connection._listed(cases)
    turns_until_written(panel)
    table = panel.ui.worklistTable
    tips = [table.item(line, 0).toolTip() for line in range(2)]
    assert tips[0].startswith("ct-00000: with dr-b") and tips[1].endswith("it shows no lungs")


KNOWN = {"priority": 1, "acquired": "2020-01-31", "age": 62, "patient": "3fa9c21b0d4e"}
MORE = {"priority": 4, "acquired": 5, "age": 6, "patient": 7}


def shown_columns(panel: Panel) -> set[int]:
    table = panel.ui.worklistTable
    return {index for index in range(table.columnCount) if not table.isColumnHidden(index)}


def test_columns_that_no_case_has_are_hidden_and_others_explain_themselves(panel: Panel) -> None:
    panel.show(1200)
    panel.settle()
    panel.logic.connection._listed([row(0), row(1)])
    turns_until_written(panel)
    assert shown_columns(panel) == {0, 1, 2, 3}
    for name, index in MORE.items():
        panel.logic.connection._listed([{**row(0), name: KNOWN[name]}, row(1)])
        turns_until_written(panel)
        assert shown_columns(panel) == {0, 1, 2, 3, index}
        assert panel.ui.worklistTable.horizontalHeaderItem(index).toolTip()
        table = panel.ui.worklistTable
        cells = {table.item(line, 0).text(): table.item(line, index).text() for line in range(2)}
        assert cells == {"ct-00000": str(KNOWN[name]), "ct-00001": "–"}


def test_where_there_is_no_room_they_stand_in_the_explanation(panel: Panel) -> None:
    panel.show(380)
    panel.settle()
    panel.logic.connection._listed([{**row(0), **KNOWN, "lease": {"reader": "dr-b"}}])
    turns_until_written(panel)
    assert 7 not in shown_columns(panel) and {0, 1, 2} <= shown_columns(panel)
    panel.ui.worklistTable.selectRow(0)
    said = panel.ui.worklistDetailLabel.text
    for word in ("with dr-b", "priority 1", "2020-01-31", "age 62", "3fa9c21b0d4e"):
        assert word in said


def test_a_click_on_a_heading_sorts_by_day(panel: Panel) -> None:
    days = ("2020-02-01", None, "2019-12-31")
    panel.logic.connection._listed([{**row(number), "acquired": day} for number, day in enumerate(days)])
    panel.widget.panels[2]._sort(5)
    turns_until_written(panel)
    table = panel.ui.worklistTable
    assert [table.item(line, 5).text() for line in range(3)] == ["2019-12-31", "2020-02-01", "–"]

"""A reader study: nothing of the model is seen before the diagnosis, and the submission says how it came about."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import slicer.util
from tests.slicer_extension.doubles.running_panel import Panel, running_panel
from tests.slicer_extension.session.test_session import SAMPLE, read_findings

from pneumoscreen.case import Case, Reading


@pytest.fixture
def panel(tmp_path: Path) -> Iterator[Panel]:
    with running_panel(tmp_path) as running:
        running.ui.blindCheck.click()
        running.logic.connection.server = {"user": "dr-a", "roles": ["reader"], "is_known": True}
        yield running


@pytest.fixture
def sent(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    found: list[Any] = []
    monkeypatch.setattr(panel.logic.asking, "run", lambda name, args, *rest: found.append(args["document"]))
    return found


def begin(panel: Panel, seconds: list[float]) -> None:
    from PneumoScreenLib.session.stopwatch import Stopwatch

    panel.session.watch = Stopwatch(lambda: seconds[0])
    panel.session.open_sample(str(SAMPLE))
    panel.session.is_on_server = True
    read_findings(panel)


def boxes(panel: Panel) -> int:
    """How many there are once none is still to come or to go."""
    panel.wait(lambda: not panel.session.view.boxes.is_at_work)
    return len(slicer.util.getNodesByClass("vtkMRMLMarkupsROINode"))


def test_nothing_of_the_model_is_seen_or_taken_before_the_diagnosis(panel: Panel, sent: list[Any]) -> None:
    panel.show()
    begin(panel, [0.0])
    assert not panel.ui.findingsFrame.visible and boxes(panel) == 0 and panel.ui.regionTable.rowCount == 0
    assert panel.ui.submissionFrame.visible, "the diagnosis is given there"
    for action in ("accept", "accept_rest", "covid19", "delete"):
        panel.session.correct(action)
    assert not panel.session.reading.is_modified and "once you have given your diagnosis" in panel.said
    panel.logic.submission.submit()
    assert not sent
    panel.session.reading.set_diagnosis("influenza_a")
    assert panel.ui.findingsFrame.visible and boxes(panel) == 3 and panel.session.reading.selected == "r1"


def test_the_submission_tells_an_unaided_diagnosis_and_its_time(panel: Panel, sent: list[Any]) -> None:
    seconds = [0.0]
    begin(panel, seconds)
    seconds[0] = 31.0
    panel.session.reading.set_diagnosis("influenza_a")
    seconds[0] = 75.0
    panel.session.correct("accept_rest")
    panel.logic.submission.submit()
    assert Case.from_dict(sent[0]).reading == Reading(31.0, False)
    panel.session.reading.set_diagnosis("covid19")
    panel.logic.submission.submit()
    assert Case.from_dict(sent[1]).reading == Reading(75.0, True), "changed with the model before the eyes"


def test_the_switch_is_kept_and_off_by_default(panel: Panel, tmp_path: Path) -> None:
    assert panel.logic.settings.value("PneumoScreen/blind") == "true" and panel.session.study.is_on
    panel.ui.blindCheck.click()
    begin(panel, [0.0])
    assert boxes(panel) == 3


def test_no_report_tells_what_is_hidden(panel: Panel) -> None:
    begin(panel, [0.0])
    for button in (panel.ui.reportButton, panel.ui.saveReportButton):
        button.click()
        assert panel.said == "The model is shown once you have given your diagnosis."
    panel.session.reading.set_diagnosis("influenza_a")
    panel.ui.reportButton.click()
    assert panel.said.startswith("Copied: ")


OPINION = {"verdict": "covid19", "confidence": 0.93, "uncertainty": 0.71, "infection": 0.97, "priority": 1}
CASES = [
    {"id": "a", "state": "screened", **OPINION, "decided": True},
    {"id": "b", "state": "screened", **OPINION, "decided": False},
]


def test_the_worklist_tells_nothing_of_the_model_while_the_switch_is_on(panel: Panel) -> None:
    panel.show(900)
    panel.logic.connection.cases = CASES
    panel.logic.connection.cases_changed.emit()
    table, headings = panel.ui.worklistTable, ("Case", "State", "Verdict", "Unsure", "Urgent")

    def shown() -> dict[str, list[str]]:
        panel.settle(10)
        columns = [column for column in range(len(headings)) if not table.isColumnHidden(column)]
        return {headings[column]: [table.item(row, column).text() for row in range(2)] for column in columns}

    assert shown() == {"Case": ["a", "b"], "State": ["Screened"] * 2, "Verdict": ["–"] * 2}
    tips = [table.item(row, 0).toolTip() for row in range(2)]
    assert tips == ["a", "b"]
    panel.ui.searchEdit.text = "covid"
    assert table.rowCount == 0, "nor by what it is found by"
    panel.ui.searchEdit.text = ""
    panel.ui.blindCheck.click()
    assert shown()["Verdict"] == ["COVID-19", "Type undecided"] and shown()["Unsure"] == ["0.71"] * 2
    assert shown()["Urgent"] == ["1", "1"]

"""The next two cases are fetched ahead, and screened where nobody has; the worklist follows by itself."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.slicer_extension.doubles.running_panel import Panel, running_panel
from tests.slicer_extension.session.test_session import read_a_case

from PneumoScreenLib.worklist.ahead import next_cases

CASES: list[dict[str, Any]] = [
    {"id": "phantom", "state": "in_progress", "uncertainty": 0.99},
    {"id": "ct-1", "state": "done", "uncertainty": 0.9},
    {"id": "ct-2", "state": "in_progress", "uncertainty": 0.8, "lease": {"reader": "dr-b"}},
    {"id": "ct-3", "state": "new", "error": "it shows no lungs"},
    {"id": "ct-4", "state": "new", "uncertainty": None, "modality": "CXR"},
    {"id": "ct-5", "state": "screened", "uncertainty": 0.2},
    {"id": "ct-6", "state": "screened", "uncertainty": 0.7, "lease": None},
]


def test_the_likeliest_are_open_free_and_uncertain() -> None:
    def ids(strategy: str, reader: str = "dr-a", count: int = 2) -> list[str]:
        return [case["id"] for case in next_cases(CASES, "phantom", reader, strategy, count)]

    assert ids("combined") == ["ct-6", "ct-5"]
    assert ids("first") == ["ct-4", "ct-5"]
    assert ids("combined", "dr-b") == ["ct-2", "ct-6"], "what the reader holds is the reader's"


@pytest.fixture
def panel(tmp_path: Path) -> Iterator[Panel]:
    with running_panel(tmp_path) as running:
        yield running


def test_while_a_case_is_read_the_next_two_are_fetched_one_by_one(
    panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []
    answers: list[Any] = []

    def ask(call: str, args: dict[str, Any], done: Any, retry: Any, otherwise: Any = None) -> None:
        asked.append((call, args.get("case_id", "")))
        answers.append((done, otherwise))

    monkeypatch.setattr(panel.logic.asking, "ask", ask)
    panel.logic.connection.server = {"user": "dr-a", "roles": ["reader"], "is_known": True}
    panel.session.strategy = "first"
    panel.logic.connection._listed(CASES)
    assert not asked, "nothing is read yet"
    read_a_case(panel)
    panel.logic.asking.say(None)
    assert asked == [("download", "ct-4")]
    panel.session.correct("accept")
    assert len(asked) == 1, "one thing at a time"
    answers[0][0]("volume.nrrd")
    assert asked[1:] == [("screen_xray", "ct-4")]
    assert answers[1][1](None) is True, "a failure is no word to the reader"
    assert asked[2:] == [("download", "ct-5")]
    answers[2][0]("volume.nrrd")
    panel.session.correct("accept")
    assert len(asked) == 3, "it was screened already, and two are enough"
    assert not panel.said


def test_the_worklist_follows_and_keeps_the_choice(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(panel.logic.asking, "ask", lambda call, args, done, *rest: asked.append((call, done)))
    panel.logic.connection.follow()
    assert not asked, "not connected"
    panel.logic.connection.server = {"user": "dr-a", "roles": ["reader"], "is_known": True}
    panel.logic.connection._listed(CASES)
    panel.ui.worklistTable.selectRow(2)
    assert panel.ui.worklistDetailLabel.text == "ct-3: it shows no lungs"
    panel.logic.connection.follow()
    ((call, done),) = asked
    done([case for case in CASES if case["id"] != "ct-1"])
    assert call == "worklist" and panel.ui.worklistTable.rowCount == 6
    assert panel.ui.worklistDetailLabel.text == "ct-3: it shows no lungs"
    panel.ui.worklistTable.selectRow(0)
    assert "with dr-b" in panel.ui.worklistDetailLabel.text, "who holds it"

"""The lease of "Next case": given back when the case is left, kept while it is read."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.slicer_extension.doubles.running_panel import Panel, running_panel
from tests.slicer_extension.session.test_session import SAMPLE, read_findings


@pytest.fixture
def panel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Panel]:
    """A panel whose server lends the sample case; ``released`` has what was given back."""
    with running_panel(tmp_path) as running:
        asking, session = running.logic.asking, running.session
        running.released = []
        running.logic.connection.server = {"user": "dr-a", "roles": ["reader"], "is_known": True}

        def ask(call: str, args: dict[str, Any], *rest: Any) -> None:
            if call == "release":
                running.released.append(args["case_id"])

        def run(call: str, args: dict[str, Any], done: Any, *rest: Any) -> None:
            if call == "next_case":
                done({"id": "lent", "lease": {"reader": "dr-a"}})
            elif call == "submit":
                done({"version": 1})

        monkeypatch.setattr(asking, "ask", ask)
        monkeypatch.setattr(asking, "run", run)

        def arrive(case_id: str) -> None:
            session.arrive(opened(case_id))
            running.wait(lambda: not session.is_arriving)

        monkeypatch.setattr(session, "open", arrive)
        yield running


def opened(case_id: str) -> Any:
    from PneumoScreenLib.session.download import Opened

    return Opened(case_id, str(SAMPLE), None, 0, False)


def test_another_case_gives_it_back_and_the_same_does_not(panel: Panel) -> None:
    panel.session.next_case()
    panel.session.open("lent")
    assert panel.session.case_id == "lent" and panel.released == []
    panel.session.open("other")
    panel.session.open("third")
    assert panel.released == ["lent"]


def test_a_closed_scene_gives_it_back(panel: Panel) -> None:
    panel.session.next_case()
    panel.double.scene.Clear(False)
    assert panel.released == ["lent"]


def test_a_panel_that_goes_gives_it_back(panel: Panel) -> None:
    panel.session.next_case()
    panel.widget.cleanup()
    assert panel.released == ["lent"]


def test_what_is_submitted_the_server_takes_back_itself(panel: Panel) -> None:
    panel.session.next_case()
    read_findings(panel)
    panel.session.correct("accept_rest")
    panel.logic.submission.submit()
    panel.session.open("other")
    assert panel.released == []

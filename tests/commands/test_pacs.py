"""``pneumoscreen pacs`` from the command line: a mistake is one sentence, the status shows what was done."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pneumoscreen.pacs.client import StudyFound
from pneumoscreen.pacs.state import State

from .conftest import Ended

Run = Callable[..., Ended]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--pacs", "pacs.clinic.org"), "--pacs: is no address of a DICOMweb service; give one such as https://"),
        (("--pacs", "http://me:geheim@127.0.0.1:9/x"), "--pacs: holds a user or password"),
        (("--pacs", "http://127.0.0.1:9/x", "--device", "gpu"), "--device gpu: not a device"),
    ],
)
def test_a_mistake_is_one_sentence(words: tuple[str, ...], sentence: str, run: Run, tmp_path: Path) -> None:
    ended = run("pacs", "watch", "--state", tmp_path / "state", "--once", *words)
    assert ended.status == 2 and "geheim" not in ended.err
    (line,) = ended.refusals()
    assert sentence in line


def test_a_token_and_a_user_do_not_go_together(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMOSCREEN_PACS_TOKEN", "abc")
    ended = run("pacs", "watch", "--state", tmp_path, "--pacs", "http://127.0.0.1:9/x", "--user", "me")
    assert ended.status == 2 and ended.refusals() == ["--user: does not go with a token; leave one of them out"]


def test_a_pacs_that_is_away_at_the_only_look(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    ended = run("pacs", "watch", "--state", tmp_path / "state", "--once", "--pacs", "http://127.0.0.1:9/x")
    assert ended.status == 2
    (line,) = ended.refusals()
    assert line.startswith("127.0.0.1:9: the PACS does not answer when asked for studies; check its address")


def test_the_state_is_shown(run: Run, tmp_path: Path) -> None:
    state = State(tmp_path)
    state.see([StudyFound("1.2.3", 10), StudyFound("1.2.4", 20)])
    state.screened("1.2.3", "1.2.3.1", "covid19")
    state.stored("1.2.3")
    state.refused("1.2.4", "no chest")
    ended = run("pacs", "status", "--state", tmp_path)
    assert ended.out.splitlines() == ["1.2.3 stored covid19", "1.2.4 refused -: no chest"]
    first, second = json.loads(run("pacs", "status", "--state", tmp_path, "--json").out)
    assert (first["series_uid"], second["reason"]) == ("1.2.3.1", "no chest")
    ended = run("pacs", "watch", "--state", tmp_path, "--pacs", "http://127.0.0.1:9/x")
    assert ended.status == 2 and "another watcher uses it" in ended.err
    assert run("pacs", "status", "--state", tmp_path / "none").status == 2

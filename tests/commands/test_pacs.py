"""``pneumoscreen pacs`` from the command line: a mistake is one sentence, the status shows what was done."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.main import get_command

from pneumoscreen.cli import app
from pneumoscreen.pacs.client import StudyFound
from pneumoscreen.pacs.priority import KEYWORDS
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
    state.grown("1.2.3", 2)
    ended = run("pacs", "status", "--state", tmp_path)
    assert ended.out.splitlines() == ["1.2.3 stored covid19 (2 images came later)", "1.2.4 refused -: no chest"]
    first, second = json.loads(run("pacs", "status", "--state", tmp_path, "--json").out)
    assert (first["series_uid"], second["reason"]) == ("1.2.3.1", "no chest")
    ended = run("pacs", "watch", "--state", tmp_path, "--pacs", "http://127.0.0.1:9/x")
    assert ended.status == 2 and "another watcher uses it" in ended.err
    assert run("pacs", "status", "--state", tmp_path / "none").status == 2


ALSO = {"--json"}
"""Options that the documentation shows in an example."""
RECEIVE = ("receive", "--allow", "CT1")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "receive: give one of --pacs, --out and --send-to, where the results go"),
        (("--out", "x", "--send-to", "PACS@host:104"), "receive: give one of --pacs, --out and --send-to"),
        (("--send-to", "PACS"), "--send-to PACS: is no AE title with host and port"),
        (("--pacs", "pacs"), "--pacs: is no address of a DICOMweb service"),
        (("--send-to", "PACS@host:104", "--first", "PatientName=*x*"), "PatientName is no field that a rule asks for"),
        (("--send-to", "PACS@host:104", "--title", "longer than sixteen"), "'longer than sixteen' is no AE title"),
        (("--send-to", "PACS@host:104", "--ssl-ca-certs", "x"), "--ssl-ca-certs: needs TLS; give --ssl-certfile"),
        (("--send-to", "PACS@host:104", "--ssl-certfile", "x"), "--ssl-certfile is given without --ssl-keyfile"),
        (
            ("--send-to", "PACS@host:104", "--host", "192.0.2.1", "--port", 0),
            "cannot be listened on at 192.0.2.1",
        ),
    ],
)
def test_a_mistake_of_a_receiver_is_one_sentence(
    words: tuple[object, ...], sentence: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", None)
    ended = run(*RECEIVE, "--state", "state", "--device", "cpu", *words)
    assert ended.status == 2
    assert sentence in next(line for line in ended.refusals() if not line.startswith("--host"))


def test_a_watcher_and_a_receiver_do_not_share_a_state(run: Run, tmp_path: Path) -> None:
    state = State(tmp_path)
    ended = run(*RECEIVE, "--state", tmp_path, "--out", tmp_path / "out")
    assert ended.status == 2 and "another watcher uses it" in ended.err
    state.close()


@pytest.mark.parametrize("command", ["watch", "receive", "status"])
def test_every_option_stands_in_the_documentation(command: str) -> None:
    text = (Path(__file__).parents[2] / "docs" / "pacs.md").read_text(encoding="utf-8")
    found = get_command(app).commands["pacs"].commands[command]
    options = {name for parameter in found.params for name in parameter.opts if name.startswith("--")}
    assert len(options) > 1 and {name for name in options - {"--help"} if f"`{name}`" not in text} <= ALSO
    for keyword in KEYWORDS:
        assert f"`{keyword}`" in text

"""``pneumoscreen tokens``: the token once and alone on standard output, never again."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pneumoscreen.server.access.live_tokens import LiveTokens

from .conftest import Ended


@pytest.fixture
def tokens(run: Callable[..., Ended], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ended]:
    """The command with a file of its own."""
    monkeypatch.setenv("PNEUMOSCREEN_TOKENS", str(tmp_path / "tokens.json"))
    return lambda *words: run("tokens", *words)


def test_a_token_is_made_listed_and_revoked(tokens: Callable[..., Ended], tmp_path: Path) -> None:
    made = tokens("add", "--reader", "reader-a", "--role", "trainer", "--days", 30)
    assert made.status == 0
    text = made.out.strip()
    assert made.out == f"{text}\n" and text.startswith("pns_")
    assert len(made.err.splitlines()) == 1
    assert "shown this once" in made.err and text not in made.err

    (entry,) = json.loads(tokens("list", "--json").out)
    assert (entry["reader"], entry["role"], entry["state"]) == ("reader-a", "trainer", "active")
    assert entry["id"] == text.split("_")[1]
    assert set(entry) == {"id", "reader", "role", "created", "expires", "revoked", "state"}

    live = LiveTokens(tmp_path / "tokens.json")
    live.refresh()
    found = live.find(text)
    assert found is not None and found.state == "active"

    gone = tokens("revoke", entry["id"])
    assert (gone.status, gone.out) == (0, f"{entry['id']} of reader-a is revoked\n")
    assert json.loads(tokens("list", "--json").out)[0]["state"] == "revoked"
    table = tokens("list").out
    assert entry["id"] in table and "revoked" in table
    assert text.split("_")[2] not in table


def test_a_name_is_shown_as_it_is(tokens: Callable[..., Ended]) -> None:
    tokens("add", "--reader", "[red]Ada[/red]", "--role", "reader")
    assert "[red]Ada[/red]" in tokens("list").out.replace("│\n│", "").replace(" ", "")


def test_an_empty_list_says_so(tokens: Callable[..., Ended]) -> None:
    assert json.loads(tokens("list", "--json").out) == []
    ended = tokens("list")
    assert (ended.status, ended.out) == (0, "")
    assert "there is no token in" in ended.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "--reader", "a", "--role", "king"), "king"),
        (("add", "--reader", "a"), "--role"),
        (("add", "--reader", "", "--role", "reader"), "cannot be a reader's name"),
        (("add", "--reader", "a", "--role", "reader", "--days", 0), "--days"),
        (("revoke", "abc"), "no token with the id 'abc'"),
    ],
)
def test_a_mistake_is_one_sentence(tokens: Callable[..., Ended], words: tuple[object, ...], said: str) -> None:
    ended = tokens(*words)
    assert (ended.status, ended.out, len(ended.refusals())) == (2, "", 1)
    assert said in ended.err


def test_a_damaged_file_is_one_sentence(tokens: Callable[..., Ended], tmp_path: Path) -> None:
    (tmp_path / "tokens.json").write_text("{")
    for words in (("list",), ("add", "--reader", "a", "--role", "reader"), ("revoke", "abc")):
        ended = tokens(*words)
        assert (ended.status, ended.out, len(ended.refusals())) == (2, "", 1)
        assert "is damaged" in ended.err

"""The tokens of a running server follow their file, and a file that is lost or damaged never opens it."""

from pathlib import Path

import pytest

from pneumoscreen.server.access.identity import Role
from pneumoscreen.server.access.live_tokens import LiveTokens
from pneumoscreen.server.access.tokens import TokenFile, TokensError


@pytest.fixture
def file(tmp_path: Path) -> TokenFile:
    return TokenFile(tmp_path / "tokens.json")


def test_what_is_added_or_revoked_counts_at_once(file: TokenFile) -> None:
    live = LiveTokens(file.path)
    assert not live.refresh()
    entry, text = file.add("a", Role.READER)
    assert live.refresh() and live.find(text) == entry
    file.revoke(entry.id)
    assert live.refresh()
    found = live.find(text)
    assert found is not None and found.state == "revoked"


def test_a_file_that_is_taken_away_closes_the_server(file: TokenFile) -> None:
    _, text = file.add("a", Role.READER)
    live = LiveTokens(file.path)
    assert live.refresh()
    file.path.unlink()
    assert live.refresh()
    assert live.find(text) is None


def test_a_damaged_file_is_believed_again_once_mended(file: TokenFile) -> None:
    _, text = file.add("a", Role.READER)
    live = LiveTokens(file.path)
    live.refresh()
    whole = file.path.read_bytes()
    file.path.write_bytes(whole[:40])
    with pytest.raises(TokensError):
        live.refresh()
    file.path.write_bytes(whole)
    assert live.refresh() and live.find(text)

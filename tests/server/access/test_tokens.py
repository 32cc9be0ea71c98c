"""The token file: what it keeps, whom it recognises, and that a damaged one lets nobody in."""

import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pneumoscreen.server.access.identity import Role, Speaker
from pneumoscreen.server.access.live_tokens import LiveTokens
from pneumoscreen.server.access.tokens import (
    TOKENS_VARIABLE,
    TokenFile,
    TokensError,
    configured_file,
    default_file,
    file_to_change,
)


@pytest.fixture
def file(tmp_path: Path) -> TokenFile:
    return TokenFile(tmp_path / "config" / "tokens.json")


def edit(file: TokenFile, **changes: object) -> None:
    """Change a field of every entry, as time or a careless editor would."""
    content = json.loads(file.path.read_text(encoding="utf-8"))
    for token in content["tokens"]:
        token.update(changes)
    file.path.write_text(json.dumps(content))


class TestAdding:
    def test_the_file_keeps_who_it_is_but_not_the_token(self, file: TokenFile) -> None:
        entry, text = file.add("Dr. Ada Müller", Role.TRAINER, days=2)
        assert file.read() == (entry,)
        assert entry.speaker == Speaker("Dr. Ada Müller", Role.TRAINER, is_known=True)
        assert entry.expires is not None and (entry.expires - entry.created).days == 2
        prefix, token_id, secret = text.split("_")
        assert (prefix, token_id, len(bytes.fromhex(secret))) == ("pns", entry.id, 32)
        assert secret not in file.path.read_text(encoding="utf-8")

    def test_only_its_owner_may_read_it(self, file: TokenFile) -> None:
        file.add("a", Role.READER)
        file.add("b", Role.READER)
        assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700

    @pytest.mark.parametrize("name", ["", " a", "a\n", "a\x00b", "\ud800", "x" * 201])
    def test_a_name_that_would_break_a_record_is_refused(self, file: TokenFile, name: str) -> None:
        with pytest.raises(TokensError, match="cannot be a reader's name"):
            file.add(name, Role.READER)
        assert not file.path.exists()

    @pytest.mark.parametrize("days", [0, -1, 10**9])
    def test_days_out_of_range_are_refused(self, file: TokenFile, days: int) -> None:
        with pytest.raises(TokensError, match="is not between"):
            file.add("a", Role.READER, days)

    def test_none_is_lost_when_many_are_made_at_once(self, file: TokenFile) -> None:
        with ThreadPoolExecutor(16) as pool:
            made = list(pool.map(lambda i: TokenFile(file.path).add(f"reader-{i}", Role.READER), range(48)))
        live = LiveTokens(file.path)
        assert live.refresh()
        assert [live.find(text) for _, text in made] == [entry for entry, _ in made]


class TestRecognising:
    def test_a_token_is_found_and_only_as_it_was_given(self, file: TokenFile) -> None:
        entry, text = file.add("a", Role.READER)
        other, _ = file.add("b", Role.ADMINISTRATOR)
        live = LiveTokens(file.path)
        live.refresh()
        assert live.find(text) == entry
        changed = text[:-1] + ("0" if text[-1] != "0" else "1")
        exchanged = text.replace(entry.id, other.id)
        for wrong in (changed, exchanged, text + "0", text[:-1], f"{text}\n", text.upper(), entry.hash, entry.id, ""):
            assert live.find(wrong) is None

    @given(text=st.text() | st.from_regex(r"pns_[0-9a-f]{12}_[0-9a-f]{64}", fullmatch=True))
    @hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
    def test_nothing_else_is_taken_for_a_token(self, file: TokenFile, text: str) -> None:
        if not file.path.exists():
            file.add("a", Role.READER)
        live = LiveTokens(file.path)
        live.refresh()
        assert live.find(text) is None

    def test_a_token_ends_with_its_days(self, file: TokenFile) -> None:
        file.add("a", Role.READER, days=1)
        assert file.read()[0].state == "active"
        edit(file, expires="2020-01-01T00:00:00Z")
        assert file.read()[0].state == "expired"


class TestRevoking:
    def test_it_stays_listed_and_is_revoked_once(self, file: TokenFile) -> None:
        entry, _ = file.add("a", Role.READER)
        revoked = file.revoke(entry.id)
        assert (revoked.id, revoked.state) == (entry.id, "revoked")
        assert file.revoke(entry.id) == revoked == file.read()[0]

    def test_the_whole_token_in_place_of_its_id_will_do(self, file: TokenFile) -> None:
        entry, text = file.add("a", Role.READER)
        assert file.revoke(text).id == entry.id

    def test_an_unknown_id_is_named_but_never_a_secret(self, file: TokenFile) -> None:
        file.add("a", Role.READER)
        with pytest.raises(TokensError, match="no token with the id 'abc'"):
            file.revoke("abc")
        with pytest.raises(TokensError) as refused:
            file.revoke(f"pns_{'0' * 12}_{'5' * 64}")
        assert "5" * 64 not in str(refused.value)


DAMAGED = {
    "empty": b"",
    "cut": b'{"schema": "pneumoscreen.tokens/1", "tok',
    "no object": b"[]",
    "no list": b'{"schema": "pneumoscreen.tokens/1"}',
    "of a later version": b'{"schema": "pneumoscreen.tokens/2", "tokens": []}',
    "not text": b"\xff\xfe\x00",
}


class TestDamage:
    @pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
    def test_a_damaged_file_is_an_error_and_never_an_open_server(self, file: TokenFile, content: bytes) -> None:
        file.path.parent.mkdir()
        file.path.write_bytes(content)
        with pytest.raises(TokensError, match="is damaged"):
            file.read()
        live = LiveTokens(file.path)
        for _ in range(2):
            with pytest.raises(TokensError, match="is damaged"):
                live.refresh()
        with pytest.raises(TokensError, match="is damaged"):
            file.add("a", Role.READER)
        assert file.path.read_bytes() == content

    @pytest.mark.parametrize(
        "changes",
        [
            {"role": "king"},
            {"reader": ""},
            {"hash": "0"},
            {"created": "yesterday"},
            {"expires": "2026-01-01T00:00:00"},
            {"extra": 1},
            {"id": "../x"},
        ],
        ids=str,
    )
    def test_a_wrong_field_is_named(self, file: TokenFile, changes: dict[str, object]) -> None:
        file.add("a", Role.READER)
        edit(file, **changes)
        with pytest.raises(TokensError, match=rf"tokens\.0\.{next(iter(changes))}"):
            file.read()

    def test_two_entries_with_one_id_are_damage(self, file: TokenFile) -> None:
        file.add("a", Role.READER)
        file.add("b", Role.ADMINISTRATOR)
        edit(file, id="0" * 12)
        with pytest.raises(TokensError, match="two tokens have one id"):
            file.read()

    @pytest.mark.parametrize("mode", [0o620, 0o602])
    def test_a_file_that_others_may_write_is_not_believed(self, file: TokenFile, mode: int) -> None:
        file.add("a", Role.READER)
        file.path.chmod(mode)
        with pytest.raises(TokensError, match="chmod 600"):
            file.read()

    def test_a_folder_in_its_place_is_a_sentence(self, file: TokenFile) -> None:
        file.path.mkdir(parents=True)
        with pytest.raises(TokensError, match="cannot be read"):
            file.read()
        with pytest.raises(TokensError, match="cannot be"):
            file.add("a", Role.READER)


class TestWhichFile:
    def test_the_users_own_unless_one_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv(TOKENS_VARIABLE, raising=False)
        assert configured_file() == file_to_change() == default_file()
        there = tmp_path / "t.json"
        there.touch()
        assert configured_file(there) == file_to_change(there) == there
        monkeypatch.setenv(TOKENS_VARIABLE, str(there))
        assert configured_file() == file_to_change() == there

    def test_a_slip_in_its_name_does_not_open_the_server(self, tmp_path: Path) -> None:
        with pytest.raises(TokensError, match=r"does not exist; .*pneumoscreen tokens add .* --tokens"):
            configured_file(tmp_path / "tokns.json")

    def test_none_is_a_server_without_tokens(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(TOKENS_VARIABLE, "none")
        assert configured_file() is None
        assert not LiveTokens(None).refresh()
        with pytest.raises(TokensError, match="there is no token file"):
            file_to_change()

    @pytest.mark.skipif(os.name != "posix", reason="where configuration lies on Linux")
    def test_it_lies_with_the_users_configuration(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
        assert default_file() == tmp_path / "pneumoscreen" / "tokens.json"

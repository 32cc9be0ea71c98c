"""The state folder of a server on a PACS: whose it is, and how the server's other processes get to know."""

from dataclasses import replace
from pathlib import Path

import pytest

from pneumoscreen.errors import ConfigError
from pneumoscreen.pacs.choices import Kernel, Send
from pneumoscreen.pacs.settings import PacsSettings, settings_of, take_state

PACS = PacsSettings("https://pacs.clinic.org/dicom-web", kernel=Kernel.SHARP, send=Send.SUBMITTED)


def test_what_was_asked_for_is_kept(tmp_path: Path) -> None:
    kept = take_state(tmp_path / "state", PACS, "2026-01-01T00:00:00.000Z")
    assert settings_of(tmp_path / "state") == kept == replace(PACS, sends_since="2026-01-01T00:00:00.000Z")
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert settings_of(tmp_path) is None


def test_results_are_those_since_somebody_asked_for_them(tmp_path: Path) -> None:
    take_state(tmp_path / "state", PACS, "2026-01-01T00:00:00.000Z")
    again = take_state(tmp_path / "state", replace(PACS, send=Send.ALL), "2026-01-02T00:00:00.000Z")
    assert again.sends_since == "2026-01-01T00:00:00.000Z"
    take_state(tmp_path / "state", replace(PACS, send=Send.NONE), "2026-01-03T00:00:00.000Z")
    later = take_state(tmp_path / "state", PACS, "2026-01-04T00:00:00.000Z")
    assert later.sends_since == "2026-01-04T00:00:00.000Z"


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    take_state(tmp_path / "state", PACS, "")
    with pytest.raises(ConfigError, match=r"--state .*state: belongs to another PACS; name the folder of this one"):
        take_state(tmp_path / "state", replace(PACS, url="https://other.clinic.org/dicom-web"), "")
    take_state(tmp_path / "state", replace(PACS, url=PACS.url + "/"), "")
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "scan.nrrd").write_bytes(b"NRRD")
    with pytest.raises(ConfigError, match="holds something else than the state of a server; name an empty folder"):
        take_state(tmp_path / "studies", PACS, "")
    (tmp_path / "watched").mkdir()
    (tmp_path / "watched" / "state.sqlite").write_bytes(b"")
    with pytest.raises(ConfigError, match="is that of `pacs watch`; name another folder"):
        take_state(tmp_path / "watched", PACS, "")
    with pytest.raises(ConfigError, match="cannot be used"):
        take_state(tmp_path / "studies" / "scan.nrrd", PACS, "")


def test_damaged_settings_are_a_sentence(tmp_path: Path) -> None:
    take_state(tmp_path, PACS, "")
    file = tmp_path / ".pneumoscreen" / "pacs" / "settings.json"
    for damage in ("", "[]", "{}", '{"schema": "pneumoscreen.pacs/1", "url": "x", "kernel": "firm", "send": "none"}'):
        file.write_text(damage)
        with pytest.raises(ConfigError, match=r"settings\.json is damaged; restore it from a backup"):
            settings_of(tmp_path)


def test_a_token_stands_in_a_file_or_in_the_environment(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("abc\n")
    settings = replace(PACS, token_file=str(tmp_path / "token"))
    assert settings.access({"PNEUMOSCREEN_PACS_TOKEN": "def"}).token == "abc"
    assert PACS.access({"PNEUMOSCREEN_PACS_TOKEN": "def"}).token == "def"
    assert replace(PACS, user="u").access({"PNEUMOSCREEN_PACS_PASSWORD": "geheim"}).password == "geheim"
    for content in ("", "a\nb"):
        (tmp_path / "token").write_text(content)
        with pytest.raises(ConfigError, match=r"--pacs-token-file .*: holds no token; name a file with one line"):
            settings.access({})
    assert "abc" not in repr(settings)

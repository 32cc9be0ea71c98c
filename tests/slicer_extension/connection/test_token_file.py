"""The API token: readable by its owner alone, and not in Slicer's settings."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from tests.slicer_extension.doubles.running_panel import running_panel

from PneumoScreenLib.connection.token_file import TokenFile


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_token_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "PneumoScreen/token"
    token = TokenFile(str(path))
    assert token.read() == ""
    before = os.umask(0)
    try:
        token.write("secret-1")
    finally:
        os.umask(before)
    assert token.read() == "secret-1" and mode(path) == 0o600
    path.chmod(0o644)
    token.write("secret-2")
    assert TokenFile(str(path)).read() == "secret-2" and mode(path) == 0o600
    token.write("")
    token.write("")
    assert not path.exists() and list(path.parent.iterdir()) == []


def test_what_is_typed_goes_into_the_file_and_not_into_the_settings(tmp_path: Path) -> None:
    with running_panel(tmp_path) as panel:
        panel.ui.tokenEdit.text = " secret "
        panel.logic.settings.sync()
        assert panel.logic.token.read() == "secret" and mode(tmp_path / "token") == 0o600
        assert panel.logic.calls._connection()["token"] == "secret"
    assert "secret" not in (tmp_path / "settings.ini").read_text(encoding="utf-8")
    with running_panel(tmp_path) as panel:
        assert panel.ui.tokenEdit.text == "secret"
        panel.ui.tokenEdit.text = ""
        assert panel.logic.calls._connection()["token"] is None


def test_a_token_of_an_earlier_version_moves(tmp_path: Path) -> None:
    with running_panel(tmp_path, token="old-secret") as panel:
        assert panel.ui.tokenEdit.text == "old-secret"
        panel.logic.settings.sync()
        text = (tmp_path / "settings.ini").read_text(encoding="utf-8")
        assert "old-secret" not in text and "address" in text


def test_a_token_that_cannot_be_kept_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*values: Any) -> int:
        raise OSError(28, "No space left on device")

    with running_panel(tmp_path) as panel:
        monkeypatch.setattr(os, "open", full)
        panel.ui.tokenEdit.text = "secret"
        assert "cannot be kept" in panel.ui.connectionLabel.text

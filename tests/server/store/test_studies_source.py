"""What ``serve --studies`` names: options that do not go together are one sentence and exit status 2."""

from pathlib import Path

import pytest

from pneumoscreen.cli import main

ADDRESS = "http://127.0.0.1:9/dicom-web"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Of a server on another PACS."""
    from pneumoscreen.pacs.settings import PacsSettings, take_state

    take_state(tmp_path / "state", PacsSettings("http://127.0.0.1:8/dicom-web"), "")
    return tmp_path / "state"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--studies", ADDRESS], "--state: is missing; a server on a PACS keeps"),
        (["--studies", ADDRESS, "--state", "{state}"], "belongs to another PACS; name the folder of this one"),
        (["--studies", "ftp://127.0.0.1/x", "--state", "{new}"], "--studies: is no address of a DICOMweb service"),
        (["--studies", "http://u:p@host/x", "--state", "{new}"], "--studies: holds a user or password"),
        (["--studies", "{folder}", "--state", "{new}"], "--state: does not go with a folder of studies"),
        (
            ["--studies", "{folder}", "--pacs-user", "u", "--days", "3"],
            "--pacs-user, --days: do not go with a folder of studies; give --studies the address of a PACS",
        ),
        (["--studies", "{state}"], "is the state of a server on a PACS; start it with --studies ADDRESS --state"),
        (
            ["--studies", ADDRESS, "--state", "{new}", "--pacs-client-cert", "{new}/nothing"],
            "--pacs-client-cert {new}/nothing: is no file; name an existing one",
        ),
        (["--studies", ADDRESS, "--state", "{new}", "--cache-gb", "0"], "--cache-gb: must be more than 0"),
        (["--studies", ADDRESS, "--state", "{new}", "--kernel", "firm"], "'firm' is not one of 'soft', 'sharp', 'any'"),
        (["--studies", ADDRESS, "--state", "{new}", "--pacs-token-file", "{new}/t"], "holds no token"),
    ],
)
def test_wrong_combinations(
    words: list[str], sentence: str, state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder").mkdir()
    places = {"state": str(state), "new": str(tmp_path / "new"), "folder": str(tmp_path / "folder")}
    assert main(["serve", "--port", "0", *(word.format(**places) for word in words)]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1 and sentence.format(**places) in said[0], said
    assert not (tmp_path / "new").exists()


def test_a_user_and_a_token_do_not_go_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PNEUMOSCREEN_PACS_TOKEN", "abc")
    words = ["serve", "--studies", ADDRESS, "--state", str(tmp_path / "new"), "--pacs-user", "u"]
    assert main(words) == 2
    assert "--pacs-user: does not go with a token" in capsys.readouterr().err

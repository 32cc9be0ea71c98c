"""The version of the state: an older folder is backed up and brought up to date, a newer one is left alone."""

import json
import zipfile
from pathlib import Path

import pytest

from pneumoscreen.cli import main
from pneumoscreen.server.app import PneumoScreenApp
from pneumoscreen.server.serve import DEFAULT_APP
from pneumoscreen.server.store.migration import bring_up_to_date
from pneumoscreen.server.store.restore import restore_backup
from pneumoscreen.server.store.state import STATE_FILE, VERSION, StateError, version_of
from pneumoscreen.studies.annotations import AnnotationStore

LAYOUT = Path(__file__).with_name("layout_0.zip")
"""A studies folder as the program left it in November 2026, when it wrote no version."""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    folder = tmp_path / "studies"
    with zipfile.ZipFile(LAYOUT) as archive:
        archive.extractall(folder)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(".lock")
    }


def test_an_older_folder_is_backed_up_and_brought_up_to_date(old: Path, tmp_path: Path) -> None:
    before = files(old)
    assert version_of(old) == 0
    backup = bring_up_to_date(old)
    assert backup is not None and backup.parent == old / ".pneumoscreen" / "backups"
    assert version_of(old) == VERSION
    added = {str(STATE_FILE), backup.relative_to(old).as_posix()}
    assert {name: data for name, data in files(old).items() if name not in added} == before
    restore_backup(backup, tmp_path / "restored", None)
    assert files(tmp_path / "restored") == {name: data for name, data in before.items() if name != "ct-1.nii.gz"}
    assert version_of(tmp_path / "restored") == 0
    assert bring_up_to_date(old) is None, "a second time there is nothing to do"


def test_the_app_has_all_of_it(old: Path, model_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMOSCREEN_MODELS", str(model_root))
    app = PneumoScreenApp(str(DEFAULT_APP), str(old), {})
    assert version_of(old) == VERSION
    assert app.datastore().list_images() == ["ct-1"]
    versions = AnnotationStore(old).versions("ct-1")
    assert [(each.version, each.reader, each.kind) for each in versions] == [
        (1, "reader-a", "reader"),
        (2, "reader-b", "reader"),
        (3, "local", "adjudication"),
    ]
    assert app.engine.all_versions()["ct_classifier"] == 1


def test_an_empty_folder_gets_the_present_version_and_no_backup(tmp_path: Path) -> None:
    (tmp_path / "ct-1.nii.gz").write_bytes(b"an image")
    assert version_of(tmp_path) is None
    assert bring_up_to_date(tmp_path) is None
    assert version_of(tmp_path) == VERSION


def test_a_newer_folder_is_refused_with_a_sentence(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (old / STATE_FILE).write_text(json.dumps({"schema": "pneumoscreen.state", "version": VERSION + 1}))
    before = files(old)
    assert main(["serve", "--studies", str(old), "--port", "0", "--tokens", "none"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "newer program" in said
    assert files(old) == before


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"schema": "x", "version": 1}', '{"schema": "pneumoscreen.state"}']
)
def test_a_damaged_version_is_a_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / STATE_FILE).parent.mkdir()
    (tmp_path / STATE_FILE).write_text(content)
    with pytest.raises(StateError, match=r"state\.json is damaged"):
        bring_up_to_date(tmp_path)


def test_each_step_is_done_once_in_order_and_one_that_fails_is_done_again(old: Path) -> None:
    done: list[str] = []

    def fails_at_first(studies: Path) -> None:
        done.append("second")
        if done.count("second") == 1:
            raise StateError("no room")

    steps = {0: lambda studies: done.append("first"), 1: fails_at_first}
    with pytest.raises(StateError, match="no room"):
        bring_up_to_date(old, steps, version=2)
    assert version_of(old) == 0
    assert bring_up_to_date(old, steps, version=2) is not None
    assert done == ["first", "second"] * 2
    assert json.loads((old / STATE_FILE).read_text(encoding="utf-8"))["version"] == 2


def test_without_a_backup_nothing_is_changed(old: Path) -> None:
    (old / ".pneumoscreen" / "backups").write_text("a file in the way")
    with pytest.raises(StateError, match="must be backed up"):
        bring_up_to_date(old)
    assert version_of(old) == 0

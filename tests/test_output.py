"""Output folders are checked first, and files are whole or absent."""

import os
from pathlib import Path

import pytest

from pneumoscreen.errors import PneumoScreenError
from pneumoscreen.output import OutputError, new_folder, prepare_folder, remove_unfinished, replacing, require_folder


def test_a_missing_folder_is_made_with_its_parents(tmp_path: Path) -> None:
    folder = prepare_folder(tmp_path / "a" / "b")
    assert folder.is_dir()
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(OutputError, match="a file stands where"):
        prepare_folder(tmp_path / name)
    assert (tmp_path / "file").read_text(encoding="utf-8") == "kept"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="cannot be written to"):
        prepare_folder(tmp_path / "below")
    tmp_path.chmod(0o700)


def test_a_folder_to_read_must_be_there(tmp_path: Path) -> None:
    assert require_folder(tmp_path, "the studies folder") == tmp_path
    with pytest.raises(PneumoScreenError, match="the studies folder does not exist"):
        require_folder(tmp_path / "absent", "the studies folder")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "case.json"
    target.write_text("old")

    def interrupted() -> None:
        with replacing(target) as part:
            part.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert target.read_text(encoding="utf-8") == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["case.json"]


def test_a_write_takes_the_place_of_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "case.json"
    target.write_text("old")
    with replacing(target) as part:
        part.write_text("new")
        assert target.read_text(encoding="utf-8") == "old"
    assert target.read_text(encoding="utf-8") == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["case.json"]


def test_a_write_error_names_the_target(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match=r"absent/case\.json: cannot be written"),
        replacing(tmp_path / "absent" / "case.json") as part,
    ):
        part.write_text("new")


def test_a_new_folder_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "a" / "out"

    def fail() -> None:
        with new_folder(target) as folder:
            (folder / "half").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not target.exists() and list((tmp_path / "a").iterdir()) == []
    with new_folder(target) as folder:
        (folder / "whole").write_text("whole")
        assert not target.exists()
    assert [path.name for path in target.iterdir()] == ["whole"]


def test_a_folder_that_holds_something_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    with new_folder(tmp_path / "link") as folder:
        (folder / "a").write_text("a")
    for name in ("empty", "link", "empty/a"):
        with pytest.raises(OutputError, match="exists already, and nothing in it is written over"):
            new_folder(tmp_path / name).__enter__()
    assert (tmp_path / "empty" / "a").read_text(encoding="utf-8") == "a"


def test_what_a_killed_process_left_is_deleted_and_nothing_else(tmp_path: Path) -> None:
    kept = ["a.json", ".hidden", "b.part", ".c.part", ".d.x1.part"]
    for name in (*kept, ".a.json.4711.part", ".archive.html.1.part"):
        (tmp_path / name).write_text("half")
    (tmp_path / ".folder.1.part").mkdir()
    remove_unfinished(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*kept, ".folder.1.part"])

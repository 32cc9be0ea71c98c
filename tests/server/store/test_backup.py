"""Backups: made while the server runs, checked, put back, and nothing else let in."""

import json
import sqlite3
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from pneumoscreen.cli import main
from pneumoscreen.server.store.backup import BackupError, make_backup
from pneumoscreen.server.store.restore import restore_backup
from pneumoscreen.server.store.state import VERSION, StateError
from pneumoscreen.server.store.unpacking import ArchiveError
from pneumoscreen.studies.annotations import AnnotationStore
from pneumoscreen.studies.audit import AuditLog

from ...studies.conftest import document
from ..conftest import RunningServer, copied_models, serving

CASE = "upright"


@pytest.fixture
def studies_folder(tmp_path: Path) -> Path:
    """Studies with one case that two readers read, its audit entry, and what is left out or made again."""
    studies = tmp_path / "studies"
    studies.mkdir()
    (studies / "ct-1.nii.gz").write_bytes(b"an image")
    for reader in ("anna", "berta"):
        AnnotationStore(studies).submit(replace(document(), case_id="ct-1"), reader)
    AuditLog(studies).record("anna", "submitted", "ct-1")
    (studies / "audit" / "patients.key").write_bytes(b"secret")
    (studies / "audit" / "patients.key").chmod(0o600)
    work = studies / ".pneumoscreen"
    for name in ("images/0.nrrd", "reports/ct-1.html", "reports/.7.ct-1.html"):
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(name)
    (studies / "audit" / "link").symlink_to("/etc/passwd")
    return studies


@pytest.fixture
def archive(studies_folder: Path, tmp_path: Path) -> Path:
    made = make_backup(studies_folder, tmp_path / "backup.zip")
    assert made.left_out == ("audit/link",)
    return tmp_path / "backup.zip"


def content(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """Every file with its rights and time."""
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mode, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and not path.name.endswith(".lock")
    }


def rewritten(archive: Path, target: Path, **files: bytes | None) -> Path:
    """A copy of a backup with other content; None takes a file out. ``__`` stands for a slash."""
    changed = {name.replace("__", "/"): data for name, data in files.items()}
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as copy:
        for name in source.namelist():
            if name not in changed:
                copy.writestr(name, source.read(name))
        for name, data in changed.items():
            if data is not None:
                copy.writestr(name, data)
    return target


class TestServer:
    """A real server is backed up while it works; another one stands on what was restored."""

    @pytest.fixture(scope="class")
    def restored(
        self, server: RunningServer, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[tuple[RunningServer, dict[str, object]]]:
        asked = server.client.infer("ct_screening", CASE, output="json").document
        address = f"{server.client.address}/pneumoscreen/annotations/{CASE}"
        assert requests.put(address, json=asked, timeout=60).status_code == 200
        folder = tmp_path_factory.mktemp("backup")
        work = threading.Thread(target=server.client.infer, args=("ct_screening", "turned"))
        work.start()
        words = ["--studies", str(server.studies), "--model-dir", str(server.models), "--images"]
        assert main(["backup", str(folder / "all.zip"), *words]) == 0
        work.join()
        before = told(server)
        where = ["--studies", str(folder / "studies"), "--model-dir", str(folder / "models")]
        assert main(["restore", str(folder / "all.zip"), *where]) == 0
        with serving(folder / "studies", folder / "models", tmp_path_factory) as other:
            yield other, before

    def test_worklist_documents_and_models_are_the_same(
        self, restored: tuple[RunningServer, dict[str, object]]
    ) -> None:
        other, before = restored
        after = told(other)
        assert after.keys() == before.keys()
        for what, value in before.items():
            assert after[what] == value, what

    def test_it_goes_on_from_there(self, restored: tuple[RunningServer, dict[str, object]]) -> None:
        other = restored[0]
        asked = other.client.infer("ct_screening", CASE, output="json").document
        address = f"{other.client.address}/pneumoscreen/annotations/{CASE}"
        versions = len(requests.get(address, timeout=60).json()["versions"])
        added = requests.put(address, json={**asked, "notes": ["read again"]}, timeout=60)
        assert added.json()["version"] == versions + 1


def told(server: RunningServer) -> dict[str, object]:
    """What a server says of its cases and models; of the case that was being screened only who read it."""
    ask = server.client.get
    row = next(row for row in server.client.worklist() if row["id"] == CASE)
    assert row["state"] == "done"
    return {
        "cases": sorted(each["id"] for each in server.client.worklist()),
        "row": {name: row[name] for name in row if name != "lease"},
        "readings": sorted((each["id"], each["versions"]) for each in server.client.worklist()),
        "versions": ask(f"/pneumoscreen/annotations/{CASE}").json(),
        "document": ask(f"/pneumoscreen/annotations/{CASE}/1").json(),
        "screening": ask(f"/pneumoscreen/screening/{CASE}").json(),
        "report": ask(f"/pneumoscreen/report/{CASE}").content,
        "label": ask(f"/datastore/label?label={CASE}&tag=final").content,
        "models": ask("/info/").json()["models"]["ct_screening"]["versions"],
    }


class TestBackup:
    def test_everything_comes_back_with_its_rights_and_times(
        self, studies_folder: Path, archive: Path, tmp_path: Path
    ) -> None:
        restore_backup(archive, tmp_path / "restored", None)
        expected = content(studies_folder)
        for name in ("ct-1.nii.gz", ".pneumoscreen/images/0.nrrd", ".pneumoscreen/reports/.7.ct-1.html"):
            del expected[name]
        assert content(tmp_path / "restored") == expected
        assert (tmp_path / "restored" / "audit" / "patients.key").stat().st_mode & 0o777 == 0o600
        assert archive.stat().st_mode & 0o077 == 0, "it holds what readers said of patients"

    def test_images_come_along_if_wanted(self, studies_folder: Path, tmp_path: Path) -> None:
        make_backup(studies_folder, tmp_path / "all.zip", images=True)
        restore_backup(tmp_path / "all.zip", tmp_path / "restored", None)
        assert (tmp_path / "restored" / "ct-1.nii.gz").read_bytes() == b"an image"

    def test_a_case_is_taken_at_one_moment(self, studies_folder: Path, tmp_path: Path) -> None:
        """Readers submit all the time: in each backup the label is that of the newest version in it."""
        store, over, submitted = AnnotationStore(studies_folder), threading.Event(), threading.Semaphore(0)

        def submit() -> None:
            number = 0
            while not over.wait(0.01):
                number += 1
                store.submit(replace(document(), case_id="ct-1", notes=(f"reading {number}",)), "anna")
                submitted.release()

        reader = threading.Thread(target=submit)
        reader.start()
        try:
            for number in range(4):
                assert submitted.acquire(timeout=60) and submitted.acquire(timeout=60)
                make_backup(studies_folder, tmp_path / f"{number}.zip")
        finally:
            over.set()
            reader.join()
        counts = []
        for number in range(4):
            restore_backup(tmp_path / f"{number}.zip", tmp_path / str(number), None)
            restored = AnnotationStore(tmp_path / str(number))
            versions = restored.versions("ct-1")
            label = json.loads((tmp_path / str(number) / "labels" / "final" / "ct-1.json").read_text(encoding="utf-8"))
            assert label == versions[-1].document.to_dict()
            assert restored.repair() == []
            counts.append(len(versions))
        assert counts == sorted(counts) and counts[-1] > counts[0] >= 2

    def test_a_database_is_taken_whole_while_somebody_writes_it(self, studies_folder: Path, tmp_path: Path) -> None:
        path = studies_folder / ".pneumoscreen" / "runs.db"
        writer = sqlite3.connect(path)
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("CREATE TABLE runs (name TEXT)")
        writer.executemany("INSERT INTO runs VALUES (?)", [(f"run {number}",) for number in range(500)])
        writer.commit()  # into the log beside it; the file itself has none of them yet
        writer.execute("INSERT INTO runs VALUES ('half')")
        make_backup(studies_folder, tmp_path / "backup.zip")
        writer.close()
        restore_backup(tmp_path / "backup.zip", tmp_path / "restored", None)
        copy = sqlite3.connect(tmp_path / "restored" / ".pneumoscreen" / "runs.db")
        assert copy.execute("SELECT count(*) FROM runs").fetchone() == (500,)
        copy.close()
        assert not (tmp_path / "restored" / ".pneumoscreen" / "runs.db-wal").exists()

    def test_what_cannot_be_backed_up_is_a_sentence(self, studies_folder: Path, archive: Path, tmp_path: Path) -> None:
        for words, said in (
            ((studies_folder, archive), "is there already"),
            ((tmp_path / "nowhere", tmp_path / "b.zip"), "is no folder"),
            ((studies_folder, studies_folder / "b.zip", None, True), "lies among the studies"),
            ((studies_folder, tmp_path / "b.zip", tmp_path / "nowhere"), "--model-dir"),
        ):
            with pytest.raises(BackupError, match=said):
                make_backup(*words)
        assert not list(tmp_path.glob(".b.zip*")) and not (tmp_path / "b.zip").exists()


class TestRestore:
    def test_nothing_is_overwritten_without_being_asked(
        self, studies_folder: Path, archive: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        before = content(studies_folder)
        words = ["restore", str(archive), "--studies", str(studies_folder)]
        assert main(words) == 2
        assert capsys.readouterr().err.count("\n") == 1
        assert content(studies_folder) == before
        AnnotationStore(studies_folder).submit(replace(document(), case_id="ct-2"), "anna")
        assert main([*words, "--overwrite"]) == 0
        assert AnnotationStore(studies_folder).cases() == ["ct-1"]
        aside = next(studies_folder.glob(".before-restore-*"))
        assert (aside / "annotations" / "ct-2" / "000001.json").is_file(), "nothing is deleted"
        assert str(aside) in capsys.readouterr().err
        assert (studies_folder / "ct-1.nii.gz").read_bytes() == b"an image"

    def test_models_go_where_they_are_sent(self, studies_folder: Path, model_root: Path, tmp_path: Path) -> None:
        models = copied_models(model_root, tmp_path / "models")
        make_backup(studies_folder, tmp_path / "backup.zip", models)
        with pytest.raises(BackupError, match="--model-dir"):
            restore_backup(tmp_path / "backup.zip", tmp_path / "restored", None)
        restore_backup(tmp_path / "backup.zip", tmp_path / "restored", tmp_path / "other")
        assert content(tmp_path / "other") == content(models)

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"studies__annotations__ct-1__000001.json": b"{}"}, "is not what was backed up"),
            ({"studies__annotations__ct-1__000001.json": None}, "does not hold the files"),
            ({"studies__annotations__ct-9__000001.json": b"{}"}, "does not hold the files"),
            ({"elsewhere__x": b"x"}, "does not hold the files"),
            ({"manifest.json": None}, "no backup"),
            ({"manifest.json": b"{}"}, "no backup"),
            ({"manifest.json": b"[" * 100_000}, "no backup"),
        ],
    )
    def test_what_is_damaged_is_not_restored(
        self, archive: Path, tmp_path: Path, changes: dict[str, bytes | None], said: str
    ) -> None:
        other = rewritten(archive, tmp_path / "other.zip", **changes)
        with pytest.raises(BackupError, match=said):
            restore_backup(other, tmp_path / "restored", None)
        assert list((tmp_path / "restored").iterdir()) == []

    @pytest.mark.parametrize("name", ["../x", "/tmp/x", "studies/../../x", "studies/annotations/../../../x"])
    def test_a_name_that_leads_elsewhere_is_refused(self, archive: Path, tmp_path: Path, name: str) -> None:
        other = rewritten(archive, tmp_path / "other.zip", **{name: b"x"})
        with pytest.raises(ArchiveError, match=r"leads elsewhere|absolute"):
            restore_backup(other, tmp_path / "around" / "restored", None)
        assert [path.name for path in (tmp_path / "around").rglob("*")] == ["restored"]

    def test_a_link_is_refused(self, archive: Path, tmp_path: Path) -> None:
        other = rewritten(archive, tmp_path / "other.zip")
        with zipfile.ZipFile(other, "a") as copy:
            link = zipfile.ZipInfo("studies/annotations/link")
            link.external_attr = 0o120777 << 16
            copy.writestr(link, "/etc")
        with pytest.raises(ArchiveError, match="link"):
            restore_backup(other, tmp_path / "restored", None)

    def test_a_bomb_is_refused(self, archive: Path, tmp_path: Path) -> None:
        other = rewritten(archive, tmp_path / "other.zip", studies__bomb=b"\0" * (80 << 20))
        with pytest.raises(ArchiveError, match="times its size"):
            restore_backup(other, tmp_path / "restored", None)
        assert list((tmp_path / "restored").iterdir()) == []

    def test_a_backup_of_a_newer_program_is_refused(self, archive: Path, tmp_path: Path) -> None:
        with zipfile.ZipFile(archive) as source:
            manifest = json.loads(source.read("manifest.json"))
        newer = json.dumps({**manifest, "state": VERSION + 1}).encode()
        other = rewritten(archive, tmp_path / "other.zip", **{"manifest.json": newer})
        with pytest.raises(StateError, match="newer program"):
            restore_backup(other, tmp_path / "restored", None)

    def test_if_a_move_fails_all_stands_as_before(
        self, studies_folder: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = content(studies_folder)
        real, count = __import__("shutil").move, 0

        def fails_at_the_third(source: Path, target: Path) -> None:
            nonlocal count
            count += 1
            if count == 3:
                raise OSError(28, "No space left on device", str(target))
            real(source, target)

        monkeypatch.setattr("pneumoscreen.server.store.restore.shutil.move", fails_at_the_third)
        with pytest.raises(BackupError, match="nothing was restored"):
            restore_backup(archive, studies_folder, None, overwrite=True)
        assert content(studies_folder) == before

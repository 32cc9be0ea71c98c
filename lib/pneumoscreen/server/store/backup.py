"""Backups: annotations, labels, split, audit log, state and models in one ZIP, with the digest of every file.

Made while the server runs: files are replaced whole, so each is read in one go; the files of a case are read while
nobody may submit to it, those of a model while nobody may publish, and a database by its own copy. The audit log comes
last, so that it has whatever the rest has.
"""

import hashlib
import json
import os
import sqlite3
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from filelock import FileLock

from ... import __version__
from ...errors import PneumoScreenError
from ...models.lock import changing
from ...studies.annotations import CASE_LOCK, LOCK_S, AnnotationStore
from ...studies.audit import utc_text
from ...studies.layout import ANNOTATIONS, AUDIT, FINAL_LABELS
from ...studies.patients import PATIENTS_FILE
from .. import WORK_FOLDER
from .state import BACKUPS, version_of
from .temporary import is_staged
from .unpacking import is_plain_path

SCHEMA = "pneumoscreen.backup/1"
MANIFEST = "manifest.json"
STUDIES, MODELS = "studies", "models"
INDEX = "datastore_v2.json"

_KEPT = (str(ANNOTATIONS), "labels", str(AUDIT), WORK_FOLDER, PATIENTS_FILE, INDEX)
_MADE_AGAIN = (str(BACKUPS), f"{WORK_FOLDER}/images")
_DENSE = (".gz", ".nrrd", ".mha", ".png", ".jpg", ".jpeg", ".safetensors", ".zip")
_DATABASE = b"SQLite format 3\x00"
_BESIDE_DATABASE = ("-wal", "-shm", "-journal")
_CHUNK = 1 << 20


class BackupError(PneumoScreenError):
    """A backup that cannot be made or restored."""


@dataclass(frozen=True)
class Kept:
    """One file in the manifest: what restoring checks and sets."""

    size: int
    sha256: str
    mode: int
    mtime_ns: int


@dataclass(frozen=True)
class Made:
    """What went into a backup, and the names of what did not: links, devices, names that no archive may hold."""

    files: int
    bytes: int
    left_out: tuple[str, ...]


def make_backup(studies: Path, target: Path, models: Path | None = None, images: bool = False) -> Made:
    """Write a backup.

    Args:
        studies: the studies folder.
        target: the archive; it appears when it is whole.
        models: root of the model store; None leaves the models out.
        images: whether the images go in as well.

    Raises:
        BackupError: if there are no studies, or the archive is there already or would go into itself.
        PneumoScreenError: if a case or a model is being written for too long.
    """
    if not studies.is_dir():
        raise BackupError(f"{studies} is no folder; name the folder of the studies")
    if target.exists():
        raise BackupError(f"{target} is there already; name another file")
    if images and target.resolve().is_relative_to(studies.resolve()):
        raise BackupError(f"{target} lies among the studies, whose images go into it; name a file elsewhere")
    handle, part = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            made = _write(file, studies, models, images)
            file.flush()
            os.fsync(file.fileno())
        os.rename(part, target)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise
    return made


def _write(file: IO[bytes], studies: Path, models: Path | None, images: bool) -> Made:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        writer = _Writer(archive)
        version = version_of(studies)
        _add_cases(writer, studies)
        roots = sorted(entry.name for entry in os.scandir(studies)) if images else list(_KEPT)
        for name in sorted(roots, key=lambda name: name == str(AUDIT)):
            if name != str(ANNOTATIONS):
                writer.add_tree(studies / name, STUDIES, studies)
        for folder in _folders_of(models):
            with _still(folder):
                writer.add_tree(folder, MODELS, folder.parent)
        content = {
            "schema": SCHEMA,
            "program": __version__,
            "at": utc_text(datetime.now(UTC)),
            "state": version,
            "images": images,
            "models": models is not None,
            "files": {name: asdict(kept) for name, kept in writer.files.items()},
        }
        archive.writestr(MANIFEST, json.dumps(content, indent=1))
    return Made(len(writer.files), sum(kept.size for kept in writer.files.values()), tuple(writer.left_out))


def _add_cases(writer: "_Writer", studies: Path) -> None:
    """The annotations of each case and its label, as they are at one moment."""
    store = AnnotationStore(studies)
    for case_id in store.cases():
        folder = studies / ANNOTATIONS / case_id
        with FileLock(folder / CASE_LOCK, timeout=LOCK_S) if folder.is_dir() else nullcontext():
            writer.add_tree(folder, STUDIES, studies)
            writer.add_tree(studies / FINAL_LABELS / f"{case_id}.json", STUDIES, studies)


def _folders_of(models: Path | None) -> list[Path]:
    if models is None:
        return []
    if not models.is_dir():
        raise BackupError(f"{models} is no folder; name the folder of the models with --model-dir")
    return sorted(path for path in models.iterdir() if path.is_dir() and not path.is_symlink())


@contextmanager
def _still(folder: Path) -> Iterator[None]:
    """While nobody publishes; where this account may not write, nobody does by it."""
    with changing(folder) if os.access(folder, os.W_OK) else nullcontext():
        yield


class _Writer:
    """The archive and its manifest; what is in it is not taken again."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.files: dict[str, Kept] = {}
        self.left_out: list[str] = []

    def add_tree(self, path: Path, where: str, root: Path) -> None:
        """A file, or all files below a folder."""
        name = path.relative_to(root).as_posix()
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            return
        if name in _MADE_AGAIN or is_staged(path.name) or path.name.endswith(".lock"):
            return
        if stat.S_ISDIR(mode):
            try:
                names = sorted(os.listdir(path))
            except FileNotFoundError:
                return
            for each in names:
                self.add_tree(path / each, where, root)
        elif not stat.S_ISREG(mode) or not is_plain_path(f"{where}/{name}"):
            self.left_out.append(name)
        elif f"{where}/{name}" not in self.files:
            self._add(path, f"{where}/{name}")

    def _add(self, path: Path, name: str) -> None:
        try:
            with path.open("rb") as file:
                if file.read(len(_DATABASE)) == _DATABASE:
                    with _copy_of_database(path) as copy, copy.open("rb") as copied:
                        self._copy(copied, name, os.fstat(file.fileno()))
                elif not path.name.endswith(_BESIDE_DATABASE):
                    file.seek(0)
                    self._copy(file, name, os.fstat(file.fileno()))
        except FileNotFoundError:
            return  # replaced or removed meanwhile, which a server may do with what it makes again

    def _copy(self, file: IO[bytes], name: str, status: os.stat_result) -> None:
        entry = zipfile.ZipInfo(name)
        entry.compress_type = zipfile.ZIP_STORED if name.endswith(_DENSE) else zipfile.ZIP_DEFLATED
        entry.external_attr = (stat.S_IFREG | 0o600) << 16
        digest, size = hashlib.sha256(), 0
        with self._archive.open(entry, "w", force_zip64=True) as target:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
                target.write(chunk)
        self.files[name] = Kept(size, digest.hexdigest(), stat.S_IMODE(status.st_mode) & 0o777, status.st_mtime_ns)


@contextmanager
def _copy_of_database(path: Path) -> Iterator[Path]:
    """A copy as SQLite makes it, whole whoever writes meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        source = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        target = sqlite3.connect(copy)
        try:
            source.backup(target)
        except sqlite3.Error as error:
            raise BackupError(f"the database {path.name} cannot be read ({error}); mend or remove it") from None
        finally:
            source.close()
            target.close()
        yield copy

"""Backups put back: unpacked beside the folders that they are for, checked, and only then moved into place.

What is unpacked goes the way of every archive (``unpacking``): no links, no names that lead elsewhere, no more bytes
than there is room for. What stands in the way is refused, or set aside if that is wanted; nothing is deleted.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...limits import MEBIBYTE
from .backup import MANIFEST, MODELS, SCHEMA, STUDIES, BackupError, Kept
from .state import require_not_newer
from .unpacking import ArchiveLimits, unpack

_MOST_ENTRIES = 20_000_000
_SPARED = 64 * MEBIBYTE
"""Ours: room that is left on the disk."""
_LARGEST_MANIFEST = 4096 * MEBIBYTE


class _Manifest(BaseModel):
    model_config = ConfigDict(frozen=True)

    schema_: str = Field(alias="schema", pattern=f"^{SCHEMA}$")
    program: str
    at: str
    state: int | None
    files: dict[str, Kept]


class Restored(BaseModel):
    """What was put back; ``set_aside`` are the folders that hold what stood in the way."""

    files: int
    program: str
    at: str
    set_aside: tuple[Path, ...]


def restore_backup(archive: Path, studies: Path, models: Path | None, overwrite: bool = False) -> Restored:
    """Put a backup back; no server may run on these folders meanwhile.

    Args:
        archive: the backup.
        studies: where its studies go; made where missing. Images that lie there stay.
        models: where its models go; made where missing.
        overwrite: set aside what stands in the way, in a hidden folder beside it.

    Raises:
        BackupError: if it is no backup, is damaged, is of a newer program, or something stands in the way.
        ArchiveError: if it cannot be unpacked.
        StateError: if a newer program made it.
    """
    if not archive.is_file():
        raise BackupError(f"{archive} is no file; name a backup")
    studies.mkdir(parents=True, exist_ok=True)
    with _staging(studies) as staged:
        room = max(shutil.disk_usage(studies).free - _SPARED, 0)
        unpack(archive, staged, ArchiveLimits(_MOST_ENTRIES, room))
        manifest = _checked(archive, staged)
        targets = {STUDIES: studies}
        if (staged / MODELS).is_dir():
            if models is None:
                raise BackupError(f"{archive.name} holds models; say with --model-dir where they go")
            models.mkdir(parents=True, exist_ok=True)
            targets[MODELS] = models
        moves = [
            (entry, target / entry.name)
            for part, target in targets.items()
            if (staged / part).is_dir()
            for entry in sorted((staged / part).iterdir())
        ]
        return Restored(
            files=len(manifest.files), program=manifest.program, at=manifest.at, set_aside=_put(moves, overwrite)
        )


@contextmanager
def _staging(studies: Path) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=".restore-", dir=studies))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _checked(archive: Path, staged: Path) -> _Manifest:
    """The manifest, once every file is the one that it names and has its time and rights."""
    path = staged / MANIFEST
    try:
        if path.stat().st_size > _LARGEST_MANIFEST:
            raise BackupError(f"{archive.name} is no backup: its manifest is too large")
        manifest = _Manifest.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        raise BackupError(f"{archive.name} is no backup of this program, or a damaged one; name another") from None
    require_not_newer(manifest.state, archive)
    found = {file.relative_to(staged).as_posix() for file in staged.rglob("*") if file.is_file() and file != path}
    if found != manifest.files.keys() or not all(name.split("/")[0] in (STUDIES, MODELS) for name in found):
        raise BackupError(f"{archive.name} is damaged: it does not hold the files that its manifest names")
    for name, kept in manifest.files.items():
        file = staged / name
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        if file.stat().st_size != kept.size or digest != kept.sha256:
            raise BackupError(f"{archive.name} is damaged: {name} is not what was backed up")
        os.chmod(file, kept.mode & 0o777)
        os.utime(file, ns=(kept.mtime_ns, kept.mtime_ns))
    return manifest


def _put(moves: list[tuple[Path, Path]], overwrite: bool) -> tuple[Path, ...]:
    """Move everything into its place, or nothing."""
    in_the_way = [target for _, target in moves if os.path.lexists(target) and not _is_empty(target)]
    if in_the_way and not overwrite:
        raise BackupError(f"{in_the_way[0]} is there already; restore into other folders, or add --overwrite")
    name = f".before-restore-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
    done: list[tuple[Path, Path]] = []
    try:
        for source, target in moves:
            if os.path.lexists(target):
                aside = target.parent / name / target.name
                aside.parent.mkdir(exist_ok=True)
                os.rename(target, aside)
                done.append((aside, target))
            shutil.move(source, target)
            done.append((target, source))
    except OSError as error:
        for there, before in reversed(done):
            shutil.move(there, before)
        raise BackupError(f"nothing was restored: {error.filename} cannot be moved ({error.strerror})") from None
    return tuple(sorted({there.parent for there, _ in done if there.parent.name == name}))


def _is_empty(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and not any(path.iterdir())

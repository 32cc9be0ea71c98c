"""What became of each image of an archive, in SQLite: a change is on the disk before the work goes on.

One process writes. An image is known by where it lies below the source and, of a DICOM series, by the series; whether
it is still the same one, by sizes and dates of its files. Two images of the same bytes are screened once.
"""

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..output import OutputError

WAITING, SCREENED, REFUSED, FAILED = STATES = ("waiting", "screened", "refused", "failed")
"""``refused``: cannot be screened, however often it is tried. ``failed``: what failed may pass, the next run tries."""
FILE, LOCK = "manifest.sqlite", "archive.lock"
_FORMAT = 1
_COLUMNS = {
    "key": "TEXT PRIMARY KEY",
    "place": "TEXT NOT NULL",
    "modality": "TEXT NOT NULL",
    "stamp": "TEXT NOT NULL",
    "state": "TEXT NOT NULL",
    "reason": "TEXT NOT NULL DEFAULT ''",
    "kind": "TEXT NOT NULL DEFAULT ''",
    "case_id": "TEXT NOT NULL DEFAULT ''",
    "folder": "TEXT NOT NULL DEFAULT ''",
    "sha256": "TEXT NOT NULL DEFAULT ''",
    "copy_of": "TEXT NOT NULL DEFAULT ''",
    "verdict": "TEXT NOT NULL DEFAULT ''",
    "words": "TEXT NOT NULL DEFAULT ''",
    "decided": "INTEGER",
    "infection": "REAL",
    "models": "TEXT NOT NULL DEFAULT ''",
    "program": "TEXT NOT NULL DEFAULT ''",
    "deaths": "INTEGER NOT NULL DEFAULT 0",
    "seconds": "REAL",
    "ended": "REAL",
    "seen": "INTEGER NOT NULL DEFAULT 0",
}
_INDICES = ("state", "sha256")
_TOGETHER = 1000
"""Ours: images that were done before and are entered as seen in one write to the disk."""


@dataclass(frozen=True)
class Row:
    """One image.

    Attributes:
        key: what it is known by.
        place: where it lies below the source, or its hash.
        modality: of the image.
        stamp: changes with size or date of its files.
        state: one of ``STATES``.
        reason: why it was refused or failed, a sentence.
        kind: the type of that error, to count by.
        case_id: of its document.
        folder: of document and report, below the output folder.
        sha256: of its bytes.
        copy_of: place of the image of the same bytes whose document is its own, too; else empty.
        verdict: the label.
        words: the verdict as a reader is told it.
        decided: whether the type is.
        infection: the calibrated probability.
        models: name, version and digest of the networks, as JSON.
        program: version that screened or refused it.
        deaths: how often a process ended over it without a word.
        seconds: of its screening, without the loading of the networks.
        ended: when that ended, seconds since the epoch.
        seen: number of the last run that found it in the source.
    """

    key: str
    place: str
    modality: str
    stamp: str
    state: str = WAITING
    reason: str = ""
    kind: str = ""
    case_id: str = ""
    folder: str = ""
    sha256: str = ""
    copy_of: str = ""
    verdict: str = ""
    words: str = ""
    decided: bool | None = None
    infection: float | None = None
    models: str = ""
    program: str = ""
    deaths: int = 0
    seconds: float | None = None
    ended: float | None = None
    seen: int = 0


_FIELDS = tuple(field.name for field in fields(Row))


def models_text(models: Mapping[str, Any]) -> str:
    """The networks of a document, by name, version and digest, as one text to compare."""
    return json.dumps({name: [info.version, info.sha256] for name, info in sorted(models.items())})


class Manifest:
    """The manifest of one output folder; a second run on the same folder is refused.

    Args:
        folder: the output folder.

    Raises:
        OutputError: if it cannot be used, or another process uses it.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE
        self._lock = FileLock(folder / LOCK)
        self._seen: list[tuple[int, str]] = []
        try:
            self._lock.acquire(timeout=0)
            self._base = sqlite3.connect(self._file)
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=FULL")
            self._make()
        except Timeout:
            raise OutputError(f"{folder}: another run is writing into it; wait for its end or stop it") from None
        except (OSError, sqlite3.Error) as error:
            raise OutputError(f"{self._file}: cannot be used ({error}); name another folder") from None

    def _make(self) -> None:
        (version,) = self._base.execute("PRAGMA user_version").fetchone()
        if version not in (0, _FORMAT):
            raise OutputError(f"{self._file}: was written by another version of this program; name another folder")
        with self._changing():
            columns = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
            self._base.execute(f"CREATE TABLE IF NOT EXISTS images ({columns})")
            self._base.execute(
                "CREATE TABLE IF NOT EXISTS runs (number INTEGER PRIMARY KEY, begun REAL, found_all REAL)"
            )
            for name in _INDICES:
                self._base.execute(f"CREATE INDEX IF NOT EXISTS by_{name} ON images ({name})")
            self._base.execute(f"PRAGMA user_version = {_FORMAT}")

    def close(self) -> None:
        """Let another run use it."""
        self._base.close()
        self._lock.release()

    def begin_run(self) -> int:
        """Enter a run and return its number."""
        with self._changing():
            return int(self._base.execute("INSERT INTO runs (begun) VALUES (?)", (time.time(),)).lastrowid or 0)

    def end_search(self, run: int) -> None:
        """All that the source holds was found by this run."""
        with self._changing():
            self._enter_seen()
            self._base.execute("UPDATE runs SET found_all = ? WHERE number = ?", (time.time(), run))

    def get(self, key: str) -> Row | None:
        """The row of an image; None where it is not known yet."""
        return _one(self._base, "key = ?", key)

    def put(self, row: Row) -> None:
        """Enter an image, or what became of it."""
        marks = ", ".join("?" * len(_FIELDS))
        with self._changing():
            self._base.execute(
                f"INSERT OR REPLACE INTO images ({', '.join(_FIELDS)}) VALUES ({marks})",
                [getattr(row, name) for name in _FIELDS],
            )

    def saw(self, key: str, run: int) -> None:
        """The source still holds an image as it was; entered by the end of the search, many at once."""
        self._seen.append((run, key))
        if len(self._seen) >= _TOGETHER:
            with self._changing():
                self._enter_seen()

    def _enter_seen(self) -> None:
        self._base.executemany("UPDATE images SET seen = ? WHERE key = ?", self._seen)
        self._seen.clear()

    def rows(self, where: str = "1", order: str = "rowid", *values: object) -> Iterator[Row]:
        """Rows in an order; both conditions are this program's own text."""
        for found in self._base.execute(
            f"SELECT {', '.join(_FIELDS)} FROM images WHERE {where} ORDER BY {order}", values
        ):
            yield _row(found)

    def counts(self, column: str, where: str = "1", *values: object) -> dict[str, int]:
        """How many rows have each value of a column, the commonest first."""
        counted = self._base.execute(
            f"SELECT {column}, COUNT(*) FROM images WHERE {where} GROUP BY {column} ORDER BY COUNT(*) DESC, {column}",
            values,
        )
        return {str(value): int(count) for value, count in counted}

    def last_full_search(self) -> int | None:
        """Number of the last run that found all of the source; None where none did."""
        found = self._base.execute("SELECT MAX(number) FROM runs WHERE found_all IS NOT NULL").fetchone()[0]
        return None if found is None else int(found)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        try:
            with self._base:
                yield
        except sqlite3.Error as error:
            raise OutputError(
                f"{self._file}: cannot be written ({error}); free the disk and give the same command again"
            ) from None


def _row(values: tuple[Any, ...]) -> Row:
    named = dict(zip(_FIELDS, values, strict=True))
    named["decided"] = None if named["decided"] is None else bool(named["decided"])
    return Row(**named)


def find_twin(base: sqlite3.Connection, sha256: str, models: str) -> Row | None:
    """A screened image of the same bytes and networks that has a document of its own."""
    return _one(base, f"sha256 = ? AND models = ? AND state = '{SCREENED}' AND copy_of = ''", sha256, models)


def _one(base: sqlite3.Connection, where: str, *values: object) -> Row | None:
    found = base.execute(f"SELECT {', '.join(_FIELDS)} FROM images WHERE {where} LIMIT 1", values).fetchone()
    return None if found is None else _row(found)

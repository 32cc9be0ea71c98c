"""The list of cases of a server on a PACS, in SQLite: it is there when the PACS is not.

A case is a study, of which one series or X-ray is shown; or a series that somebody asked for by its own UID. Its name
follows from the UID. Nothing of a patient is kept.

Thread contract: every method opens the file for itself; several threads and processes may use it.
"""

import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from .client import StudyFound
from .selection import Candidate
from .state_file import changing
from .uids import folder_name

_FILE = "cases.sqlite"
_DIGITS = 12
_TABLES = """
CREATE TABLE IF NOT EXISTS cases (
    case_id TEXT PRIMARY KEY, study_uid TEXT NOT NULL, asked_series TEXT NOT NULL, instances INTEGER,
    changed REAL NOT NULL, is_listed INTEGER NOT NULL, series_uid TEXT NOT NULL DEFAULT '',
    instance_uid TEXT NOT NULL DEFAULT '', files INTEGER, note TEXT NOT NULL DEFAULT '',
    generation INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS by_study ON cases (study_uid);
CREATE TABLE IF NOT EXISTS looks (at REAL, away_since REAL, reason TEXT NOT NULL);
"""
_FIELDS = "case_id, study_uid, asked_series, instances, changed, series_uid, instance_uid, files, note, generation"


@dataclass(frozen=True)
class PacsCase:
    """One case.

    Attributes:
        study_uid: its study.
        asked_series: the series that it was asked for by; empty of a case that is a study.
        instances: how many the PACS said its study has.
        changed: when that number was last another one.
        series_uid: what is shown of it; empty until something needed its images.
        instance_uid: the X-ray, of a series of several.
        files: how many the PACS said that has.
        note: why it was chosen, a sentence for documents; may be empty.
        generation: counts the times that its images became others.
    """

    case_id: str
    study_uid: str
    asked_series: str
    instances: int | None
    changed: float
    series_uid: str
    instance_uid: str
    files: int | None
    note: str
    generation: int

    @property
    def is_chosen(self) -> bool:
        """Whether it is known what is shown of it."""
        return bool(self.series_uid)


@dataclass(frozen=True)
class Looks:
    """When the PACS was last asked for its studies, in seconds since 1970, and since when it does not answer."""

    at: float | None = None
    away_since: float | None = None
    reason: str = ""


def case_name(study_uid: str, series_uid: str = "") -> str:
    """The name of the case of a study, or of one of its series."""
    kind, uid = ("series", series_uid) if series_uid else ("study", study_uid)
    return f"{kind}-{folder_name(uid)[:_DIGITS]}"


class Catalogue:
    """The cases of one server.

    Args:
        folder: for the file.
        clock: seconds since 1970.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._file, self._clock = folder / _FILE, clock
        folder.mkdir(parents=True, exist_ok=True)
        with self._open() as base:
            base.execute("PRAGMA journal_mode=WAL")
            base.executescript(_TABLES)
            if base.execute("SELECT count(*) FROM looks").fetchone() == (0,):
                base.execute("INSERT INTO looks VALUES (NULL, NULL, '')")

    def offered(self, quiet_s: float) -> dict[str, PacsCase]:
        """The cases to show: those of the PACS' last list that have come to rest, and those that were ever used."""
        rows = self._rows("(is_listed AND changed <= ?) OR series_uid != '' ORDER BY case_id", self._clock() - quiet_s)
        return {case.case_id: case for case in rows}

    def growing(self, quiet_s: float) -> frozenset[str]:
        """The cases that still grow."""
        rows = self._rows("is_listed AND changed > ? AND series_uid = ''", self._clock() - quiet_s)
        return frozenset(case.case_id for case in rows)

    def case(self, case_id: str) -> PacsCase | None:
        """One case."""
        return next(iter(self._rows("case_id = ?", case_id)), None)

    def grown(self, studies: Sequence[StudyFound]) -> list[PacsCase]:
        """The cases whose studies have another number of instances than before."""
        now = {study.uid: study.instances for study in studies}
        return [case for case in self._rows("1") if now.get(case.study_uid, case.instances) != case.instances]

    def see(self, studies: Iterable[StudyFound]) -> None:
        """These studies, and no others, are in the PACS' list; it was asked just now."""
        now, is_first = self._clock(), self.looks().at is None
        with self._open() as base:
            base.execute("UPDATE cases SET is_listed = 0")
            for study in studies:
                self._enter(base, study, "", 0.0 if is_first else now)
            base.execute("UPDATE looks SET at = ?, away_since = NULL, reason = ''", (now,))

    def enter(self, study: StudyFound, series_uid: str = "") -> str:
        """Enter a study, or one of its series, that somebody asked for; returns the case."""
        with self._open() as base:
            return self._enter(base, study, series_uid, 0.0)

    def choose(self, case_id: str, taken: Candidate, note: str | None) -> None:
        """This is shown of a case."""
        values = taken.series_uid, taken.instance_uid or "", taken.instances, note or ""
        self._set(case_id, "series_uid = ?, instance_uid = ?, files = ?, note = ?", *values)

    def renew(self, case_id: str, files: int | None) -> None:
        """The images of a case are others now: so many."""
        self._set(case_id, "files = ?, generation = generation + 1", files)

    def remove(self, case_id: str) -> None:
        """A case is not in the PACS any more."""
        with self._open() as base:
            base.execute("DELETE FROM cases WHERE case_id = ?", (case_id,))

    def is_away(self, reason: str) -> None:
        """The PACS did not answer just now."""
        with self._open() as base:
            base.execute("UPDATE looks SET away_since = coalesce(away_since, ?), reason = ?", (self._clock(), reason))

    def looks(self) -> Looks:
        """When the PACS was asked."""
        with self._open() as base:
            return Looks(*base.execute("SELECT at, away_since, reason FROM looks").fetchone())

    def _enter(self, base: sqlite3.Connection, study: StudyFound, series_uid: str, changed: float) -> str:
        name = case_name(study.uid, series_uid)
        base.execute(
            "INSERT OR IGNORE INTO cases (case_id, study_uid, asked_series, instances, changed, is_listed) "
            "VALUES (?, ?, ?, ?, ?, 1)",
            (name, study.uid, series_uid, study.instances, changed),
        )
        base.execute("UPDATE cases SET is_listed = 1 WHERE study_uid = ?", (study.uid,))
        base.execute(
            "UPDATE cases SET instances = ?, changed = ? WHERE study_uid = ? AND instances IS NOT ?",
            (study.instances, changed, study.uid, study.instances),
        )
        return name

    def _rows(self, condition: str, *values: object) -> list[PacsCase]:
        with self._open() as base:
            found = base.execute(f"SELECT {_FIELDS} FROM cases WHERE {condition}", values)
            return [PacsCase(*row) for row in found]

    def _set(self, case_id: str, assignments: str, *values: object) -> None:
        with self._open() as base:
            base.execute(f"UPDATE cases SET {assignments} WHERE case_id = ?", (*values, case_id))

    def _open(self) -> AbstractContextManager[sqlite3.Connection]:
        return changing(self._file)

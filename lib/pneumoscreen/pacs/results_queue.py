"""Results that are to go to the PACS, in SQLite: each is entered before anybody is told that it was taken.

Of a case they go one after the other, in the order in which they were entered; each names those before it. What is in
a document is the program's and the readers': nothing of a patient.

Thread contract: every method opens the file for itself; several threads and processes may use it.
"""

import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path

from ..case import Case
from ..verdict import Classes
from .state import FIRST_RETRY_S, LONGEST_RETRY_S
from .state_file import changing
from .uids import digest_of

WAITING, STORED, REFUSED = "waiting", "stored", "refused"
MOST_FAULTS = 5
"""Ours: so often is a result made over which the program fails."""
_FILE = "results.sqlite"
_TABLE = """CREATE TABLE IF NOT EXISTS results (
    id INTEGER PRIMARY KEY AUTOINCREMENT, case_id TEXT NOT NULL, version INTEGER NOT NULL, reader TEXT NOT NULL,
    document TEXT NOT NULL, classes TEXT NOT NULL, digest TEXT NOT NULL, state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, next_try REAL NOT NULL DEFAULT 0, reason TEXT NOT NULL DEFAULT '',
    report_uid TEXT NOT NULL DEFAULT '')"""
_FIELDS = "id, case_id, version, reader, document, classes, state, attempts, reason, report_uid"


@dataclass(frozen=True)
class Result:
    """One document about a case.

    Attributes:
        version: of its annotation; 0 of a screening.
        reader: who submitted it; empty of a screening.
        document: its JSON text; empty once it is stored.
        class_list: of the document, as JSON text.
        state: ``waiting``, ``stored`` or ``refused``.
        attempts: failures so far.
        reason: of the last one, a sentence.
        report_uid: SOPInstanceUID of its structured report, once that was made.
    """

    id: int
    case_id: str
    version: int
    reader: str
    document: str
    class_list: str
    state: str
    attempts: int
    reason: str
    report_uid: str

    @property
    def classes(self) -> Classes:
        """The class list of the document."""
        names = json.loads(self.class_list)
        return Classes(**{**names, "infections": tuple(names["infections"])})

    @property
    def key(self) -> str:
        """By which its objects lie in the outbox."""
        return f"{self.case_id}\n{self.id}"


class ResultsQueue:
    """The results of one server.

    Args:
        folder: for the file.
        clock: seconds since 1970.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._file, self._clock = folder / _FILE, clock
        with self._open() as base:
            base.execute("PRAGMA journal_mode=WAL")
            base.execute(_TABLE)

    def add(self, case: Case, classes: Classes, version: int = 0, reader: str = "") -> bool:
        """Enter a document; whether it says something else than the last one that was entered of its case."""
        digest = digest_of(case)
        with self._open() as base:
            base.execute("BEGIN IMMEDIATE")
            last = base.execute(
                "SELECT digest, version, reader FROM results WHERE case_id = ? ORDER BY id DESC LIMIT 1",
                (case.case_id,),
            ).fetchone()
            if last is not None and (last[0], last[2]) == (digest, reader):
                return False
            if version and self._has(base, case.case_id, version):
                return False
            base.execute(
                "INSERT INTO results (case_id, version, reader, document, classes, digest, state) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (case.case_id, version, reader, case.to_json(), json.dumps(asdict(classes)), digest, WAITING),
            )
        return True

    def result(self, number: int) -> Result | None:
        """One result."""
        return next(iter(self._rows("id = ?", number)), None)

    def due(self) -> list[Result]:
        """The results to work on now: of each case the oldest that waits, unless it waits for a next try."""
        oldest = f"SELECT min(id) FROM results WHERE state = '{WAITING}' GROUP BY case_id"
        return self._rows(f"id IN ({oldest}) AND next_try <= ? ORDER BY id", self._clock())

    def before(self, result: Result) -> list[str]:
        """The structured reports of the same case that a result supersedes, oldest first."""
        rows = self._rows("case_id = ? AND id < ? AND report_uid != '' ORDER BY id", result.case_id, result.id)
        return [row.report_uid for row in rows if row.state == STORED]

    def versions(self, case_id: str) -> set[int]:
        """The versions of a case's annotations that were ever entered."""
        return {row.version for row in self._rows("case_id = ?", case_id)}

    def made(self, result: Result, report_uid: str) -> None:
        """All objects of a result lie in the outbox."""
        self._set(result, "report_uid = ?", report_uid)

    def stored(self, result: Result) -> None:
        """All objects of a result are in the PACS."""
        self._set(result, "state = ?, document = '', reason = ''", STORED)

    def failed(self, result: Result, reason: str) -> None:
        """Something failed that may pass."""
        wait = f"MIN({LONGEST_RETRY_S}, {FIRST_RETRY_S} * (1 << MIN(attempts, 20)))"
        self._set(result, f"reason = ?, next_try = ? + {wait}, attempts = attempts + 1", reason, self._clock())

    def refused(self, result: Result, reason: str) -> None:
        """A result that cannot be made or stored, however often it is tried."""
        self._set(result, "state = ?, reason = ?, attempts = attempts + 1", REFUSED, reason)

    def hurry(self) -> None:
        """The PACS is back: what waits for a next try is tried now."""
        with self._open() as base:
            base.execute("UPDATE results SET next_try = 0")

    def open(self) -> list[Result]:
        """What is not stored, oldest first, without the documents."""
        return self._rows("state != ? ORDER BY id", STORED, fields=_FIELDS.replace("document", "''"))

    @staticmethod
    def _has(base: sqlite3.Connection, case_id: str, version: int) -> bool:
        found = base.execute("SELECT 1 FROM results WHERE case_id = ? AND version = ?", (case_id, version))
        return found.fetchone() is not None

    def _rows(self, condition: str, *values: object, fields: str = _FIELDS) -> list[Result]:
        with self._open() as base:
            return [Result(*row) for row in base.execute(f"SELECT {fields} FROM results WHERE {condition}", values)]

    def _set(self, result: Result, assignments: str, *values: object) -> None:
        with self._open() as base:
            base.execute(f"UPDATE results SET {assignments} WHERE id = ?", (*values, result.id))

    def _open(self) -> AbstractContextManager[sqlite3.Connection]:
        return changing(self._file)

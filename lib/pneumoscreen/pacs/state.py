"""What was done with each study, in SQLite: every change is on the disk before the work goes on.

Nothing of a patient is kept: a study is known by its StudyInstanceUID, a reason is a sentence of this program.
"""

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from ..errors import PneumoScreenError
from .client import StudyFound

SEEN, SCREENED, STORED, FAILED, REFUSED = "seen", "screened", "stored", "failed", "refused"
WAITING = (SEEN, SCREENED, FAILED)
"""States of studies with which there is something left to do."""
FIRST_RETRY_S, LONGEST_RETRY_S = 30.0, 6 * 3600.0
"""Ours: from the first failure to the next try; each further one waits twice as long, up to the longest."""
MOST_DEATHS = 10
"""Ours: so often may the program die over one study, without a word, before the study is left alone."""
_FILE = "state.sqlite"
_TABLE = """CREATE TABLE IF NOT EXISTS studies (
    study_uid TEXT PRIMARY KEY, state TEXT NOT NULL, instances INTEGER, changed REAL NOT NULL, attempts INTEGER NOT NULL
    DEFAULT 0, begun INTEGER NOT NULL DEFAULT 0, next_try REAL NOT NULL DEFAULT 0, reason TEXT NOT NULL DEFAULT '',
    series_uid TEXT NOT NULL DEFAULT '', verdict TEXT NOT NULL DEFAULT '', priority INTEGER,
    taken REAL NOT NULL DEFAULT 0, late INTEGER NOT NULL DEFAULT 0)"""
_LATER = {"priority": "INTEGER", "taken": "REAL NOT NULL DEFAULT 0", "late": "INTEGER NOT NULL DEFAULT 0"}
"""Columns that a state of an earlier version does not have."""
_ORDER = "ORDER BY COALESCE(priority, 0) DESC, rowid"


class StateError(PneumoScreenError):
    """A folder whose state cannot be used."""


@dataclass(frozen=True)
class Entry:
    """One study.

    Attributes:
        state: ``seen``, ``screened`` (results wait here to be stored), ``stored``, ``failed`` (is tried again) or
            ``refused`` (is not, unless the study grows).
        instances: how many the PACS said it has.
        changed: when that number was last another one.
        attempts: failures so far.
        begun: how often work on it began that never came to an end.
        next_try: time before which it is left alone.
        reason: why it failed or was refused, a sentence.
        series_uid: what was screened.
        verdict: its label, or ``undecided`` where the type is.
        priority: the higher, the sooner it is screened; None where that was not asked yet.
        taken: when work on it began last.
        late: images that came after it was screened.
    """

    study_uid: str
    state: str
    instances: int | None
    changed: float
    attempts: int
    begun: int
    next_try: float
    reason: str
    series_uid: str
    verdict: str
    priority: int | None = None
    taken: float = 0.0
    late: int = 0


def read_entries(folder: Path) -> list[Entry]:
    """All studies of a state that a watcher may be using, oldest first.

    Raises:
        StateError: if there is none.
    """
    file = folder / _FILE
    if not file.is_file():
        raise StateError(f"--state {folder}: no watcher was here; name the folder that `pacs watch` was given")
    try:
        with closing(sqlite3.connect(file)) as base:
            return _entries(base)
    except sqlite3.Error as error:
        raise StateError(f"--state {folder}: cannot be read ({error}); name another folder") from None


def _entries(base: sqlite3.Connection) -> list[Entry]:
    return _found(base, "ORDER BY rowid")


def _found(base: sqlite3.Connection, which: str, *values: object) -> list[Entry]:
    cursor = base.execute(f"SELECT * FROM studies {which}", values)
    names = [column[0] for column in cursor.description]
    return [Entry(**dict(zip(names, row, strict=True))) for row in cursor]


class State:
    """The state of one watcher; another one on the same folder is refused.

    Args:
        folder: where the file lies; made where missing, closed to others.
        clock: seconds since the epoch.

    Raises:
        StateError: if it cannot be used, or another process uses it.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._clock, self._folder = clock, folder
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = FileLock(folder / "watch.lock")
            self._lock.acquire(timeout=0)
            self._base = sqlite3.connect(folder / _FILE)
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=FULL")
            self._base.execute(_TABLE)
            known = {row[1] for row in self._base.execute("PRAGMA table_info(studies)")}
            for column, kind in _LATER.items():
                if column not in known:
                    self._base.execute(f"ALTER TABLE studies ADD COLUMN {column} {kind}")
        except Timeout:
            raise StateError(
                f"--state {folder}: another watcher uses it; stop that one or name another folder"
            ) from None
        except (OSError, sqlite3.Error) as error:
            reason = getattr(error, "strerror", None) or error
            raise StateError(f"--state {folder}: cannot be used ({reason}); name another folder") from None

    def close(self) -> None:
        """Let another watcher use it."""
        self._base.close()
        self._lock.release()

    def see(self, studies: Iterable[StudyFound]) -> None:
        """These studies are in the PACS. One that was refused and has grown is looked at again."""
        now = self._clock()
        with self._changing():
            for study in studies:
                self._base.execute(
                    "INSERT OR IGNORE INTO studies (study_uid, state, instances, changed) VALUES (?, ?, ?, ?)",
                    (study.uid, SEEN, study.instances, now),
                )
                self._base.execute(
                    f"UPDATE studies SET instances = ?, changed = ?, begun = 0, "
                    f"state = CASE state WHEN '{REFUSED}' THEN '{SEEN}' ELSE state END "
                    f"WHERE study_uid = ? AND instances IS NOT ? AND state IN ('{SEEN}', '{FAILED}', '{REFUSED}')",
                    (study.instances, now, study.uid, study.instances),
                )

    def due(self, quiet_s: float) -> list[Entry]:
        """The studies to work on now: complete for so many seconds, and not waiting for a next try.

        Those of the highest priority come first, of equal ones the oldest.
        """
        now = self._clock()
        return self._in(WAITING, f"AND changed <= ? AND next_try <= ? {_ORDER}", now - quiet_s, now)

    def unranked(self) -> list[Entry]:
        """The studies that wait and whose priority was not asked yet."""
        return self._in(WAITING, "AND priority IS NULL ORDER BY rowid")

    def ended(self) -> list[Entry]:
        """The studies with which there is nothing left to do, unless they grow."""
        return self._in((STORED, REFUSED), "ORDER BY rowid")

    def _in(self, states: Sequence[str], which: str, *values: object) -> list[Entry]:
        marks = ", ".join("?" * len(states))
        return _found(self._base, f"WHERE state IN ({marks}) {which}", *states, *values)

    def entries(self) -> list[Entry]:
        """All studies, oldest first."""
        return _entries(self._base)

    def begin(self, study_uid: str) -> None:
        """Work on a study begins; where it ends without a word, ``begun`` tells."""
        self._set(study_uid, "begun = begun + 1, taken = ?", self._clock())

    def ranked(self, study_uid: str, priority: int) -> None:
        """How early a study is to be screened."""
        self._set(study_uid, "priority = ?", priority)

    def grown(self, study_uid: str, images: int) -> None:
        """Images of a study came after it was screened."""
        self._set(study_uid, "late = late + ?", images)

    def screened(self, study_uid: str, series_uid: str, verdict: str) -> None:
        """All results of a study lie here, and wait to be stored."""
        self._set(study_uid, "state = ?, series_uid = ?, verdict = ?, begun = 0", SCREENED, series_uid, verdict)

    def stored(self, study_uid: str) -> None:
        """All results of a study are in the PACS."""
        self._set(study_uid, "state = ?, reason = '', begun = 0", STORED)

    def failed(self, study_uid: str, reason: str) -> None:
        """Something failed that may pass: the study is tried again after a while, longer each time."""
        wait = f"MIN({LONGEST_RETRY_S}, {FIRST_RETRY_S} * (1 << MIN(attempts, 20)))"
        self._set(
            study_uid,
            f"state = CASE state WHEN '{SCREENED}' THEN state ELSE '{FAILED}' END, reason = ?, begun = 0, "
            f"next_try = ? + {wait}, attempts = attempts + 1",
            reason,
            self._clock(),
        )

    def refused(self, study_uid: str, reason: str) -> None:
        """A study that cannot be screened, however often it is tried."""
        self._set(study_uid, "state = ?, reason = ?, begun = 0, attempts = attempts + 1", REFUSED, reason)

    def still_coming(self) -> None:
        """What is not screened yet may be sent still: it is complete when it has not grown for a while from now on."""
        with self._changing():
            self._base.execute(f"UPDATE studies SET changed = ? WHERE state = '{SEEN}'", (self._clock(),))

    def hurry(self) -> None:
        """What was away is back: what waits for a next try is tried now."""
        with self._changing():
            self._base.execute("UPDATE studies SET next_try = 0")

    def _set(self, study_uid: str, assignments: str, *values: object) -> None:
        with self._changing():
            self._base.execute(f"UPDATE studies SET {assignments} WHERE study_uid = ?", (*values, study_uid))

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """One change, on the disk at the end or not made.

        Raises:
            StateError: if the disk does not take it.
        """
        try:
            with self._base:
                yield
        except sqlite3.Error as error:
            raise StateError(
                f"--state {self._folder}: cannot be written ({error}); free the disk, start again"
            ) from None

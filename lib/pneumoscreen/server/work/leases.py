"""Who reads which case now: a lease keeps a case with one reader until it is submitted, given back or expired.

Ours, since MONAI Label hands the same case to everybody who asks. A lease is taken together with the choice of the
case, so that readers who ask at once get different cases. It is renewed whenever its reader does something with the
case. Leases survive a restart of the server: a file, replaced atomically at every change.

A reader who skips a case gives it back and is not offered it again until a lease would have expired.

Thread contract: one lock; every method takes it and calls nothing that takes another.
"""

import json
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...models.atomic_files import replace_durably
from ...studies.audit import utc_text
from ..access.identity import speaker
from ..failures import RequestError, ServeError

MINUTES_VARIABLE = "PNEUMOSCREEN_LEASE_MINUTES"
DEFAULT_MINUTES = 60.0

_WORTH_WRITING = 0.05
"""A lease is renewed once this share of its duration has passed: activity comes in bursts, and each is written."""

logger = logging.getLogger(__name__)


class HeldError(RequestError):
    """A case that somebody else reads."""

    status = 409


@dataclass(frozen=True)
class Lease:
    """A case with its reader; times are seconds since 1970."""

    case_id: str
    reader: str
    taken: float
    expires: float

    def to_dict(self) -> dict[str, Any]:
        """As JSON values, with times as clients read them."""
        return {
            "case_id": self.case_id,
            "reader": self.reader,
            "taken": _as_text(self.taken),
            "expires": _as_text(self.expires),
        }


def known_reader() -> str | None:
    """The reader whose lease a request may renew or end; None on a server without tokens: whoever has the case."""
    who = speaker()
    return who.reader if who.is_known else None


class Leases:
    """All leases of a studies folder.

    Args:
        file: where they are kept.
        duration_s: how long a lease lasts without activity; default: the variable, else an hour.
        now: the clock, in seconds since 1970.
    """

    def __init__(self, file: Path, duration_s: float | None = None, now: Callable[[], float] = time.time) -> None:
        self.duration_s = duration_s if duration_s is not None else 60.0 * _minutes()
        self._file = file
        self._now = now
        self._lock = threading.Lock()
        self._leases: dict[str, Lease] = {}
        self._skipped: dict[tuple[str, str], float] = {}
        self._read()

    def current(self) -> dict[str, Lease]:
        """The leases that have not expired, by case."""
        with self._lock:
            self._forget_expired()
            return dict(self._leases)

    def of_reader(self, reader: str) -> list[Lease]:
        """A reader's leases, the one taken last first."""
        held = [lease for lease in self.current().values() if lease.reader == reader]
        return sorted(held, key=lambda lease: -lease.taken)

    def skipped_by(self, reader: str) -> set[str]:
        """Cases that a reader does not want to be offered now."""
        with self._lock:
            self._forget_expired()
            return {case_id for case_id, who in self._skipped if who == reader}

    def take(self, case_id: str, reader: str) -> Lease:
        """Give a case to a reader, or renew the reader's own lease.

        Raises:
            HeldError: if somebody else has it; the message says who and until when.
        """
        with self._lock:
            return self._take(case_id, reader)

    def touch(self, case_id: str, reader: str | None) -> None:
        """Renew the lease of a case after activity of its reader; None: whoever holds it."""
        with self._lock:
            self._forget_expired()
            lease = self._leases.get(case_id)
            if lease is None or reader not in (None, lease.reader):
                return
            expires = self._now() + self.duration_s
            if expires - lease.expires > _WORTH_WRITING * self.duration_s:
                self._leases[case_id] = replace(lease, expires=expires)
                self._write()

    def release(self, case_id: str, reader: str | None) -> bool:
        """Take a case back from its reader; None: from whoever holds it. Returns whether there was such a lease."""
        with self._lock:
            self._forget_expired()
            lease = self._leases.get(case_id)
            if lease is None or reader not in (None, lease.reader):
                return False
            del self._leases[case_id]
            self._write()
            return True

    def skip(self, case_id: str, reader: str) -> None:
        """Give a reader's case back and do not offer it to this reader for the duration of a lease."""
        with self._lock:
            self._forget_expired()
            lease = self._leases.get(case_id)
            if lease is not None and lease.reader == reader:
                del self._leases[case_id]
            self._skipped[case_id, reader] = self._now() + self.duration_s
            self._write()

    def _take(self, case_id: str, reader: str) -> Lease:
        self._forget_expired()
        held, now = self._leases.get(case_id), self._now()
        if held is not None and held.reader != reader:
            raise HeldError(
                f"case {case_id} is with {held.reader} until {_as_text(held.expires)}; "
                "ask for another one, or let a trainer release it"
            )
        lease = Lease(case_id, reader, now if held is None else held.taken, now + self.duration_s)
        self._leases[case_id] = lease
        self._skipped.pop((case_id, reader), None)
        self._write()
        return lease

    def _forget_expired(self) -> None:
        now = self._now()
        self._leases = {key: lease for key, lease in self._leases.items() if lease.expires > now}
        self._skipped = {key: until for key, until in self._skipped.items() if until > now}

    def _write(self) -> None:
        content = {
            "leases": [asdict(lease) for lease in self._leases.values()],
            "skipped": [[case_id, reader, until] for (case_id, reader), until in self._skipped.items()],
        }
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            replace_durably(self._file, json.dumps(content).encode())
        except OSError as error:  # costs no reader a case or a submission: it holds until the server ends
            logger.warning("%s cannot be written (%s): a restart would forget the leases", self._file, error.strerror)

    def _read(self) -> None:
        try:
            content = json.loads(self._file.read_bytes())
            leases = [
                Lease(str(item["case_id"]), str(item["reader"]), float(item["taken"]), float(item["expires"]))
                for item in content["leases"]
            ]
            skipped = {(str(case), str(reader)): float(until) for case, reader, until in content["skipped"]}
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            logger.warning("%s is damaged (%s): no case is with a reader now", self._file, type(error).__name__)
            return
        self._leases, self._skipped = {lease.case_id: lease for lease in leases}, skipped


def _minutes() -> float:
    text = os.environ.get(MINUTES_VARIABLE, "")
    if not text:
        return DEFAULT_MINUTES
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0.0
    if not 0.0 < minutes < float("inf"):
        raise ServeError(f"{MINUTES_VARIABLE} is {text!r}; give the minutes that a case stays with its reader")
    return minutes


def _as_text(seconds: float) -> str:
    return utc_text(datetime.fromtimestamp(seconds, UTC))

"""Results on their way to the PACS: made by a process with limits, sent from the outbox, again and again until stored.

A document is in the queue before its reader or client gets an answer. Objects are in the outbox together or not at all,
and storing one twice stores it once: a kill at any moment loses and doubles nothing.

Thread contract: one thread, ``RESULTS``, does all, in one process: a lock of the state folder says in which.
"""

import logging
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ...case import Case
from ...errors import PneumoScreenError
from ...pacs.choices import Send
from ...pacs.client import Pacs
from ...pacs.faults import PacsAwayError, PacsError
from ...pacs.outbox import Outbox
from ...pacs.results_queue import MOST_FAULTS, REFUSED, Result, ResultsQueue
from ...pacs.settings import FOLDER, PacsSettings
from ...studies.annotations import AnnotationStore
from ...studies.audit import case_digest
from ...studies.versions import WITHDRAWAL, Annotation
from ...subprocesses.parent import child_environment
from ...verdict import Classes

OUTBOX = FOLDER / "outbox"
MARKED = FOLDER / "marked"
"""Below the state folder: what the last screening of each case marked."""
MENDABLE, PASSING = 2, 3
"""Exit statuses of the process that makes objects: it can never be, or it may be later; the last line says why."""
_LOOKS_EVERY_S = 1.0
_LONGEST_S = 900.0
"""Ours: from the start of the process that makes the objects of one document to its end."""

logger = logging.getLogger(__name__)


class Results:
    """The results of one server.

    Args:
        state: the state folder.
        settings: which results are sent.
        pacs: where.
    """

    def __init__(self, state: Path, settings: PacsSettings, pacs: Pacs) -> None:
        self._state, self._send, self._since, self._pacs = state, settings.send, settings.sends_since, pacs
        self._queue = ResultsQueue(state / FOLDER)
        self._wake = threading.Event()

    def marked_file(self, case_id: str) -> Path | None:
        """Where what a screening marks is kept; None where no results are sent."""
        return None if self._send is Send.NONE else self._state / MARKED / f"{case_id}.npz"

    def screened(self, case: Case, classes: Classes) -> None:
        """Somebody has screened a case, by the networks of a class list."""
        if self._send is Send.ALL and self._queue.add(case, classes):
            self._wake.set()

    def submitted(self, stored: Annotation) -> None:
        """A version of a case was stored that counts."""
        if self._send is Send.NONE:
            return
        if self._queue.add(stored.document, stored.classes, stored.version, stored.reader):
            self._wake.set()

    def status(self) -> dict[str, Any]:
        """What is not in the PACS yet, as JSON values."""
        still = self._queue.open()
        return {
            "send": self._send.value,
            "waiting": sum(result.state != REFUSED for result in still),
            "problems": [
                {"case": result.case_id, "version": result.version, "state": result.state, "reason": result.reason}
                for result in still
                if result.reason
            ],
        }

    def start(self) -> None:
        """Begin to send, in a thread of its own."""
        if self._send is not Send.NONE:
            threading.Thread(target=self._run, name="RESULTS", daemon=True).start()

    def hurry(self) -> None:
        """The PACS is back."""
        self._queue.hurry()
        self._wake.set()

    def _run(self) -> None:
        lock = FileLock(self._state / FOLDER / "results.lock")
        while True:
            try:
                lock.acquire(timeout=_LOOKS_EVERY_S)
                break
            except Timeout:
                continue  # another server on this folder sends them
        outbox = Outbox(self._state / OUTBOX)
        self._catch_up()
        while True:
            self._wake.clear()
            try:
                for result in self._queue.due():
                    self.work(result, outbox)
            except PacsAwayError:
                pass
            except Exception as error:  # whatever it is, its text may name a patient, and the next try may be better
                logger.error("results could not be sent (%s)", type(error).__name__)
            self._wake.wait(_LOOKS_EVERY_S)

    def work(self, result: Result, outbox: Outbox) -> None:
        """Take a result as far as it goes.

        Raises:
            PacsAwayError: if the PACS is away: for the others there is no use in trying.
        """
        try:
            if not outbox.holds(result.key):
                self._make(result)
            outbox.send(result.key, self._pacs)
        except PacsError as error:
            self._queue.failed(result, str(error))
            if isinstance(error, PacsAwayError):
                raise
            logger.warning("a result of case %s is not stored: %s", case_digest(result.case_id), error)
            return
        except PneumoScreenError as error:
            self._queue.refused(result, str(error))
            logger.warning("a result of case %s cannot be made: %s", case_digest(result.case_id), error)
            return
        except OSError as error:
            self._queue.failed(result, f"the state folder cannot be used ({error.strerror or type(error).__name__})")
            return
        self._queue.stored(result)
        outbox.remove(result.key)
        logger.info("the results of case %s are stored in the PACS", case_digest(result.case_id))

    def _make(self, result: Result) -> None:
        """Have the objects of a result made.

        Raises:
            PacsAwayError: if the images do not come now, or the process failed and may not the next time.
            PneumoScreenError: if they can never be made.
        """
        words = ["-m", "pneumoscreen.server.store.results_process", str(self._state), str(result.id)]
        try:
            ended = subprocess.run(
                [sys.executable, *words],
                env=child_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                timeout=_LONGEST_S,
                text=True,
                errors="replace",
                process_group=0,
            )
            status, said = ended.returncode, ended.stdout.strip().splitlines()[-1:]
        except subprocess.TimeoutExpired:
            status, said = 1, []
        if status == 0:
            return
        reason = said[0] if said else f"the process that makes the results ended with status {status}"
        if status == MENDABLE or (status != PASSING and result.attempts + 1 >= MOST_FAULTS):
            raise PneumoScreenError(reason)
        raise (PacsAwayError if status == PASSING else PacsError)(reason)

    def _catch_up(self) -> None:
        """Enter what was submitted in the moment in which the last server ended."""
        store = AnnotationStore(self._state)
        for case_id in store.cases():
            last = max(self._queue.versions(case_id), default=0)  # one that said what was said already is not entered
            for version in store.versions(case_id):
                is_new = version.version > last and version.kind != WITHDRAWAL
                if is_new and self._since is not None and version.at >= self._since:
                    self.submitted(version)

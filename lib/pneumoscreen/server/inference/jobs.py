"""What the server is screening: one entry a request, from the queue to its end.

Thread contract: every method of ``JobBoard`` takes its one lock and calls nothing that takes another.
"""

import logging
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from ...errors import Cancelled, PneumoScreenError
from ...studies.audit import case_digest
from ..access.request_record import request_id
from ..failures import BusyError, status_of
from .queue import in_turn

KEPT = 200
"""Ended jobs that can still be asked for."""
_FAULTS = 500
"""HTTP status from which on it is not the client's to mend."""


class State(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


logger = logging.getLogger(__name__)

ENDED = (State.DONE, State.FAILED, State.CANCELLED)


@dataclass
class Job:
    """One inference.

    Attributes:
        fraction: of the whole job, 0 to 1.
        queued_at: seconds of ``time.monotonic``, as the other times.
        request: id of the HTTP request that asked for it; empty where none did.
        timings: seconds of each stage, once it is done.
        is_refused: whether it failed for what was asked, and not for a fault of the server.
    """

    task: str
    image: str
    reader: str = ""
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    state: State = State.QUEUED
    stage: str = ""
    fraction: float = 0.0
    detail: str = ""
    received: datetime = field(default_factory=lambda: datetime.now(UTC))
    queued_at: float = field(default_factory=time.monotonic)
    started_at: float | None = None
    ended_at: float | None = None
    cancel_wanted: bool = False
    request: str = ""
    timings: Mapping[str, float] = field(default_factory=dict)
    is_refused: bool = False

    def report(self, stage: str, fraction: float) -> None:
        """The progress callback of the steps.

        Raises:
            Cancelled: if somebody asked for it.
        """
        self.stop_if_cancelled()
        self.stage, self.fraction = stage, max(0.0, min(float(fraction), 1.0))

    def stop_if_cancelled(self) -> None:
        """Raise ``Cancelled`` if somebody asked for it."""
        if self.cancel_wanted:
            raise Cancelled(f"the {self.task} of {self.image} was cancelled")


class JobBoard:
    """All jobs of this process, oldest first.

    Attributes:
        served: tells which reader was served when; see ``queue``.
        when_ended: called with each job that ended, in the thread that ended it.

    Args:
        most: that wait or run at a time.
        most_of_reader: of them of one reader.
    """

    def __init__(self, most: int = 10**9, most_of_reader: int = 10**9) -> None:
        self._most, self._most_of_reader = most, most_of_reader
        self._lock = threading.Lock()
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self.served: Callable[[], Mapping[str, int]] = dict
        self.when_ended: Callable[[Job], object] = bool

    def add(self, task: str, image: str, reader: str = "") -> Job:
        """Enter a request that waits for its turn.

        Args:
            task: name of the infer task.
            image: id of the image.
            reader: who asks; empty where nobody can say, and then only the number of all jobs counts.

        Raises:
            BusyError: if there are as many as may be.
        """
        job = Job(task, image, reader, request=request_id())
        with self._lock:
            active = [other for other in self._jobs.values() if other.state not in ENDED]
            if len(active) >= self._most:
                raise BusyError(f"{self._most} inferences wait already, which is all that may; try again later")
            if reader and sum(other.reader == reader for other in active) >= self._most_of_reader:
                raise BusyError(f"{self._most_of_reader} inferences of {reader} wait already; try again when one ended")
            self._jobs[job.id] = job
            ended = [key for key, old in self._jobs.items() if old.state in ENDED]
            for key in ended[: max(len(ended) - KEPT, 0)]:
                del self._jobs[key]
        return job

    @contextmanager
    def running(self, job: Job) -> Iterator[Job]:
        """Mark a job as running, and by how the block ends as done, cancelled or failed."""
        with self.preparing(job):
            job.state, job.started_at = State.RUNNING, time.monotonic()
            yield job
        job.fraction = 1.0
        self._end(job, State.DONE, "")

    @contextmanager
    def preparing(self, job: Job) -> Iterator[Job]:
        """End a waiting job where what it needs before its turn is cancelled or fails; else it waits on."""
        try:
            job.stop_if_cancelled()
            yield job
        except Cancelled:
            self._end(job, State.CANCELLED, "cancelled on request")
            raise
        except Exception as error:
            job.is_refused = isinstance(error, PneumoScreenError) and status_of(error) < _FAULTS
            self._end(job, State.FAILED, str(error) or type(error).__name__)
            raise

    @property
    def is_full(self) -> bool:
        """Whether the next inference would be refused, whoever asks for it."""
        with self._lock:
            return sum(job.state not in ENDED for job in self._jobs.values()) >= self._most

    def cancel(self, job_id: str) -> Job | None:
        """Ask a job to stop at its next step; None if there is no such job."""
        with self._lock:
            job = self._jobs.get(job_id)
            if job is not None and job.state not in ENDED:
                job.cancel_wanted = True
            return job

    def abandon(self, job: Job) -> None:
        """End a job that has not begun and never will."""
        self._end(job, State.CANCELLED, "its client went away")

    def cancel_all(self) -> None:
        """Ask every job to stop: the server is about to end."""
        with self._lock:
            for job in self._jobs.values():
                job.cancel_wanted = True

    def listing(self) -> list[dict[str, Any]]:
        """Waiting and running jobs, in the order in which they came; ``position`` is that of their turns."""
        return [view for view in self._views() if view["state"] not in ENDED]

    def of_image(self, image: str) -> dict[str, Any] | None:
        """The newest job of an image, ended or not."""
        found = [view for view in self._views() if view["image"] == image]
        return found[-1] if found else None

    def view(self, job: Job) -> dict[str, Any]:
        """One job as JSON values."""
        return next((view for view in self._views() if view["id"] == job.id), _view(job, None))

    def _views(self) -> list[dict[str, Any]]:
        with self._lock:
            jobs = list(self._jobs.values())
        waiting = [job.id for job in in_turn([job for job in jobs if job.state is State.QUEUED], self.served())]
        return [_view(job, waiting.index(job.id) + 1 if job.id in waiting else None) for job in jobs]

    def _end(self, job: Job, state: State, detail: str) -> None:
        job.ended_at, job.detail, job.state = time.monotonic(), detail, state
        log_ended(job)
        self.when_ended(job)


def log_ended(job: Job) -> None:
    """A line of a job. Ids may be patients' names, so the case is named as the audit log names it."""
    seconds = (job.ended_at or job.queued_at) - (job.started_at or job.ended_at or job.queued_at)
    about: dict[str, object] = {"job": job.id, "request": job.request, "task": job.task, "case": case_digest(job.image)}
    about |= {"outcome": "refused" if job.is_refused else job.state.value, "seconds": round(seconds, 3)}
    words = (job.task, about["case"], about["outcome"], seconds)
    logger.info("%s of case %s: %s, %.1f s", *words, extra={"about": about})


def _view(job: Job, position: int | None) -> dict[str, Any]:
    end = job.ended_at if job.ended_at is not None else time.monotonic()
    return {
        "id": job.id,
        "task": job.task,
        "image": job.image,
        "state": job.state.value,
        "stage": job.stage,
        "fraction": round(job.fraction, 3),
        "position": position,
        "received": job.received.isoformat(timespec="seconds"),
        "elapsed_s": round(end - (job.started_at if job.started_at is not None else job.queued_at), 2),
        "detail": job.detail,
    }

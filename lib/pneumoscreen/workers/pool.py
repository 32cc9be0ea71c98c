"""A pool of workers: jobs in, results out as they end; one that dies costs the job that was in it, and no other."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any, Generic, TypeVar

from ..errors import PneumoScreenError

JobT = TypeVar("JobT")
ResultT = TypeVar("ResultT")
Ask = Callable[..., Any]
"""Called by a worker, answered on the machine of the command; must be pickled."""

MOST_DEATHS = 3
"""Ours: so often may a worker end over a job that it does alone."""


class DiedError(Exception):
    """The process ended over a job without a word: killed for its memory, most likely."""


class Work(ABC, Generic[JobT, ResultT]):
    """What workers do. It is pickled once for each of them, which keeps what it loads; so are its jobs and results.

    Attributes:
        shared: a folder of the command that jobs read and write, on whatever node they are; None without one.
    """

    shared: Path | None = None

    def begin(self, device: str, ask: Ask | None) -> None:
        """Load what all jobs need, once in each worker.

        Args:
            device: where its networks run.
            ask: what the pool was given to ask with.
        """
        del device, ask

    @abstractmethod
    def __call__(self, job: JobT, out: Path) -> ResultT:
        """Do a job.

        Args:
            job: the job.
            out: the folder of the pool, or one whose files get there with the result.

        Raises:
            Exception: ends the whole run, whatever it is.
        """

    def name(self, job: JobT) -> str:
        """What a sentence calls a job."""
        return str(job)


class Pool(ABC, Generic[JobT, ResultT]):
    """Workers for as long as the context lasts; used by one thread.

    Args:
        work: what they do.
        out: to which the files go that jobs write.
    """

    deaths: tuple[type[BaseException], ...] = (DiedError,)
    """What a job ends with when its worker died."""

    def __init__(self, work: Work[JobT, ResultT], out: Path) -> None:
        self.work, self._out = work, out
        self._running: dict[Future[ResultT], JobT] = {}

    def __enter__(self) -> "Pool[JobT, ResultT]":
        return self

    def __exit__(self, *_: object) -> None:
        self._running.clear()
        self._stop()

    @property
    def is_full(self) -> bool:
        """Whether each worker has a job, and one more waits for it."""
        return len(self._running) >= 2 * self._size

    @property
    def is_idle(self) -> bool:
        """Whether no job is left."""
        return not self._running

    def give(self, job: JobT) -> None:
        """Let a worker take a job."""
        self._running[self._begun(job)] = job

    def done(self) -> Iterator[tuple[JobT, ResultT | BaseException]]:
        """Wait until a job has ended, and give all that have: with a result, or why there is none."""
        finished, _ = wait(self._running, return_when=FIRST_COMPLETED)
        if any(isinstance(future.exception(), self.deaths) for future in finished):
            self._after_death()
            finished = {future for future in self._running if future.done()}
        for future in finished:
            job, error = self._running.pop(future), future.exception()
            yield job, (DiedError() if isinstance(error, self.deaths) else error or future.result())

    def alone(self, job: JobT) -> ResultT:
        """Do a job while nothing else runs, so that a death is this job's.

        Raises:
            DiedError: if the worker ended over it.
        """
        try:
            return self._begun(job).result()
        except self.deaths:
            self._after_death()
            raise DiedError from None

    @property
    @abstractmethod
    def _size(self) -> int:
        """How many workers there are."""

    @abstractmethod
    def _begun(self, job: JobT) -> "Future[ResultT]":
        """What will become of a job that a worker takes as soon as one is free."""

    @abstractmethod
    def _after_death(self) -> None:
        """See to those who are left."""

    @abstractmethod
    def _stop(self) -> None:
        """End all workers at once."""


Done = Callable[[JobT, ResultT], Iterable[JobT]]
"""Takes the result of a job; gives the jobs that can be done now."""


def work_off(pool: Pool[JobT, ResultT], jobs: Iterable[JobT], done: Done[JobT, ResultT]) -> None:
    """Do all jobs, and those that follow from them; the workers begin with the first and end with the last.

    A job over which its worker died is done again at the end, and at last alone.

    Args:
        pool: who does them.
        jobs: taken one by one as workers are free.
        done: called here, in the order in which jobs end.

    Raises:
        PneumoScreenError: if workers ended over a job again and again.
        Exception: of the first job that fails; the others are ended.
    """
    coming = iter(jobs)
    first = next(coming, None)
    if first is None:
        return
    with pool:
        died = _together(pool, chain([first], coming), done)
        died = _together(pool, died, done)
        while died:
            job = died.pop(0)
            died += _together(pool, done(job, _alone(pool, job)), done)


def _alone(pool: Pool[JobT, ResultT], job: JobT) -> ResultT:
    """Do a job over which workers died, perhaps for the sake of another one, until it is done or that is certain."""
    for _ in range(MOST_DEATHS):
        with suppress(DiedError):
            return pool.alone(job)
    raise PneumoScreenError(
        f"{pool.work.name(job)}: the process that worked on it ended {MOST_DEATHS} times, perhaps for want of memory; "
        "give fewer --processes"
    )


def _together(pool: Pool[JobT, ResultT], jobs: Iterable[JobT], done: Done[JobT, ResultT]) -> list[JobT]:
    """Do jobs beside each other; returns those over which workers died."""
    coming, following, died = iter(jobs), deque[JobT](), list[JobT]()
    while True:
        while not pool.is_full:
            job = following.popleft() if following else next(coming, None)
            if job is None:
                break
            pool.give(job)
        if pool.is_idle:
            return died
        for job, outcome in pool.done():
            if isinstance(outcome, DiedError):
                died.append(job)
            elif isinstance(outcome, BaseException):
                raise outcome
            else:
                following.extend(done(job, outcome))

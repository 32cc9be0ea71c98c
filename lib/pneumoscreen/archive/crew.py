"""Who screens an archive beside this process: one that dies over an image costs that image, and no other."""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait

from .jobs import Job
from .manifest import Row

MEMORY_A_PROCESS = 3 * 2**30
"""Ours: what a process takes at most with the largest usual scan."""
_THREADS = "OMP_NUM_THREADS"
"""A user's word on the threads of a process."""


class DiedError(Exception):
    """The process ended over a job without a word: killed for its memory, most likely."""


Done = tuple[Job, Row | BaseException]


class Crew(ABC):
    """Workers for as long as the context lasts; used by one thread."""

    deaths: tuple[type[BaseException], ...] = (DiedError,)
    """What a job ends with when its worker died."""

    def __init__(self) -> None:
        self._running: dict[Future[Row], Job] = {}

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    @property
    def is_full(self) -> bool:
        """Whether each worker has a job, and one more waits for it."""
        return len(self._running) >= 2 * self._size

    @property
    def is_idle(self) -> bool:
        """Whether no job is left."""
        return not self._running

    def give(self, job: Job) -> None:
        """Let a worker take a job."""
        self._running[self._begun(job)] = job

    def done(self) -> Iterator[Done]:
        """Wait until a job has ended, and give all that have."""
        finished, _ = wait(self._running, return_when=FIRST_COMPLETED)
        if any(isinstance(future.exception(), self.deaths) for future in finished):
            self._after_death()
            finished = {future for future in self._running if future.done()}
        for future in finished:
            job, error = self._running.pop(future), future.exception()
            yield job, (DiedError() if isinstance(error, self.deaths) else error or future.result())

    def alone(self, job: Job) -> Row:
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
    def _begun(self, job: Job) -> "Future[Row]":
        """What will become of a job that a worker takes as soon as one is free."""

    @abstractmethod
    def _after_death(self) -> None:
        """See to those who are left."""

    @abstractmethod
    def _stop(self) -> None:
        """End all workers at once."""


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def usual_processes(device: str) -> int:
    """Ours: a process a core, as far as the memory reaches; on a GPU two, of which one reads while the other infers."""
    if device.startswith("cuda"):
        return 2
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        memory = MEMORY_A_PROCESS * cores()
    return max(1, min(cores(), memory // MEMORY_A_PROCESS))


def threads_of(share: float) -> int:
    """How many threads a worker uses: what the user says, else the cores that are its share."""
    given = os.environ.get(_THREADS, "")
    return int(given) if given.isdecimal() and int(given) else max(1, int(share))


def use_threads(threads: int) -> None:
    """Let this process compute with so many threads; as many as cores in each process would wait for each other."""
    import SimpleITK as sitk
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(threads)
    threadpool_limits(threads)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)

"""The processes that screen an archive: one that dies over an image costs that image, and no other."""

import os
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from multiprocessing import get_context

from ..simulation.crew import end_with_the_parent
from .jobs import Job
from .manifest import FILE, Row, find_twin
from .worker import Place, Worker

MEMORY_A_PROCESS = 3 * 2**30
"""Ours: what a process takes at most with the largest usual scan."""
_THREADS = "OMP_NUM_THREADS"
"""A user's word on the threads of a process."""


class DiedError(Exception):
    """The process ended over a job without a word: killed for its memory, most likely."""


Done = tuple[Job, Row | BaseException]


class Crew:
    """Processes for as long as the context lasts.

    Args:
        place: where they work.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._pool: ProcessPoolExecutor | None = None
        self._running: dict[Future[Row], Job] = {}

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    @property
    def is_full(self) -> bool:
        """Whether each process has a job, and one more waits for it."""
        return len(self._running) >= 2 * self._place.processes

    @property
    def is_idle(self) -> bool:
        """Whether no job is left."""
        return not self._running

    def give(self, job: Job) -> None:
        """Let a process take a job."""
        try:
            self._running[self._of().submit(_screen, job)] = job
        except BrokenProcessPool:
            # Whoever waits for the others hears that they died; this one has not begun.
            self._running[_died()] = job

    def done(self) -> Iterator[Done]:
        """Wait until a job has ended, and give all that have; after a death none is left that runs."""
        finished, _ = wait(self._running, return_when=FIRST_COMPLETED)
        if any(isinstance(future.exception(), (BrokenProcessPool, DiedError)) for future in finished):
            finished = set(self._running)
            wait(finished)
            self._stop()
        for future in finished:
            job, error = self._running.pop(future), future.exception()
            yield job, (DiedError() if isinstance(error, BrokenProcessPool) else error or future.result())

    def alone(self, job: Job) -> Row:
        """Do a job while nothing else runs, so that a death is this job's.

        Raises:
            DiedError: if the process ended over it.
        """
        try:
            return self._of().submit(_screen, job).result()
        except BrokenProcessPool:
            self._stop()
            raise DiedError from None

    def _of(self) -> ProcessPoolExecutor:
        if self._pool is None:
            given = os.environ.get(_THREADS, "")
            threads = int(given) if given.isdecimal() and int(given) else max(1, cores() // self._place.processes)
            begin = (self._place, threads)
            self._pool = ProcessPoolExecutor(self._place.processes, get_context("spawn"), _begin, begin)
        return self._pool

    def _stop(self) -> None:
        if self._pool is None:
            return
        processes = list((getattr(self._pool, "_processes", None) or {}).values())
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()
        self._pool = None


def _died() -> Future[Row]:
    future: Future[Row] = Future()
    future.set_exception(DiedError())
    return future


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


class _Post:
    """What a process was given when it began."""

    worker: Callable[[Job], Row]


_post = _Post()


def _begin(place: Place, threads: int) -> None:
    import SimpleITK as sitk
    import torch
    from threadpoolctl import threadpool_limits

    # As many threads as cores in each process would wait for each other.
    torch.set_num_threads(threads)
    threadpool_limits(threads)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    # Ctrl-C reaches the whole group of processes; the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_the_parent, daemon=True).start()

    def twin(sha256: str, models: str) -> Row | None:
        with closing(sqlite3.connect(f"file:{place.out / FILE}?mode=ro", uri=True)) as base:
            return find_twin(base, sha256, models)

    _post.worker = Worker(place, twin)


def _screen(job: Job) -> Row:
    return _post.worker(job)

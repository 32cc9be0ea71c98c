"""The workers of an archive as processes of this machine."""

import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from ..simulation.crew import end_with_the_parent
from .crew import Crew, DiedError, cores, threads_of, use_threads
from .jobs import Job
from .manifest import Row
from .worker import Place, Worker, twin_in


class ProcessCrew(Crew):
    """Processes of this machine; when one dies, those beside it are ended, and new ones begin.

    Args:
        place: where they work.
        processes: how many.
    """

    deaths = (BrokenProcessPool, DiedError)

    def __init__(self, place: Place, processes: int) -> None:
        super().__init__()
        self._place, self._processes = place, processes
        self._pool: ProcessPoolExecutor | None = None

    @property
    def _size(self) -> int:
        return self._processes

    def _begun(self, job: Job) -> "Future[Row]":
        try:
            return self._of().submit(_screen, job)
        except BrokenProcessPool:
            # Whoever waits for the others hears that they died; this one has not begun.
            future: Future[Row] = Future()
            future.set_exception(DiedError())
            return future

    def _of(self) -> ProcessPoolExecutor:
        if self._pool is None:
            begin = (self._place, threads_of(cores() / self._processes))
            self._pool = ProcessPoolExecutor(self._processes, get_context("spawn"), _begin, begin)
        return self._pool

    def _after_death(self) -> None:
        wait(self._running)
        self._stop()

    def _stop(self) -> None:
        if self._pool is None:
            return
        processes = list((getattr(self._pool, "_processes", None) or {}).values())
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()
        self._pool = None


class _Post:
    """What a process was given when it began."""

    worker: Callable[[Job], Row]


_post = _Post()


def _begin(place: Place, threads: int) -> None:
    use_threads(threads)
    # Ctrl-C reaches the whole group of processes; the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_the_parent, daemon=True).start()
    _post.worker = Worker(place, twin_in(place.out))


def _screen(job: Job) -> Row:
    return _post.worker(job)

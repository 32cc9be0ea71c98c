"""A pool of processes of this machine, which never outlive the one that started them."""

import os
import signal
import threading
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cached_property
from multiprocessing import connection, get_context, parent_process
from pathlib import Path
from typing import Any

from .machine import cores, threads_of, use_threads
from .pool import Ask, DiedError, JobT, Pool, ResultT, Work


class Processes(Pool[JobT, ResultT]):
    """Processes of this machine; when one dies, those beside it are ended, and new ones begin.

    Args:
        work: what they do.
        out: to which the files go that jobs write.
        processes: how many.
        device: where networks run.
        ask: what the work asks with.
        threads: of each; None takes an equal share of the cores, or what the user says.
    """

    deaths = (BrokenProcessPool, DiedError)

    def __init__(
        self,
        work: Work[JobT, ResultT],
        out: Path,
        processes: int,
        device: str,
        ask: Ask | None = None,
        threads: int | None = None,
    ) -> None:
        super().__init__(work, out)
        self._processes = processes
        self._post = _Post(work, out, device, ask, threads or threads_of(cores() / processes))
        self._pool: ProcessPoolExecutor | None = None

    @property
    def _size(self) -> int:
        return self._processes

    def _begun(self, job: JobT) -> "Future[ResultT]":
        try:
            return self._of().submit(_do, job)
        except BrokenProcessPool:
            # Whoever waits for the others hears that they died; this one has not begun.
            future: Future[ResultT] = Future()
            future.set_exception(DiedError())
            return future

    def _of(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(self._processes, get_context("spawn"), _begin, (self._post,))
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


@dataclass
class _Post:
    """What a process is given when it begins."""

    work: Work[Any, Any]
    out: Path
    device: str
    ask: Ask | None
    threads: int

    @cached_property
    def begun(self) -> Work[Any, Any]:
        """The work, begun with the first job: an error then is that job's, and not the death of the process."""
        self.work.begin(self.device, self.ask)
        return self.work


_posts: list[_Post] = []


def _begin(post: _Post) -> None:
    use_threads(post.threads)
    # Ctrl-C reaches the whole group of processes; the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    _posts.append(post)


def _end_with_the_parent() -> None:
    """Wait until the process that started this one has ended, by whatever, and end too."""
    parent = parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)


def _do(job: Any) -> Any:
    post = _posts[0]
    return post.begun(job, post.out)

"""The pool of a command that spreads nothing: its own process does job after job."""

from concurrent.futures import Future
from pathlib import Path

import torch

from .pool import Ask, JobT, Pool, ResultT, Work


class Here(Pool[JobT, ResultT]):
    """This process. A job that fails raises where it is given, and nothing is pickled.

    Args:
        work: what is done.
        out: to which the files go that jobs write.
        device: where networks run.
        ask: what the work asks with.
        threads: that torch computes with meanwhile; None leaves them as they are.
    """

    def __init__(
        self, work: Work[JobT, ResultT], out: Path, device: str, ask: Ask | None = None, threads: int | None = None
    ) -> None:
        super().__init__(work, out)
        self._device, self._ask = device, ask
        self._threads, self._before = threads, torch.get_num_threads()

    def __enter__(self) -> "Here[JobT, ResultT]":
        if self._threads is not None:
            torch.set_num_threads(self._threads)
        try:
            self.work.begin(self._device, self._ask)
        except BaseException:
            self._stop()
            raise
        return self

    @property
    def is_full(self) -> bool:
        """Whether a job was done whose result nobody took yet."""
        return bool(self._running)

    @property
    def _size(self) -> int:
        return 1

    def _begun(self, job: JobT) -> "Future[ResultT]":
        future: Future[ResultT] = Future()
        future.set_result(self.work(job, self._out))
        return future

    def _after_death(self) -> None:
        """Nothing: this process is here."""

    def _stop(self) -> None:
        torch.set_num_threads(self._before)

"""The results of a list of jobs, and jobs that are functions."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from .pool import JobT, Pool, ResultT, Work, work_off


class Calls(Work[Callable[[], Any], Any]):
    """Calls of functions: ``partial`` of what a module or a class defines.

    Args:
        shared: a folder that they read and write.
    """

    def __init__(self, shared: Path) -> None:
        self.shared = shared

    def __call__(self, job: Callable[[], Any], out: Path) -> Any:
        """What the function returns."""
        del out
        return job()


def results_of(
    jobs: Sequence[JobT],
    pool: Pool[JobT, ResultT],
    tell: Callable[[int, ResultT], None] = lambda done, result: None,
    find: Callable[[JobT], ResultT | None] = lambda job: None,
    keep: Callable[[JobT, ResultT], None] = lambda job, result: None,
) -> list[ResultT]:
    """The results of all jobs, in their order.

    Args:
        jobs: what is to be done.
        pool: who does it.
        tell: takes how many are done, and the result of the last one.
        find: looks up the result of an earlier run; None where there is none.
        keep: takes each new result.
    """
    found: dict[int, ResultT] = {}

    def ended(job: JobT, result: ResultT) -> Sequence[JobT]:
        found[id(job)] = result
        tell(len(found), result)
        return ()

    def left() -> Iterator[JobT]:
        for job in jobs:
            known = find(job)
            if known is None:
                yield job
            else:
                ended(job, known)

    def new(job: JobT, result: ResultT) -> Sequence[JobT]:
        keep(job, result)
        return ended(job, result)

    work_off(pool, left(), new)
    return [found[id(job)] for job in jobs]

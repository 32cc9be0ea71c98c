"""Jobs that need the networks in use: each worker loads them for itself, the command's own process has them."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar

from ..errors import ModelError
from ..models.store import ModelStore
from ..workers.pool import Ask, JobT, Pool, ResultT, Work, work_off


class HasModels(Protocol):
    """The loaded networks of a method."""

    @property
    def models(self) -> Any:
        """Their versions by name."""


ScreenerT = TypeVar("ScreenerT", bound=HasModels)


class ScreenerWork(Work[JobT, ResultT], Generic[ScreenerT, JobT, ResultT]):
    """Work with the networks in use.

    Args:
        screener: those of this process.
        load: loads the same ones from a store on a device.
        store: where they lie.
    """

    def __init__(self, screener: ScreenerT, load: Callable[[ModelStore, str], ScreenerT], store: ModelStore) -> None:
        self.screener = screener
        self._load, self._store, self._models = load, store, dict(screener.models)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "screener"}

    def begin(self, device: str, ask: Ask | None) -> None:
        """Load the networks where another process has them.

        Raises:
            ModelError: if they cannot be loaded, or are not those that the command began with.
        """
        if "screener" in vars(self):
            return
        self.screener = self._load(self._store, device)
        if dict(self.screener.models) != self._models:
            raise ModelError("other networks are in use than when the command began; give it again")


def results_of(
    jobs: Sequence[JobT],
    pool: Pool[JobT, ResultT],
    tell: Callable[[int, ResultT], None],
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

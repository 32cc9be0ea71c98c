"""The queue of inferences, which are done one at a time: readers wait for themselves and not for one another's work.

The next one is that of the reader who was served longest ago (ours), so that whoever asks for one waits for at most
one of each other reader.

Thread contract: ``InferenceQueue`` has one lock and calls nothing that takes another while it holds it.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol, TypeVar


class HasReader(Protocol):
    """What waits for its turn."""

    reader: str


WaitingT = TypeVar("WaitingT", bound=HasReader)


def in_turn(waiting: Sequence[WaitingT], served: Mapping[str, int]) -> list[WaitingT]:
    """The order in which what waits will be done, if nothing else comes.

    Args:
        waiting: in the order in which it came.
        served: a number for each reader who was served before; the higher, the later.
    """
    left, last = list(waiting), dict(served)
    latest, order = max(last.values(), default=0), []
    while left:
        found = min(left, key=lambda each: last.get(each.reader, -1))  # of equals the first that came
        left.remove(found)
        order.append(found)
        latest += 1
        last[found.reader] = latest
    return order


class InferenceQueue:
    """One thread that does the work of readers in turn.

    Args:
        begin: called in the thread before all else.
    """

    def __init__(self, begin: Callable[[], None]) -> None:
        self._pool = ThreadPoolExecutor(1, "INFERENCE", initializer=begin)
        self._lock = threading.Lock()
        self._waiting: list[_Work] = []
        self._served: dict[str, int] = {}

    def submit(self, reader: str, work: Callable[[], Any]) -> "Future[Any]":
        """Do a reader's work when its turn comes."""
        entry = _Work(reader, work)
        with self._lock:
            self._waiting.append(entry)
        self._pool.submit(self._next)
        return entry.result

    def served(self) -> dict[str, int]:
        """A number for each reader who was served; the higher, the later."""
        with self._lock:
            return dict(self._served)

    def _next(self) -> None:
        with self._lock:
            self._waiting = [entry for entry in self._waiting if not entry.result.cancelled()]
            if not self._waiting:
                return
            entry = in_turn(self._waiting, self._served)[0]
            self._waiting.remove(entry)
            if not entry.result.set_running_or_notify_cancel():
                return
            self._served[entry.reader] = max(self._served.values(), default=0) + 1
        try:
            entry.result.set_result(entry.work())
        except BaseException as error:
            entry.result.set_exception(error)


class _Work:
    def __init__(self, reader: str, work: Callable[[], Any]) -> None:
        self.reader, self.work = reader, work
        self.result: Future[Any] = Future()

"""Turns: readers who ask for much wait for themselves and not for one another's work.

Inferences are done one at a time. The next one is that of the reader who was served longest ago (ours), so that whoever
asks for one waits for at most one of each other reader. Other requests are served at once, so many of one reader at a
time; those beyond wait without a thread, and too many are refused.

Thread contract: ``Turns`` has one lock and calls nothing that takes another while it holds it. ``ReaderTurns`` belongs
to the event loop.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from starlette.types import ASGIApp, Receive, Scope, Send

from .identity import speaker
from .permissions import path_of
from .places import PlacelessResponse
from .request_log import note_refusal

_WAITING = 8
"""Requests of a reader that may wait, for each that may be served at a time."""


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


class Turns:
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


class ReaderTurns:
    """Serves so many requests of one reader at a time; plain ASGI, inside the door, which knows the reader.

    Args:
        app: what lies behind.
        most: requests of a reader at a time.
        exempt: paths that hold no thread: what they begin is counted elsewhere.
    """

    def __init__(self, app: ASGIApp, most: int, exempt: tuple[str, ...]) -> None:
        self._app, self._most, self._exempt = app, most, exempt
        self._places: dict[str, asyncio.Semaphore] = {}
        self._there: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request when its reader's turn comes."""
        who = speaker()
        if scope["type"] != "http" or not who.is_known or path_of(scope).startswith(self._exempt):
            await self._app(scope, receive, send)
            return
        reader = who.reader
        if self._there[reader] >= self._most * (1 + _WAITING):
            note_refusal("busy")
            sentence = f"{self._there[reader]} requests of {reader} wait already; try again when one was answered"
            await PlacelessResponse({"detail": sentence}, 429)(scope, receive, send)
            return
        self._there[reader] += 1
        try:
            async with self._places.setdefault(reader, asyncio.Semaphore(self._most)):
                await self._app(scope, receive, send)
        finally:
            self._there[reader] -= 1
            if not self._there[reader]:
                del self._there[reader], self._places[reader]

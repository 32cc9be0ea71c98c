"""Readers who ask for much wait for themselves: so many requests of one reader are served at a time.

Those beyond wait without a thread, and too many are refused. Inferences have their own queue (``inference.queue``).

Thread contract: it belongs to the event loop.
"""

import asyncio
from collections import Counter

from starlette.types import ASGIApp, Receive, Scope, Send

from ..access.identity import speaker
from ..access.permissions import path_of
from ..access.request_record import note_refusal
from .hidden_paths import PlacelessResponse

_WAITING = 8
"""Requests of a reader that may wait, for each that may be served at a time."""


class ReaderLimit:
    """Serves so many requests of one reader at a time; plain ASGI, inside the access layer, which knows the reader.

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

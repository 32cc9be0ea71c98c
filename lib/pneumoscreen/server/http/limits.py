"""How much one request may bring, and how many requests of one reader are served at a time.

Both are plain ASGI, around the router and inside the access layer: nothing is read of the body of somebody who is not
let in.

- Documents bring less than scans, both within the site's limits.
- Readers who ask for much wait for themselves: those of their requests that are beyond wait without a thread, and too
  many are refused. Inferences have their own queue (``inference.queue``).

Thread contract: all of it belongs to the event loop.
"""

import asyncio
from collections import Counter

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...limits import MEBIBYTE, Limits, variable_of
from ..access.identity import speaker
from ..access.permissions import path_of
from ..access.request_record import note_refusal
from .hidden_paths import PlacelessResponse

_DRAINED = 64 * MEBIBYTE
"""Bytes of a refused body that are read all the same: most clients listen only when all is sent."""
_WAITING = 8
"""Requests of a reader that may wait, for each that may be served at a time."""


class _TooMuchError(Exception):
    """More came than is allowed."""


class BodyLimit:
    """Refuses bodies that are too large with 413, by what they claim and by what comes.

    Args:
        app: what lies behind.
        limits: of uploads and documents.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        name = "max_upload_mb" if headers.get(b"content-type", b"").startswith(b"multipart/") else "max_document_mb"
        most = getattr(self._limits, name) * MEBIBYTE
        claimed = headers.get(b"content-length", b"0")
        come, has_begun = 0, False

        async def counted() -> Message:
            nonlocal come
            message = await receive()
            come += len(message.get("body", b""))
            if come > most:
                raise _TooMuchError
            return message

        async def watched(message: Message) -> None:
            nonlocal has_begun
            if come > most and not has_begun:
                return  # what it makes of half a body is not the answer
            has_begun = True
            await send(message)

        try:
            if not (claimed.isdigit() and int(claimed[:20]) > most):
                await self._app(scope, counted, watched)
                if come <= most or has_begun:
                    return
        except _TooMuchError:
            if has_begun:
                raise
        note_refusal("too_large")
        await _drained(receive)
        detail = f"the request brings more than {most // MEBIBYTE} MB; send less, or raise {variable_of(name)}"
        await JSONResponse({"detail": detail}, 413, headers={"Connection": "close"})(scope, receive, send)


async def _drained(receive: Receive) -> None:
    """Read what is left of a body and forget it."""
    left = _DRAINED
    while left > 0:
        message = await receive()
        if message["type"] != "http.request" or not message.get("more_body", False):
            return
        left -= len(message.get("body", b""))


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

"""Threads that do the work of requests, apart from those that read and write the bytes of a request or an answer.

FastAPI has one pool for both. A download is handed over in pieces of 64 KB, an upload likewise, and each piece took its
turn in that pool behind the requests that waited: a scan of 4 MB, sixty turns, took 39 s where a request took 0.6 s.
A piece also waits for Python's lock as often as all threads that work want it, so a file is read in few large ones.

Thread contract: belongs to the event loop.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import fastapi.routing
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.responses import FileResponse

REQUESTS_AT_A_TIME = 16
"""Ours: twice as many as one reader may have. They share one lock of Python's: more would only make ``/info/`` wait."""

PIECE_BYTES = 1 << 20
"""Ours: of a file that is sent. In memory lies one for each download at a time."""

_places = CapacityLimiter(REQUESTS_AT_A_TIME)


def separate() -> None:
    """From here on routes do their work in threads of their own; FastAPI's pool is left to the bytes."""
    FileResponse.chunk_size = PIECE_BYTES
    fastapi.routing.run_in_threadpool = _do  # type: ignore[assignment]


async def _do(work: Callable[..., Any], *values: Any, **named: Any) -> Any:
    return await run_sync(partial(work, *values, **named), limiter=_places)

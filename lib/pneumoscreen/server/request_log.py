"""What is kept of a request while it is served: its id, and why it was refused; and its line in a log of JSON.

The id is made here and told in the header ``X-Request-ID``. One that a client brings is not taken: it could be a name.

Thread contract: the record is a context variable; FastAPI hands it on to the thread that runs an endpoint.
"""

import logging
import time
import uuid
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_REFUSED_FROM = 400
HEADER = b"x-request-id"
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

REQUESTS = __name__
"""Logger of the lines of requests."""
_PROBES = ("/health/live", "/health/ready", "/metrics")

logger = logging.getLogger(REQUESTS)


@dataclass
class RequestRecord:
    """One request. ``route`` is the entry of the table of permissions: a path may hold a patient's name."""

    method: str
    route: str
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    refusal: str = ""
    status: int = 0
    seconds: float = 0.0


_record: ContextVar[RequestRecord | None] = ContextVar("request_record", default=None)


def request_id() -> str:
    """Id of the request that is being served; empty outside of one."""
    record = _record.get()
    return "" if record is None else record.id


def note_refusal(kind: str) -> None:
    """Keep why the present request is refused: a short word, never what the client sent."""
    record = _record.get()
    if record is not None:
        record.refusal = kind


class RequestLog:
    """The outermost ASGI layer: tells ``told`` of every request that was answered.

    Args:
        app: what lies behind.
        route_of: the route of a method and path, without anything that the client chose.
        told: called with each record.
    """

    def __init__(self, app: ASGIApp, route_of: Callable[[Scope], str], told: Callable[[RequestRecord], None]) -> None:
        self._app, self._route_of, self._told = app, route_of, told

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in _METHODS else "other"
        record, start = RequestRecord(method, self._route_of(scope)), time.perf_counter()
        token = _record.set(record)

        async def with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
                message = {**message, "headers": [*message.get("headers", ()), (HEADER, record.id.encode())]}
            await send(message)

        try:
            await self._app(scope, receive, with_id)
        except Exception:
            record.status = record.status or 500  # answered outside of all layers
            raise
        finally:
            _record.reset(token)
            record.seconds = time.perf_counter() - start
            self._told(record)
            log_request(record)


def log_request(record: RequestRecord) -> None:
    """A line of a request; text logs leave it out (``log_setup``), and all leave out what programs ask every second."""
    if record.route in _PROBES and record.status < _REFUSED_FROM:
        return
    about = {"request": record.id, "method": record.method, "route": record.route, "status": record.status}
    about |= {"seconds": round(record.seconds, 4)} | ({"refusal": record.refusal} if record.refusal else {})
    logger.info("%s %s %d", record.method, record.route, record.status, extra={"about": about})

"""The line of a request in a log of JSON, and the layer that keeps its record (``access.request_record``)."""

import logging
import time
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..access.request_record import REQUESTS, RequestRecord, recorded

_REFUSED_FROM = 400
HEADER = b"x-request-id"
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_PROBES = ("/health/live", "/health/ready", "/metrics")

logger = logging.getLogger(REQUESTS)


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

        async def with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
                message = {**message, "headers": [*message.get("headers", ()), (HEADER, record.id.encode())]}
            await send(message)

        try:
            with recorded(record):
                await self._app(scope, receive, with_id)
        except Exception:
            record.status = record.status or 500  # answered outside of all layers
            raise
        finally:
            record.seconds = time.perf_counter() - start
            self._told(record)
            log_request(record)


def log_request(record: RequestRecord) -> None:
    """A line of a request; text logs leave it out (``logs``), and all leave out what programs ask every second."""
    if record.route in _PROBES and record.status < _REFUSED_FROM:
        return
    about = {"request": record.id, "method": record.method, "route": record.route, "status": record.status}
    about |= {"seconds": round(record.seconds, 4)} | ({"refusal": record.refusal} if record.refusal else {})
    logger.info("%s %s %d", record.method, record.route, record.status, extra={"about": about})

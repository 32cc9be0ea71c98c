"""Connections: not more than the server has room for, and none that says nothing.

uvicorn lets a connection wait for ever before its first request, and between two bytes of a header. A thousand such
connections, which need no token, would take all file descriptors of the process.
"""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..limits import Limits


class LimitedProtocol(H11Protocol):
    """HTTP with a limit on connections and on the time that the header of a request takes."""

    limits = Limits()
    """Set for the whole process, since uvicorn makes the protocols."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, or hang up where there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.max_connections:
            transport.abort()
            return
        self._wait_for_header()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._header_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; those of a header must be there in time, however they drip in."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._wait_for_header()
        else:
            self._header_came()

    def _wait_for_header(self) -> None:
        if self._patience is None and not self.transport.is_closing():
            self._patience = self.loop.call_later(self.limits.header_seconds, self.transport.abort)

    def _header_came(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

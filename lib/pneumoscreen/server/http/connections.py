"""Connections: not more than the server has room for, and none that says nothing.

uvicorn lets a connection wait for ever before its first request, and between two bytes of a header. A thousand such
connections, which need no token, would take all file descriptors of the process.
"""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from ...limits import Limits


class LimitedProtocol(H11Protocol):
    """HTTP with a limit on connections and on the time that the header of a request takes."""

    limits = Limits()
    """Set for the whole process, since uvicorn makes the protocols."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._patience: asyncio.TimerHandle | None = None
        self._silent_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection; where there are too many, hang up the one that has said nothing for longest.

        Were it the newest, whoever opens enough connections and says nothing would keep all others out.
        """
        super().connection_made(transport)
        still_open = [one for one in self.connections if not one.transport.is_closing()]
        if len(still_open) > self.limits.max_connections:
            silent = [one for one in still_open if isinstance(one, LimitedProtocol) and one._patience is not None]
            given_up = min(silent, key=lambda one: one._silent_since, default=self)
            given_up.transport.abort()
            if given_up is self:
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
            self._silent_since = self.loop.time()
            self._patience = self.loop.call_later(self.limits.header_seconds, self.transport.abort)

    def _header_came(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

"""The limit on connections, on a real server with room for three."""

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from pneumoscreen.limits import Limits
from pneumoscreen.server.http.connections import LimitedProtocol

ROOM = 3


class Narrow(LimitedProtocol):
    limits = Limits(max_connections=ROOM, header_seconds=600.0)


async def answer(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
def port() -> Iterator[int]:
    server = uvicorn.Server(uvicorn.Config(answer, port=0, http=Narrow, lifespan="off", log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    end = time.monotonic() + 60
    while not server.started and time.monotonic() < end:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join(60)


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 60)


def get(connection: socket.socket) -> bytes:
    connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    return connection.recv(1000)


def is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_connections_that_say_nothing_keep_nobody_out(port: int) -> None:
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(connect(port)) for _ in range(4 * ROOM)]
        asking = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        asking.request("GET", "/")
        assert asking.getresponse().status == 200
        asking.close()
        assert all(is_closed(connection) for connection in silent[:-ROOM]), "those that were silent for longest"


def test_a_connection_that_is_amid_a_request_is_not_given_up(port: int) -> None:
    with contextlib.ExitStack() as stack:
        amid = stack.enter_context(connect(port))
        amid.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab")
        assert b"200" in amid.recv(1000)
        for _ in range(2 * ROOM):
            stack.enter_context(connect(port))
        with connect(port) as asking:
            assert b"200" in get(asking)
        amid.sendall(b"cde")

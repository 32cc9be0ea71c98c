"""A server that answers late, wrongly or with an error, as none of our own does."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests


class _Silent(BaseHTTPRequestHandler):
    def log_message(self, text: str, *values: object) -> None:
        """Say nothing."""


@contextmanager
def _running(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address of a server with this handler."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def misbehaving(status: int = 200, body: bytes = b"{}", delay_s: float = 0.0) -> Iterator[str]:
    """Its address; every request gets the same answer."""

    class Handler(_Silent):
        def answer(self) -> None:
            time.sleep(delay_s)
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except (BrokenPipeError, ConnectionResetError):
                return

        do_GET = do_PUT = do_POST = do_DELETE = answer

    with _running(Handler) as there:
        yield there


@contextmanager
def routed(answers: Mapping[str, tuple[int, Any]]) -> Iterator[str]:
    """Its address; a request that begins like a key (``"POST /path"``) gets that status and those JSON values."""

    class Handler(_Silent):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = f"{self.command} {self.path}"
            status, values = next(found for start, found in answers.items() if asked.startswith(start))
            body = json.dumps(values).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_DELETE = answer

    with _running(Handler) as there:
        yield there


@contextmanager
def holding_back(address: str, delay_s: float, held: tuple[str, ...]) -> Iterator[str]:
    """Address in front of a real server, whose answers to ``held`` (``"PUT /path"``) come that much later."""

    class Handler(_Silent):
        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            sent = {name: text for name, text in self.headers.items() if name.lower() not in ("host", "connection")}
            answer = requests.request(
                self.command, address + self.path, headers=sent, data=self.rfile.read(length), timeout=120
            )
            if f"{self.command} {self.path}".startswith(held):
                time.sleep(delay_s)
            try:
                self.send_response(answer.status_code)
                self.send_header("Content-Type", answer.headers.get("Content-Type", "application/json"))
                for name in ("ETag", "Content-Disposition"):
                    if name in answer.headers:
                        self.send_header(name, answer.headers[name])
                length = len(answer.content) if self.command != "HEAD" else answer.headers.get("Content-Length", 0)
                self.send_header("Content-Length", str(length))
                self.end_headers()
                self.wfile.write(answer.content)
            except (BrokenPipeError, ConnectionResetError):
                return

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = answer

    with _running(Handler) as there:
        yield there

"""A server that answers late, wrongly or with an error, as none of our own does."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def misbehaving(status: int = 200, body: bytes = b"{}", delay_s: float = 0.0) -> Iterator[str]:
    """Its address; every request gets the same answer."""

    class Handler(BaseHTTPRequestHandler):
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

        def log_message(self, text: str, *values: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()

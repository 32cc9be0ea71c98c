"""The child process that speaks to the server, so that the user interface never waits.

A JSON object a line. In: ``{"id", "call", "server": {"address", "token", "ca_file", "reader"}, "args"}``,
``{"id", "cancel": true}``, ``{"quit": true}``. Out: ``{"id", "progress": {"text", "fraction"}}`` any number of times;
then, once, ``{"id", "result"}`` or ``{"id", "error": {"kind", "message", "status", "detail"}}``. A text or a message is
one of ``sentences``, or what the server said.

Thread contract: a thread a call; ``_Calls._lock`` guards the list of calls and each line that is written.
"""

import inspect
import json
import sys
import threading
import time
import traceback
from typing import Any, BinaryIO, Dict, Mapping, Optional

from . import failures
from .failures import ServerError
from .sentences import said, wire_of
from .server import Server

CALLS = (
    "describe", "worklist", "next_case", "release", "download", "masks", "upload", "screen", "screen_xray", "classify",
    "screening_of", "annotations", "annotation", "submit", "train", "training", "stop_training", "models", "rollback",
)  # fmt: skip

_PROGRESS_EVERY_S = 0.1
_LAST_WORDS_S = 1.5
"""How long cancelled screenings may take to tell the server, when Slicer closes."""


class _Calls:
    """The calls that run, and the one way out.

    Args:
        output: takes the lines.
    """

    def __init__(self, output: BinaryIO) -> None:
        self._output = output
        self._lock = threading.Lock()
        self._running: Dict[Any, threading.Event] = {}
        self._threads: Dict[threading.Thread, threading.Event] = {}

    def start(self, message: Mapping[str, Any]) -> None:
        """Ask the server in a thread of its own."""
        number, stopped = message["id"], threading.Event()
        thread = threading.Thread(target=self._work, args=(message, stopped), daemon=True)
        with self._lock:
            self._running[number] = stopped
            self._threads[thread] = stopped
        thread.start()

    def cancel(self, number: Any) -> None:
        """Give a call up at once; what it still brings is dropped."""
        with self._lock:
            stopped = self._running.pop(number, None)
            if stopped is not None:
                stopped.set()
                self._write({"id": number, "error": _as_dict(failures.cancelled())})

    def close(self) -> None:
        """Cancel all calls, and give those that can stop something on the server a moment for it."""
        with self._lock:
            for stopped in self._running.values():
                stopped.set()
            threads = list(self._threads)
            self._running.clear()
        end = time.monotonic() + _LAST_WORDS_S
        for thread in threads:
            thread.join(max(end - time.monotonic(), 0.0))

    def _work(self, message: Mapping[str, Any], stopped: threading.Event) -> None:
        number = message["id"]
        try:
            answer = {"id": number, "result": self._ask(message, stopped)}
        except ServerError as error:
            answer = {"id": number, "error": _as_dict(error)}
        except Exception as error:
            traceback.print_exc()
            fault = ServerError(failures.FAULT, said("fault", error=type(error).__name__))
            answer = {"id": number, "error": _as_dict(fault)}
        with self._lock:
            if self._running.get(number) is stopped:
                del self._running[number]
                self._write(answer)
            self._threads.pop(threading.current_thread(), None)

    def _ask(self, message: Mapping[str, Any], stopped: threading.Event) -> Any:
        name, told_at = message["call"], [0.0]
        if name not in CALLS:
            raise ServerError(failures.FAULT, said("unknown_call", call=repr(name)))

        def progress(text: str, fraction: Optional[float]) -> None:
            now = time.monotonic()
            if now - told_at[0] < _PROGRESS_EVERY_S and fraction != 1.0:
                return
            told_at[0] = now
            with self._lock:
                if self._running.get(message["id"]) is stopped:
                    self._write({"id": message["id"], "progress": {"text": wire_of(text), "fraction": fraction}})

        method = getattr(Server(**message["server"]), name)
        takes = inspect.signature(method).parameters
        offered = {"progress": progress, "cancelled": stopped.is_set}
        more = {key: value for key, value in offered.items() if key in takes}
        return method(**message.get("args", {}), **more)

    def _write(self, message: Mapping[str, Any]) -> None:
        """Write a line; called with the lock held."""
        try:
            self._output.write(json.dumps(message).encode("ascii") + b"\n")
            self._output.flush()
        except (OSError, ValueError):
            # Slicer is gone: the end of the input says the same to the main thread.
            return


def serve(lines: BinaryIO, output: BinaryIO) -> None:
    """Answer lines until they end or say so."""
    calls = _Calls(output)
    for line in lines:
        try:
            message = json.loads(line)
            if message.get("quit"):
                break
            if message.get("cancel"):
                calls.cancel(message["id"])
            else:
                calls.start({**message, "id": message["id"], "call": message["call"], "server": message["server"]})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            print(f"a line was passed over ({type(error).__name__}: {error})", file=sys.stderr)
    calls.close()


def main() -> None:
    """Serve standard input; whatever else prints goes to the error output."""
    output, sys.stdout = sys.stdout.buffer, sys.stderr
    serve(sys.stdin.buffer, output)


def _as_dict(error: ServerError) -> Dict[str, Any]:
    return {"kind": error.kind, "message": wire_of(error.sentence), "status": error.status, "detail": error.detail}


if __name__ == "__main__":
    main()

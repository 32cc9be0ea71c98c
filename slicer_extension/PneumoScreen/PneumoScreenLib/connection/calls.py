"""Asks the server without ever making the user interface wait.

Slicer's event loop holds Python's lock, so Python threads stand still while nothing happens in the interface. A child
process (``worker``) therefore speaks to the server; this class writes one JSON line a question to it and is told of
one JSON line an answer by the event loop. A worker that died is replaced at the next question.
"""

import itertools
import json
import logging
import os
import shutil
import sys
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Optional

import qt

from ..client.sentences import in_words
from ..translation import _

FOLDER_OF_PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
START = "import sys; sys.path.insert(0, sys.argv.pop()); from PneumoScreenLib.client.worker import main; main()"

CANCELLED = "cancelled"
FAULT = "fault"
_TOLD_OF_STDERR = 2000


@dataclass(frozen=True)
class Failure:
    """Why a call brought nothing.

    Attributes:
        kind: unreachable, timeout, tls, denied, missing, conflict, refused, fault, rubbish or cancelled.
        message: one sentence with the remedy.
        status: HTTP status, where the server answered.
        detail: what the server said beyond the sentence, such as the other version of a conflict.
    """

    kind: str
    message: str
    status: Optional[int] = None
    detail: Dict[str, Any] = field(default_factory=dict)


class Call:
    """One question that is on its way."""

    def __init__(self, calls: "Calls", number: int, name: str) -> None:
        self._calls, self.number, self.name = calls, number, name

    @property
    def is_running(self) -> bool:
        """Whether no answer has come yet."""
        return self._calls.is_waiting(self.number)

    def cancel(self) -> None:
        """Give up at once: the caller hears ``cancelled`` now, whatever the server still does."""
        self._calls.cancel(self.number)


@dataclass(frozen=True)
class _Waiting:
    done: Callable[[Any], None]
    failed: Callable[[Failure], None]
    progress: Optional[Callable[[str, Optional[float]], None]]


class Calls:
    """Starts calls and hands their answers back in the event loop.

    Args:
        connection: gives address, token, ca_file and reader at each call, as ``worker`` takes them.
        program: Python interpreter of the worker; Slicer's own where it is not named.
    """

    def __init__(self, connection: Callable[[], Dict[str, Any]], program: Optional[str] = None) -> None:
        self._connection = connection
        self._program = program or shutil.which("PythonSlicer") or sys.executable
        self._numbers = itertools.count(1)
        self._waiting: Dict[int, _Waiting] = {}
        self._process: Any = None
        self._ended_process: Any = None
        self._unfinished = b""
        self._said = ""

    def start(
        self,
        call: str,
        args: Dict[str, Any],
        done: Callable[[Any], None],
        failed: Callable[[Failure], None],
        progress: Optional[Callable[[str, Optional[float]], None]] = None,
    ) -> Call:
        """Ask; returns at once. Exactly one of ``done`` and ``failed`` is called, later, in the event loop.

        Args:
            call: a method of ``server.Server``.
            args: its arguments by name, JSON values.
            done: takes the result.
            failed: takes the reason.
            progress: takes a text and a fraction in [0, 1] or None, any number of times before.
        """
        number = next(self._numbers)
        self._waiting[number] = _Waiting(done, failed, progress)
        self._write({"id": number, "call": call, "server": self._connection(), "args": args})
        return Call(self, number, call)

    def is_waiting(self, number: int) -> bool:
        """Whether a call has no answer yet."""
        return number in self._waiting

    def cancel(self, number: int) -> None:
        """Give a call up; nothing happens where it has its answer."""
        waiting = self._waiting.pop(number, None)
        if waiting is None:
            return
        if self._process is not None:
            self._write({"id": number, "cancel": True})
        _tell(waiting.failed, Failure(CANCELLED, _("Cancelled.")))

    def close(self) -> None:
        """End the worker; calls that wait are given up without a word."""
        self._waiting.clear()
        process, self._process = self._process, None
        if process is None:
            return
        process.disconnect("finished(int,QProcess::ExitStatus)")
        process.write(b'{"quit": true}\n')
        process.closeWriteChannel()
        if not process.waitForFinished(1000):
            process.kill()
            process.waitForFinished(1000)

    @property
    def worker_id(self) -> Optional[int]:
        """Process id of the worker, for tests and logs."""
        return None if self._process is None else int(self._process.processId())

    def _write(self, message: Dict[str, Any]) -> None:
        if self._process is None:
            self._begin()
        self._process.write(json.dumps(message).encode("ascii") + b"\n")

    def _begin(self) -> None:
        self._unfinished, self._said = b"", ""
        self._process = process = qt.QProcess()
        process.connect("readyReadStandardOutput()", self._read)
        process.connect("readyReadStandardError()", self._read_errors)
        process.connect("finished(int,QProcess::ExitStatus)", self._ended)
        process.connect("errorOccurred(QProcess::ProcessError)", self._not_started)
        process.start(self._program, ["-c", START, FOLDER_OF_PACKAGE])

    def _read(self) -> None:
        if self._process is None:
            return
        lines = (self._unfinished + self._process.readAllStandardOutput().data()).split(b"\n")
        self._unfinished = lines.pop()
        for line in lines:
            self._answer(line)

    def _read_errors(self) -> None:
        if self._process is not None:
            said = self._process.readAllStandardError().data()
            self._said = (self._said + said.decode("utf-8", "replace"))[-_TOLD_OF_STDERR:]

    def _answer(self, line: bytes) -> None:
        try:
            message = json.loads(line)
            number = message["id"]
        except (ValueError, KeyError, TypeError):
            logging.warning("PneumoScreen: the helper process wrote %r", line[:200])
            return
        waiting = self._waiting.get(number)
        if waiting is None:
            return
        if "progress" in message:
            if waiting.progress is not None:
                told = message["progress"]
                _tell(waiting.progress, in_words(told.get("text", "")), told.get("fraction"))
            return
        del self._waiting[number]
        if "error" in message:
            error = message["error"]
            _tell(
                waiting.failed,
                Failure(error["kind"], in_words(error["message"]), error.get("status"), error.get("detail") or {}),
            )
        else:
            _tell(waiting.done, message.get("result"))

    def _ended(self, code: int, status: Any) -> None:
        self._read()
        self._read_errors()
        if self._said:
            logging.warning("PneumoScreen: the helper process ended (%s): %s", code, self._said)
        self._give_up(_("The connection to the server was interrupted on this computer; press Retry."))

    def _not_started(self, error: Any) -> None:
        if self._process is not None and error == qt.QProcess.FailedToStart:
            self._give_up(
                _("Python cannot be started at {program}; install 3D Slicer again.").format(program=self._program)
            )

    def _give_up(self, sentence: str) -> None:
        # Kept until the next one begins: the signal that brought us here is still its own.
        self._ended_process, self._process = self._process, None
        waiting: List[_Waiting] = list(self._waiting.values())
        self._waiting.clear()
        for each in waiting:
            _tell(each.failed, Failure(FAULT, sentence))


def _tell(listener: Callable[..., None], *values: Any) -> None:
    try:
        listener(*values)
    except Exception:
        # One listener's fault must not lose the answers of the others.
        logging.exception("PneumoScreen: an answer of the server could not be shown")

"""The calls to the server, through the real helper process: answers, failures, cancelling, and a free event loop."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.slicer_extension.doubles.misbehaving import misbehaving
from tests.slicer_extension.doubles.pythonqt_adapter import install

application = install()

from PneumoScreenLib.connection.calls import Calls, Failure


class Heard:
    """What a caller was told."""

    def __init__(self) -> None:
        self.result: Any = None
        self.failures: list[Failure] = []
        self.is_done = False
        self.call: Any = None

    def done(self, result: Any) -> None:
        self.result, self.is_done = result, True

    def failed(self, failure: Failure) -> None:
        self.failures.append(failure)
        self.is_done = True


def wait(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "no answer in time"
        application.processEvents()
        time.sleep(0.001)


class Asked:
    """Calls to an address that a test may change."""

    def __init__(self) -> None:
        self.address = ""
        self.calls = Calls(self.connection, sys.executable)

    def connection(self) -> dict[str, Any]:
        return {"address": self.address, "token": None, "ca_file": None, "reader": "dr-a"}

    def ask(self, call: str, **args: Any) -> Heard:
        heard = Heard()
        heard.call = self.calls.start(call, args, heard.done, heard.failed)
        return heard


@pytest.fixture
def asked() -> Iterator[Asked]:
    asked = Asked()
    yield asked
    asked.calls.close()


def test_an_answer_comes_in_the_event_loop(asked: Asked) -> None:
    with misbehaving(body=b'{"versions": []}') as asked.address:
        heard = asked.ask("annotations", case_id="case")
        assert not heard.is_done
        wait(lambda: heard.is_done)
    assert heard.result == {"versions": []}
    assert heard.failures == []


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, b'{"detail": "no token"}', "denied"),
        (404, b'{"detail": "there is no case"}', "missing"),
        (409, b'{"detail": "dr-b was faster", "other": {"version": 3}}', "conflict"),
        (500, b"oops", "fault"),
        (200, b"<html>hello</html>", "rubbish"),
    ],
)
def test_a_failure_is_a_sentence(asked: Asked, status: int, body: bytes, kind: str) -> None:
    with misbehaving(status, body) as asked.address:
        heard = asked.ask("annotations", case_id="case")
        wait(lambda: heard.is_done)
    (failure,) = heard.failures
    assert failure.kind == kind
    assert "Traceback" not in failure.message and failure.message.endswith(".")
    if kind == "conflict":
        assert failure.detail["other"] == {"version": 3}


def test_nobody_listens_there(asked: Asked) -> None:
    asked.address = "http://127.0.0.1:9"
    heard = asked.ask("worklist")
    wait(lambda: heard.is_done)
    assert heard.failures[0].kind == "unreachable"


def test_a_cancelled_call_is_given_up_at_once_and_never_heard_again(asked: Asked) -> None:
    with misbehaving(delay_s=2.0) as asked.address:
        heard = asked.ask("annotations", case_id="case")
        wait(lambda: asked.calls.worker_id is not None and asked.calls.worker_id > 0)
        start = time.perf_counter()
        heard.call.cancel()
        assert time.perf_counter() - start < 0.05
        assert [failure.kind for failure in heard.failures] == ["cancelled"]
        assert not heard.call.is_running
        quick = asked.ask("annotations", case_id="other")
        wait(lambda: quick.is_done)
    assert len(heard.failures) == 1 and heard.result is None


def test_calls_run_beside_each_other(asked: Asked) -> None:
    with misbehaving(delay_s=1.0) as asked.address:
        warm = asked.ask("annotations", case_id="case")
        wait(lambda: warm.is_done)
        start = time.monotonic()
        both = [asked.ask("annotations", case_id=name) for name in ("a", "b", "c")]
        wait(lambda: all(heard.is_done for heard in both))
    assert time.monotonic() - start < 2.5


def test_a_worker_that_dies_costs_a_message_and_is_replaced(asked: Asked) -> None:
    with misbehaving(delay_s=5.0) as asked.address:
        heard = asked.ask("annotations", case_id="case")
        wait(lambda: bool(asked.calls.worker_id))
        dead = asked.calls.worker_id
        os.kill(int(dead or 0), signal.SIGKILL)
        wait(lambda: heard.is_done)
    assert heard.failures[0].kind == "fault" and "Retry" in heard.failures[0].message
    with misbehaving() as asked.address:
        again = asked.ask("annotations", case_id="case")
        wait(lambda: again.is_done)
        assert again.failures == [] and asked.calls.worker_id != dead


def test_python_that_cannot_be_started_is_a_message(asked: Asked, tmp_path: Path) -> None:
    asked.calls = Calls(asked.connection, str(tmp_path / "no-python"))
    heard = asked.ask("worklist")
    wait(lambda: heard.is_done)
    assert "cannot be started" in heard.failures[0].message


def test_the_worker_ends_with_the_panel(asked: Asked) -> None:
    with misbehaving() as asked.address:
        heard = asked.ask("annotations", case_id="case")
        wait(lambda: heard.is_done)
    worker = int(asked.calls.worker_id or 0)
    asked.calls.close()
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


def test_the_event_loop_turns_while_a_call_waits(asked: Asked) -> None:
    """Turns of the loop are measured, over the start of the helper process and a slow answer."""
    longest = 0.0
    with misbehaving(delay_s=1.0) as asked.address:
        heard = asked.ask("annotations", case_id="case")
        while not heard.is_done:
            start = time.perf_counter()
            application.processEvents()
            longest = max(longest, time.perf_counter() - start)
            time.sleep(0.001)
    assert longest < 0.05

"""One place for every question to the server: what runs, what failed, what the reader is told and may try again."""

from dataclasses import dataclass
from typing import Any, Callable, Dict, Optional

from ..signal import Signal
from ..translation import _
from .calls import CANCELLED, Call, Calls, Failure

Retry = Optional[Callable[[], None]]
Progress = Callable[[str, Optional[float]], None]


@dataclass(frozen=True)
class Message:
    """A sentence for the reader, and what a button beside it does, such as ``Retry`` where trying again makes sense."""

    text: str
    retry: Retry = None
    is_trouble: bool = False
    button: str = _("Retry")


class Asking:
    """Asks the server; one question at a time may hold the reader's attention, with progress and ``Cancel``.

    Args:
        calls: brings the answers.
    """

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self.message: Optional[Message] = None
        self._running: Any = None
        self.said, self.busy_changed, self.progressed = Signal(), Signal(), Signal()

    @property
    def is_busy(self) -> bool:
        """Whether something runs that the reader waits for; the worklist and a training do not count."""
        return self._running is not None

    def ask(
        self,
        call: str,
        args: Dict[str, Any],
        done: Callable[[Any], None],
        retry: Retry,
        otherwise: Optional[Callable[[Failure], bool]] = None,
    ) -> Call:
        """Ask beside everything else; a failure becomes a message unless ``otherwise`` returns true for it."""

        def failed(failure: Failure) -> None:
            if otherwise is None or not otherwise(failure):
                self.report(failure, retry)

        return self.calls.start(call, args, done, failed)

    def run(
        self,
        call: str,
        args: Dict[str, Any],
        done: Callable[[Any], None],
        retry: Retry,
        text: str,
        otherwise: Optional[Callable[[Failure], bool]] = None,
    ) -> None:
        """Ask what the reader waits for: nothing else of this kind starts meanwhile, and it can be cancelled."""
        self.follow(
            lambda finished, failed: self.calls.start(call, args, finished, failed, self.progressed.emit),
            done, retry, text, otherwise,
        )  # fmt: skip

    def follow(
        self,
        begin: Callable[[Callable[[Any], None], Callable[[Failure], None]], Any],
        done: Callable[[Any], None],
        retry: Retry,
        text: str,
        otherwise: Optional[Callable[[Failure], bool]] = None,
    ) -> None:
        """The same for several calls that ``begin`` starts together; it returns what has ``cancel()``."""
        if self.is_busy:
            return

        def finished(result: Any) -> None:
            self._end()
            done(result)

        def failed(failure: Failure) -> None:
            self._end()
            if otherwise is None or not otherwise(failure):
                self.report(failure, retry)

        self.say(None)
        self._running = begin(finished, failed)
        self.busy_changed.emit()
        self.progressed.emit(text, None)

    def cancel(self) -> None:
        """Stop what the reader waits for, at once."""
        if self._running is not None:
            self._running.cancel()

    def say(self, message: Optional[Message]) -> None:
        """Show a message in the place of the one before; None: nothing."""
        self.message = message
        self.said.emit()

    def report(self, failure: Failure, retry: Retry) -> None:
        """Say what failed. What the reader cancelled, the reader knows."""
        if failure.kind == CANCELLED:
            self.say(None)
        else:
            self.say(Message(failure.message, retry, True))

    def _end(self) -> None:
        self._running = None
        self.progressed.emit(None, None)
        self.busy_changed.emit()

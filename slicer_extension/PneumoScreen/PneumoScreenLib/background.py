"""Work in pieces while Slicer's event loop has nothing else to do, so that no turn of it is long."""

import time
from collections import deque
from typing import Any, Callable, Deque, Generator, Optional

PIECE_S = 0.02
"""Time for one piece of work, after which the reader's next key comes first."""
MOST = 4
"""Steps of one piece, ours: with a box of 10 ms each a piece ends long before anybody waits for it."""

Later = Callable[[Callable[[], None]], None]
Parts = Generator[None, None, Any]


_waiting: Deque[Callable[[], None]] = deque()
_turn: Any = None
"""The timer of all turns, made with the first one."""


def when_idle(work: Callable[[], None]) -> None:
    """Let Slicer's event loop do something when it has nothing else to do: one thing a turn, in the order asked for."""
    _waiting.append(work)
    if len(_waiting) == 1:
        _next_turn()


def before_others(work: Callable[[], None]) -> None:
    """The same, before all that waits by now: a reader waits for it."""
    _waiting.appendleft(work)
    if len(_waiting) == 1:
        _next_turn()


def _next_turn() -> None:
    global _turn
    if _turn is None:
        _turn = _new_timer()
    _turn.start()


def _new_timer() -> Any:
    """One timer for all: each ``QTimer.singleShot`` of Slicer's stays in memory until the application ends."""
    import qt
    import slicer

    # With a parent, as Slicer's own (`Base/Python/slicer/slicerqt.py`): it goes before Python's way to Qt does.
    timer = qt.QTimer(slicer.app.moduleManager())
    timer.setSingleShot(True)
    timer.setInterval(0)
    timer.connect("timeout()", _do_next)
    return timer


def _do_next() -> None:
    work = _waiting.popleft()
    # First, so that what fails stops nothing else.
    if _waiting:
        _next_turn()
    work()


class Pieces:
    """Does the steps of a queue, a few in each turn of the event loop.

    Args:
        step: does the next step where there is one, and says whether there is another one.
        later: starts a piece of work in the background.
    """

    def __init__(self, step: Callable[[], bool], later: Later = when_idle) -> None:
        self._step, self._later = step, later
        self._is_waiting = False

    def start(self) -> None:
        """Begin in the next turn; it ends by itself where no step is left."""
        if not self._is_waiting:
            self._is_waiting = True
            self._later(self._work)

    def work_now(self) -> None:
        """Do one piece in this turn, the others in the next ones."""
        end = time.monotonic() + PIECE_S
        for _count in range(MOST):
            if not self._step():
                return
            if time.monotonic() > end:
                break
        self.start()

    def _work(self) -> None:
        self._is_waiting = False
        self.work_now()


class Turns:
    """Does one thing at a time in several turns of the event loop, before all work in the background.

    Args:
        later: starts the next turn's part.
    """

    def __init__(self, later: Later = before_others) -> None:
        self._later = later
        self._parts: Optional[Parts] = None
        self._ended: Callable[[], None] = _nothing
        self._is_amid = False

    @property
    def is_at_work(self) -> bool:
        """Whether parts are still to be done."""
        return self._parts is not None

    def start(self, parts: Parts, ended: Optional[Callable[[], None]] = None) -> None:
        """Do the first part now and one more in each of the next turns.

        Args:
            parts: a generator that yields where a turn ends; what is being done is given up.
            ended: called once, however it ends.
        """
        self.stop()
        self._parts, self._ended = parts, ended or _nothing
        self._go_on(parts)

    def stop(self) -> None:
        """Give up what is being done: its parts are told by ``GeneratorExit``."""
        parts = self._parts
        if parts is not None:
            # One that stops itself amid a part is told where the part ends.
            if not self._is_amid:
                parts.close()
            self._end()

    def _go_on(self, parts: Parts) -> None:
        if parts is not self._parts:
            return
        is_over = self._is_amid = True
        try:
            next(parts)
            is_over = False
        except StopIteration:
            pass
        finally:
            self._is_amid = False
            if is_over and parts is self._parts:
                self._end()
        if parts is self._parts:
            self._later(lambda: self._go_on(parts))
        elif not is_over:
            parts.close()

    def _end(self) -> None:
        ended, self._parts, self._ended = self._ended, None, _nothing
        ended()


def in_one_turn(parts: Parts) -> Any:
    """Do all parts now; what the generator returns."""
    while True:
        try:
            next(parts)
        except StopIteration as end:
            return end.value


def _nothing() -> None:
    """Nobody waits for the end."""

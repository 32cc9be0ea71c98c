"""Work in pieces while Slicer's event loop has nothing else to do, so that no turn of it is long."""

import time
from typing import Callable

PIECE_S = 0.02
"""Time for one piece of work, after which the reader's next key comes first."""
MOST = 4
"""Steps of one piece, ours: with a box of 10 ms each a piece ends long before anybody waits for it."""

Later = Callable[[Callable[[], None]], None]


def when_idle(work: Callable[[], None]) -> None:
    """Let Slicer's event loop do something when it has nothing else to do."""
    import qt

    qt.QTimer.singleShot(0, work)


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

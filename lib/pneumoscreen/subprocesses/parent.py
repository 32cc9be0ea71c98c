"""A process that was started for another one ends when that one is gone, however it ended."""

import os
import threading
import time
from collections.abc import Callable

PARENT_VARIABLE = "PNEUMOSCREEN_PARENT"
"""Names the process that started this one for itself."""

_POLL_S = 0.5


def end_with_parent(end: Callable[[], None]) -> None:
    """Call ``end`` in a thread of its own when the parent that the environment names is gone."""
    parent = os.environ.pop(PARENT_VARIABLE, "")
    if not parent.isdecimal():
        return

    def watch() -> None:
        while os.getppid() == int(parent):
            time.sleep(_POLL_S)
        end()

    threading.Thread(target=watch, name="PARENT", daemon=True).start()

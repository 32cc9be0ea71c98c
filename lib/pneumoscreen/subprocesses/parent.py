"""A process that was started for another one ends when that one is gone, however it ended."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

PARENT_VARIABLE = "PNEUMOSCREEN_PARENT"
"""Names the process that started this one for itself."""

_POLL_S = 0.5
_LIBRARY = Path(__file__).resolve().parents[2]


def child_environment() -> dict[str, str]:
    """The environment of a process that this one starts for itself, which finds this package wherever it lies."""
    paths = [str(_LIBRARY), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {**os.environ, PARENT_VARIABLE: str(os.getpid()), "PYTHONPATH": os.pathsep.join(paths)}


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

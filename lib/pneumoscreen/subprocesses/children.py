"""The processes of one module that wait for their next order: starting one takes a second.

Thread contract: several threads may take and put back at once.
"""

import threading

from ..limits import Limits
from .child import Child


class Children:
    """Processes that run one module.

    Args:
        module: what runs in them; it calls ``serving.run``.
        most: so many wait for the next order.
        is_silent: see ``Child``.
    """

    def __init__(self, module: str, most: int, is_silent: bool = False) -> None:
        self._module, self._most, self._is_silent = module, most, is_silent
        self._lock = threading.Lock()
        self._idle: list[Child] = []

    def taken(self, limits: Limits) -> Child:
        """A process that waits, or a new one with these limits."""
        with self._lock:
            while self._idle:
                child = self._idle.pop()
                if child.is_alive:
                    return child
                child.end()
        return Child(limits, self._module, self._is_silent)

    def put_back(self, child: Child) -> None:
        """Let a process wait for the next order, where not enough do."""
        with self._lock:
            if len(self._idle) < self._most:
                self._idle.append(child)
                return
        child.end()

    def warm_up(self, limits: Limits) -> None:
        """Start a process that waits for the first order."""
        self.put_back(self.taken(limits))

    def close(self) -> None:
        """End those that wait."""
        with self._lock:
            idle, self._idle = self._idle, []
        for child in idle:
            child.end()

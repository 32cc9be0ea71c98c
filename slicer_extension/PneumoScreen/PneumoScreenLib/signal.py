"""A signal without Qt: whoever changes something emits, whoever shows it listens."""

import logging
from typing import Any, Callable, List, Optional


class Signal:
    """Listeners are called in the order in which they were connected."""

    def __init__(self) -> None:
        self._listeners: List[Callable[..., Any]] = []

    def connect(self, listener: Callable[..., Any]) -> None:
        """Call this from now on; connecting it again changes nothing."""
        if listener not in self._listeners:
            self._listeners.append(listener)

    def disconnect(self, listener: Callable[..., Any]) -> None:
        """Call this no longer; what was never connected is no matter."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    def emit(self, *values: Any) -> None:
        """Call every listener, even where one of them fails; the first failure is raised when all were called.

        The others are written to the log: none of them goes unseen.
        """
        failure: Optional[Exception] = None
        for listener in list(self._listeners):
            try:
                listener(*values)
            except Exception as error:
                if failure is not None:
                    logging.exception("PneumoScreen: one more listener of a signal failed")
                failure = failure or error
        if failure is not None:
            raise failure

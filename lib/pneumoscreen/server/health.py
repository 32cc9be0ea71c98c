"""Whether the server can do its work, for load balancers and orchestrators, which have no token."""

import os
from typing import TYPE_CHECKING, Any

from ..errors import ModelError
from ..method import Method
from ..methods import METHODS

if TYPE_CHECKING:
    from .app import PneumoScreenApp


class Health:
    """Tells why the server cannot take an inference; no reason holds a name or a place of the disk.

    Thread contract: one caller at a time.

    Args:
        app: the server.
    """

    def __init__(self, app: "PneumoScreenApp") -> None:
        self._app = app
        self._checked: dict[str, tuple[tuple[Any, ...], bool]] = {}

    def reasons(self) -> list[str]:
        """Why it cannot; empty where it can."""
        found = []
        if not self._studies_can_be_read():
            found.append("the studies cannot be read")
        if not any(self._has_networks(method) for method in METHODS):
            found.append("there are no networks that can be loaded")
        if self._app.board.is_full:
            found.append("as many inferences wait as may")
        return found

    def _studies_can_be_read(self) -> bool:
        if not self._app.studies_are_folder:
            return True  # another machine's, whose own probe tells
        try:
            with os.scandir(self._app.studies) as entries:
                next(entries, None)
            return os.access(self._app.studies, os.R_OK | os.X_OK)
        except OSError:
            return False

    def _has_networks(self, method: Method) -> bool:
        """Whether all networks of a method are in memory, or whole on the disk."""
        engine, names = self._app.engine, [network.name for network in method.networks]
        if names and all(name in engine.loaded()["loaded"] for name in names):
            return True
        return all(self._can_be_loaded(name) for name in names)

    def _can_be_loaded(self, name: str) -> bool:
        """Reads the weights once for each state of the disk."""
        store = self._app.engine.store
        state = store.fingerprint(name)
        if name not in self._checked or self._checked[name][0] != state:
            try:
                store.weights_file(name)
                self._checked[name] = state, True
            except (ModelError, OSError):
                self._checked[name] = state, False
        return self._checked[name][1]

"""The server that a reader works with: who it is, who the reader is there, what the reader may do, its cases."""

from typing import Any, Callable, Dict, List, Optional

from ..signal import Signal
from ..translation import _
from ..wording import role_name
from .asking import Asking
from .calls import Failure

ROLES = ("reader", "trainer", "administrator")
NEEDS = {"train": "trainer", "rollback": "trainer", "send": "trainer"}
NOT_CONNECTED = _("Connect to a server first.")


class Connection:
    """What is known of the server since the last "Test connection".

    Args:
        asking: asks it.
        typed_name: gives the name that the reader typed.
    """

    def __init__(self, asking: Asking, typed_name: Callable[[], str]) -> None:
        self._asking, self._typed_name = asking, typed_name
        self.server: Optional[Dict[str, Any]] = None
        self.cases: List[Dict[str, Any]] = []
        self.is_connecting = False
        self.server_changed, self.cases_changed = Signal(), Signal()

    def connect(self) -> None:
        """Ask the server who it is, then for its worklist."""
        if not self.is_connecting:
            self.is_connecting = True
            self.server_changed.emit()
            self._asking.ask("describe", {}, self._connected, self.connect, self._not_connected)

    def forget(self) -> None:
        """Another address or token was typed: what was known holds no longer."""
        if self.server is not None:
            self.server = None
            self.server_changed.emit()

    def refresh(self) -> None:
        """Ask for the worklist."""
        self._asking.ask("worklist", {}, self._listed, self.refresh)

    def follow(self) -> None:
        """Ask for the worklist without a word where it fails: the reader did not ask."""
        if self.server is not None:
            self._asking.ask("worklist", {}, self._followed, None, lambda failure: True)

    @property
    def reader(self) -> str:
        """Who signs: the name that was typed where the server knows nobody by a token, else the token's."""
        server, typed = self.server or {}, self._typed_name()
        user = str(server.get("user") or "")
        return user if server.get("is_known") else typed or user

    def why_not(self, action: str) -> Optional[str]:
        """Why the reader may not do something here; None where it may."""
        if self.server is None:
            return NOT_CONNECTED
        needed = NEEDS[action]
        rank = max((ROLES.index(role) for role in self.server.get("roles", ()) if role in ROLES), default=0)
        if rank >= ROLES.index(needed):
            return None
        return _("This needs the role {needed}; you are signed in as {reader} ({roles}).").format(
            needed=role_name(needed), reader=self.reader, roles=role_name(ROLES[rank])
        )

    def _connected(self, server: Dict[str, Any]) -> None:
        self.server, self.is_connecting = server, False
        self._asking.say(None)
        self.server_changed.emit()
        self.refresh()

    def _not_connected(self, failure: Failure) -> bool:
        self.server, self.is_connecting = None, False
        self.server_changed.emit()
        return False

    def _followed(self, cases: List[Dict[str, Any]]) -> None:
        if cases != self.cases:
            self._listed(cases)

    def _listed(self, cases: List[Dict[str, Any]]) -> None:
        self.cases = cases
        self.cases_changed.emit()

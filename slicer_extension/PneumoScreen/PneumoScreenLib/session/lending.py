"""The case that "Next case" lent to this reader: given back when it is left, so that others are offered it."""

from typing import Optional

from ..connection.asking import Asking
from ..connection.connection import Connection


class Lending:
    """One lease at a time. A lease that cannot be given back ends by itself on the server.

    Args:
        asking: asks the server.
        connection: to it.
    """

    def __init__(self, asking: Asking, connection: Connection) -> None:
        self._asking, self._connection = asking, connection
        self._case_id: Optional[str] = None

    def take(self, case_id: str) -> None:
        """The server has lent this case; what it lent before it took back itself."""
        self._case_id = case_id

    def submitted(self) -> None:
        """The server ends the lease of what is submitted."""
        self._case_id = None

    def give_back(self, but: Optional[str] = None) -> None:
        """Let others have it, unless it is this one."""
        if self._case_id in (None, but):
            return
        case_id, self._case_id = self._case_id, None
        if self._connection.server is not None:
            self._asking.ask("release", {"case_id": case_id}, lambda answer: None, None, lambda failure: True)

"""The tokens of a running server: what is added or revoked counts from the next request on, without a restart."""

from collections.abc import Mapping
from pathlib import Path

from .tokens import Token, TokenFile, id_within


class LiveTokens:
    """The tokens as they stand now, for a running server: a change of the file counts from the next request on.

    Args:
        path: the token file; None for a server without tokens.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._by_id: Mapping[str, Token] = {}
        self._stamp: tuple[int, ...] | None = None
        self._was_there = False

    def refresh(self) -> bool:
        """Read the file if it has changed.

        Returns:
            Whether the server is protected: the file holds a token, be it a revoked one. Once protected, a server stays
            so until it ends; a file that is taken away closes it to everybody.

        Raises:
            TokensError: if the file cannot be read or is damaged: then nobody may be let in.
        """
        if self.path is None:
            return False
        stamp = _stamp(self.path)
        if stamp is None or stamp != self._stamp:
            self._by_id = {token.id: token for token in TokenFile(self.path).read()}
            self._stamp = stamp
            self._was_there = self._was_there or bool(self._by_id)
        return self._was_there

    def find(self, text: str) -> Token | None:
        """The entry of a token, whatever its state; None for one that was not made here."""
        token = self._by_id.get(id_within(text) or "")
        return token if token is not None and token.is_hash_of(text) else None


def _stamp(path: Path) -> tuple[int, ...] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns

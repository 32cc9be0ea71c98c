"""The API token on this computer: a file that only its owner can read, as Slicer's settings are open to all."""

import logging
import os
from typing import Any


class TokenFile:
    """Keeps one token.

    Args:
        path: of the file; its folder is made with it.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def read(self) -> str:
        """The token; empty where there is none."""
        try:
            with open(self.path, encoding="utf-8") as file:
                return file.read().strip()
        except FileNotFoundError:
            return ""
        except (OSError, ValueError) as error:
            logging.warning("PneumoScreen: the token in %s cannot be read (%s)", self.path, error)
            return ""

    def write(self, token: str) -> None:
        """Keep a token in the place of the one before; an empty one takes it away.

        Raises:
            OSError: if it cannot be kept.
        """
        if not token:
            if os.path.exists(self.path):
                os.remove(self.path)
            return
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        part = f"{self.path}.part"
        # Never open to others, not even while it is written; Windows goes by the folder, which is the user's own.
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(token)
        os.chmod(part, 0o600)
        os.replace(part, self.path)

    def take_over(self, settings: Any, name: str) -> None:
        """Move the token that an earlier version left in Slicer's settings; it is removed there."""
        token = str(settings.value(name) or "").strip()
        if token:
            try:
                self.write(token)
            except OSError as error:
                logging.warning("PneumoScreen: the token cannot be kept in %s (%s)", self.path, error)
                return
        settings.remove(name)

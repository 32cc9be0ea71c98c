"""Unsubmitted work on this computer: a JSON file each, replaced whole, so that no crash leaves half of one.

A piece of work is named by its case, its reader and the server, so that none takes the place of another's.
"""

import hashlib
import json
import logging
import os
import tempfile
from typing import Any, Dict, Optional


class Drafts:
    """The drafts of this computer's user.

    Args:
        folder: where they lie; made with the first one.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def store(self, work: str, draft: str) -> None:
        """Keep a draft in the place of the one before.

        Args:
            work: its name.
            draft: JSON text of an object.

        Raises:
            OSError: if it cannot be written; the one before is whole.
        """
        os.makedirs(self.folder, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=self.folder, suffix=".part")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(f'{{"work": {json.dumps(work)}, "draft": {draft}}}')
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, self._path(work))
        finally:
            if os.path.exists(part):
                os.remove(part)

    def restore(self, work: str) -> Optional[Dict[str, Any]]:
        """The draft of that name; None where there is none. One that cannot be read is set aside, not deleted."""
        found = self._read(self._path(work))
        return None if found is None or found["work"] != work else dict(found["draft"])

    def remove(self, work: str) -> None:
        """Forget a draft, as its work is on the server or was undone."""
        try:
            os.remove(self._path(work))
        except FileNotFoundError:
            return

    def _path(self, work: str) -> str:
        # A hash: a case's name may hold what no file name may, and no patient's name should stand in a folder listing.
        return os.path.join(self.folder, f"{hashlib.sha256(work.encode()).hexdigest()[:32]}.json")

    def _read(self, path: str) -> Optional[Dict[str, Any]]:
        try:
            with open(path, encoding="utf-8") as file:
                found = json.load(file)
            if isinstance(found, dict) and isinstance(found.get("draft"), dict) and "work" in found:
                return found
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            pass
        aside = f"{path}.damaged"
        try:
            os.replace(path, aside)
            logging.warning("PneumoScreen: a draft could not be read; it lies now at %s", aside)
        except OSError:
            logging.warning("PneumoScreen: the draft %s cannot be read", path)
        return None

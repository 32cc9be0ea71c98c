"""What of a studies folder belongs to it: what lies in it, and what links in it lead to where the site says so.

Whoever may put files into the folder must not thereby show the rest of the disk to its readers, and nothing that
stands there, however odd, may stop the server or break a list: it is passed over, and one line says why.
"""

import logging
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from ..studies.audit import case_digest
from ..studies.layout import FOLLOW_VARIABLE
from .hard_links import problem_of_hard_link

LEADS_OUT = "it is a link that leads out of the studies folder (the option --follow-links names where links may lead)"

logger = logging.getLogger(__name__)


class Fence:
    """Decides what is passed over.

    Args:
        studies: the studies folder.
        allowed: folders outside that links may lead to; default: those of the environment.

    Attributes:
        passed_over: why, by the path of each entry that was passed over so far.
    """

    def __init__(self, studies: Path, allowed: Sequence[Path] | None = None) -> None:
        if allowed is None:
            allowed = [Path(text) for text in os.environ.get(FOLLOW_VARIABLE, "").split(os.pathsep) if text]
        self._root = os.path.realpath(studies)
        self._inside = [self._root, *map(os.path.realpath, allowed)]
        self._owners = {os.geteuid(), os.stat(studies).st_uid} if hasattr(os, "geteuid") else None
        self.passed_over: dict[str, str] = {}

    def holds(self, path: str | Path) -> bool:
        """Whether a path leads to where images may lie, links and all."""
        real = os.path.realpath(path)
        return any(real == folder or real.startswith(folder.rstrip(os.sep) + os.sep) for folder in self._inside)

    def shows(self, path: str | Path) -> bool:
        """Whether a path may be served now: something else may have been put in its place since it was found."""
        try:
            return self.holds(path) and problem_of_hard_link(path, os.stat(path), self._owners) is None
        except OSError:
            return self.holds(path)  # it is gone, or may not be read: opening it says so

    def admits(self, path: str | Path) -> bool:
        """Whether a file or folder is taken; what is not is remembered and said once."""
        problem = self.problem_of(path)
        if problem is not None:
            self.pass_over(path, problem)
        return problem is None

    def pass_over(self, path: str | Path, reason: str) -> None:
        """Say once why an entry is not taken, without its name, which may be a patient's."""
        name = os.fspath(path)
        if self.passed_over.get(name) != reason:
            self.passed_over[name] = reason
            digest = case_digest(os.path.basename(name))
            logger.warning("an entry of the studies folder is passed over (%s): %s", digest, reason)
            logger.debug("%s is %r", digest, name)

    def problem_of(self, path: str | Path) -> str | None:
        """Why a file or folder is not taken; None where it is."""
        try:
            os.fspath(path).encode()
        except UnicodeEncodeError:
            return "its name is no UTF-8 text"
        try:
            status = os.lstat(path)
            if stat.S_ISLNK(status.st_mode):
                real = os.path.realpath(path, strict=True)
                if not self.holds(real):
                    return LEADS_OUT
                status = os.stat(real)
                if stat.S_ISDIR(status.st_mode) and Path(self._root).is_relative_to(real):
                    return "it is a link that leads in a circle"
        except OSError as error:
            return f"it cannot be opened ({error.strerror})"
        if stat.S_ISDIR(status.st_mode):
            return None if os.access(path, os.R_OK | os.X_OK) else "it is a folder that may not be entered"
        if not stat.S_ISREG(status.st_mode):
            return "it is a device, pipe or socket"
        if not os.access(path, os.R_OK):
            return "it may not be read"
        try:
            return problem_of_hard_link(path, status, self._owners)
        except OSError as error:
            return f"it cannot be opened ({error.strerror})"

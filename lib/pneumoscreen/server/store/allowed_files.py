"""What of a studies folder belongs to it: what lies in it, and what links in it lead to where the site says so.

Whoever may put files into the folder must not thereby show the rest of the disk to its readers, and nothing that
stands there, however odd, may stop the server or break a list: it is passed over, and one line says why.

A hard link is a second name of a file that may lie anywhere on the same disk; where the other names are cannot be told.
Sites keep scans under two names to save room, so a scan of the server's account or of the folder's owner is offered.
But the server's account can read what nobody may see (tokens, keys), and where the kernel does not forbid it
(``fs.protected_hardlinks``) anybody may give that a name in the folder. So such a file is offered only if it begins as
its name says, and one of any other owner not at all.
"""

import logging
import os
import re
import stat
import zlib
from collections.abc import Sequence, Set
from pathlib import Path

from ...images.dicom_start import looks_like_dicom
from ...studies.audit import case_digest
from ...studies.layout import FOLLOW_VARIABLE, PICTURE_ENDINGS

FOREIGN = "it is a hard link to a file of another owner"
OTHER_CONTENT = "it is a hard link to a file that is not what its name says"

_LOOKED_AT = 4096
"""Bytes; ours."""
_PICTURE = re.compile(rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|II\*\0|MM\0\*|BM")
_BEGINNINGS = {
    ".nii": re.compile(rb"\x5c\x01\0\0|\0\0\x01\x5c|\x1c\x02\0\0|\0\0\x02\x1c"),  # 348 or 540, the header's length
    ".nrrd": re.compile(rb"NRRD000"),
    ".mha": re.compile(rb"(ObjectType|NDims)\s*="),
    ".json": re.compile(rb'\s*\{[^{}\[\]]*"schema"\s*:\s*"pneumoscreen\.case/'),
    **dict.fromkeys(PICTURE_ENDINGS, _PICTURE),
}


def problem_of_hard_link(path: str | Path, status: os.stat_result, owners: Set[int] | None) -> str | None:
    """Why a hard link is not taken; None where it is, and for whatever is no file or has one name only.

    Args:
        path: of the file.
        status: what the system says of it.
        owners: accounts whose files may have a name here; None where the system knows none.
    """
    if not stat.S_ISREG(status.st_mode) or status.st_nlink < 2:
        return None
    if owners is not None and status.st_uid not in owners:
        return FOREIGN
    return None if _begins_as_named(Path(path)) else OTHER_CONTENT


def _begins_as_named(path: Path) -> bool:
    """Whether a file begins as files of its ending do; one with no ending of ours is a DICOM file or nothing."""
    name = path.name.lower()
    packed = name.endswith(".nii.gz")
    expected = _BEGINNINGS.get(".nii" if packed else path.suffix.lower())
    if expected is None:
        return looks_like_dicom(path)
    with path.open("rb") as file:
        start = file.read(_LOOKED_AT)
    return expected.match(_unpacked(start) if packed else start) is not None


def _unpacked(start: bytes) -> bytes:
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(start, _LOOKED_AT)
    except zlib.error:
        return start


LEADS_OUT = "it is a link that leads out of the studies folder (the option --follow-links names where links may lead)"

logger = logging.getLogger(__name__)


class AllowedFiles:
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

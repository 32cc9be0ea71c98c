"""Upload sessions that unpack only what stays inside their own folder, and hold no more than the site allows."""

import json
import os
import re
import shutil
import tempfile
import threading
import time
from pathlib import Path

from monailabel.utils.sessions import SessionInfo, Sessions

from ...limits import MEBIBYTE, Limits, variable_of
from ..failures import RequestError, UnknownError
from .reading import Reading
from .unpacking import ArchiveLimits, LargeArchiveError


class CheckedSessions(Sessions):
    """MONAI Label's sessions; an archive is unpacked without its power over other folders.

    Args:
        store_path: where sessions are kept.
        expiry: seconds after which an unused one is removed.
        limits: of archives, and of all sessions together.
        reading: unpacks archives.
    """

    def __init__(
        self, store_path: str = "", expiry: int = 3600, limits: Limits | None = None, reading: Reading | None = None
    ) -> None:
        super().__init__(store_path, expiry)
        self._limits = limits or Limits.of_environment()
        self._reading = reading or Reading()
        self._counting = threading.Lock()

    def add_session(
        self, data_file: str, expiry: int = 0, uncompress: bool = False, session_id: str | None = None
    ) -> tuple[str, SessionInfo]:
        """Store an uploaded file, or what an uploaded archive holds, as a session.

        Raises:
            RequestError: if the archive is none, holds what is not taken, or there is no room for it.
        """
        limit = self._limits.max_session_mb * MEBIBYTE
        if not uncompress:
            if _bytes_below(Path(data_file)) > limit:
                raise LargeArchiveError(f"a session holds at most {limit // MEBIBYTE} MB; upload less")
            return self._add_within_quota(data_file, expiry, session_id)
        folder = tempfile.mkdtemp(prefix="pneumoscreen-session-")
        try:
            self._reading.unpack(Path(data_file), Path(folder), ArchiveLimits(self._limits.max_archive_files, limit))
            return self._add_within_quota(folder, expiry, session_id)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def get_session(self, session_id: str, update_ts: bool = True, fetch_cache: bool = True) -> SessionInfo | None:
        """A session; None where there is none, or only what a killed server or a removal has left of one."""
        try:
            return super().get_session(session_id, update_ts, fetch_cache)
        except (FileNotFoundError, ValueError):  # it is removed just now, or its description is damaged
            return None

    def remove_session(self, session_id: str) -> None:
        """Remove a session and its files; two that do so at once do not meet."""
        self.pop(session_id, None)
        shutil.rmtree(os.path.join(self.store_path, session_id), ignore_errors=True)

    def remove_expired(self) -> int:
        """Remove what nobody used for too long, also what is no whole session; returns how many there were."""
        now, count = time.time(), 0
        for name in os.listdir(self.store_path) if os.path.isdir(self.store_path) else ():
            folder = Path(self.store_path, name)
            session = self.get_session(name, update_ts=False, fetch_cache=False)
            if not folder.is_dir():
                continue
            if session is not None:
                used, expiry = session.last_access_ts, session.expiry
            else:  # another server of this account may be making one there: it is given its time
                used, expiry = _changed(folder), self.expiry
            if 0 < expiry < now - used:
                self.remove_session(name)
                count += 1
        return count

    def _write_meta_info(self, session_id: str, session_info: SessionInfo) -> None:
        # As a whole: another request may read it now.
        folder = Path(self.store_path, session_id)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=folder, prefix=".meta-", delete=False) as meta:
            json.dump(session_info.to_json(), meta)
        os.replace(meta.name, folder / "meta.info")

    def _add_within_quota(self, data: str, expiry: int, session_id: str | None) -> tuple[str, SessionInfo]:
        # One at a time: two that are counted together would both find room.
        with self._counting:
            self.remove_expired()
            quota = self._limits.max_sessions_mb * MEBIBYTE
            if _bytes_below(Path(self.store_path)) + _bytes_below(Path(data)) > quota:
                raise FullError(
                    f"the server's sessions hold {self._limits.max_sessions_mb} MB already, which is all they may; "
                    f"delete one or wait for one to expire ({variable_of('max_sessions_mb')})"
                )
            return super().add_session(data, expiry, False, session_id)


class FullError(RequestError):
    """No room for more until something is deleted."""

    status = 507


def _changed(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except FileNotFoundError:
        return 0.0  # it was removed meanwhile


def _bytes_below(place: Path) -> int:
    """Bytes of a file, or of all files below a folder; links count as nothing."""
    if not place.is_dir():
        return place.lstat().st_size if place.exists() else 0
    total = 0
    for folder, _, names in os.walk(place):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_size
            except OSError:
                continue  # it was removed meanwhile
    return total


def image_of(sessions: Sessions | None, session_id: str) -> Path:
    """The scan that a session holds.

    Raises:
        UnknownError: if there is no such session.
    """
    known = re.fullmatch(r"[0-9a-f-]{36}", session_id)
    session = sessions.get_session(session_id) if sessions is not None and known else None
    if session is None:
        raise UnknownError(f"there is no session {session_id}; it may have expired, create it again")
    return Path(session.image)

"""Upload sessions that unpack only what stays inside their own folder."""

import shutil
import tarfile
import tempfile
import zipfile
from pathlib import Path

from monailabel.utils.sessions import SessionInfo, Sessions

from .failures import RequestError


class CheckedSessions(Sessions):
    """MONAI Label's sessions; an archive is unpacked without its power over other folders."""

    def add_session(
        self, data_file: str, expiry: int = 0, uncompress: bool = False, session_id: str | None = None
    ) -> tuple[str, SessionInfo]:
        """Store an uploaded file, or what an uploaded archive holds, as a session.

        Raises:
            RequestError: if the archive is none, or wants to write outside its folder.
        """
        if not uncompress:
            return super().add_session(data_file, expiry, False, session_id)
        folder = tempfile.mkdtemp(prefix="pneumoscreen-session-")
        try:
            if zipfile.is_zipfile(data_file):
                shutil.unpack_archive(data_file, folder, "zip")
            else:
                with tarfile.open(data_file) as archive:
                    archive.extractall(folder, filter="data")
        except (OSError, ValueError, EOFError, tarfile.TarError, zipfile.BadZipFile) as error:
            shutil.rmtree(folder, ignore_errors=True)
            reason = str(error).replace(data_file, Path(data_file).name)
            raise RequestError(f"the archive {Path(data_file).name} cannot be unpacked: {reason}") from None
        return super().add_session(folder, expiry, False, session_id)

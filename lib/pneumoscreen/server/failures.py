"""Which HTTP status a failure has, and the errors that only a server can make."""

import os
import re
import shutil
import tempfile

from ..errors import Cancelled, ConfigError, ModelError, PneumoScreenError


class RequestError(PneumoScreenError):
    """A request that cannot be served as it stands."""

    status = 422


class UnknownError(RequestError):
    """Something that the request names is not there."""

    status = 404


class ForbiddenError(RequestError):
    """Something that this speaker may not do, or not yet."""

    status = 403


class BusyError(RequestError):
    """Work of a kind of which one is done at a time, and one is being done."""

    status = 429


class TooLargeError(RequestError):
    """More bytes than the server's limits allow."""

    status = 413


class ServeError(PneumoScreenError):
    """The server cannot be started."""


_LEAST_ROOM = 1 << 20
FULL_DISK = "the server's disk is full or may not be written to; what was sent is not kept, ask its administrator"


def may_write(folder: str) -> bool:
    """Whether the account that the server runs under may write to a folder."""
    return os.access(folder, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids)


def may_not_write(error: BaseException, studies: str) -> bool:
    """Whether a failure is that of an account that may not write to the studies folder, or of a file in the way."""
    if isinstance(error, (NotADirectoryError, FileExistsError)):
        # Somebody put a file where the server keeps a folder of its own.
        return str(error.filename or "").startswith(os.path.join(studies, "")) and not os.path.isdir(error.filename)
    return isinstance(error, PermissionError) and not may_write(studies)


def has_no_room(studies: str) -> bool:
    """Whether the disk of the studies or of the temporary files is full; libraries do not say so when they fail."""
    for folder in (studies, tempfile.gettempdir()):
        try:
            if shutil.disk_usage(folder).free < _LEAST_ROOM:
                return True
        except OSError:
            continue  # an address of a DICOMweb server
    return False


def kind_of(error: Exception) -> str:
    """A failure's kind in one word, for counters: ``no_lungs`` of ``NoLungsError``."""
    name = type(error).__name__.removesuffix("Error")
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def status_of(error: Exception) -> int:
    """The HTTP status of an error whose message may be shown to the client."""
    # Here and not above: what stops a start (`ServeError`) must not wait for torch.
    from ..models.store import NothingBeforeError, UnknownModelError
    from ..studies.annotations import ConflictError, NoVersionError, StorageError

    if isinstance(error, RequestError):
        return error.status
    if isinstance(error, (UnknownModelError, NoVersionError)):
        return 404
    if isinstance(error, (Cancelled, NothingBeforeError, ConflictError)):
        return 409
    if isinstance(error, (ModelError, ConfigError, StorageError)):
        return 503  # the site's to mend, not the client's
    return 422

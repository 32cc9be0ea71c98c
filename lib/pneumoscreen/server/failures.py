"""Which HTTP status a failure has, and the errors that only a server can make."""

import errno

from ..errors import Cancelled, ConfigError, ModelError, PneumoScreenError


class RequestError(PneumoScreenError):
    """A request that cannot be served as it stands."""

    status = 422


class UnknownError(RequestError):
    """Something that the request names is not there."""

    status = 404


class BusyError(RequestError):
    """Work of a kind of which one is done at a time, and one is being done."""

    status = 429


class TooLargeError(RequestError):
    """More bytes than the server's limits allow."""

    status = 413


class ServeError(PneumoScreenError):
    """The server cannot be started."""


def is_full_disk(error: BaseException) -> bool:
    """Whether a disk that is full or may not be written to is the reason of a failure."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


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

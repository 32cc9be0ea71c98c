"""Which HTTP status a failure has, and the errors that only a server can make."""

from ..errors import Cancelled, ConfigError, ModelError, PneumoScreenError


class RequestError(PneumoScreenError):
    """A request that cannot be served as it stands."""

    status = 422


class UnknownError(RequestError):
    """Something that the request names is not there."""

    status = 404


class ServeError(PneumoScreenError):
    """The server cannot be started."""


def status_of(error: Exception) -> int:
    """The HTTP status of an error whose message may be shown to the client."""
    if isinstance(error, RequestError):
        return error.status
    if isinstance(error, Cancelled):
        return 409
    if isinstance(error, (ModelError, ConfigError)):
        return 503  # the site's to mend, not the client's
    return 422

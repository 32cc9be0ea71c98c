"""Why a question to the server brought nothing, always as one plain sentence with the remedy."""

import http.client
from typing import Any, Dict, Optional

import requests

UNREACHABLE, TIMEOUT, TLS = "unreachable", "timeout", "tls"
DENIED, MISSING, CONFLICT, REFUSED = "denied", "missing", "conflict", "refused"
FAULT, RUBBISH, CANCELLED = "fault", "rubbish", "cancelled"

_UNKNOWN_ROUTES = ("Not Found", "Method Not Allowed")
_SHOWN = 400
_NO_AUTHORITY = "The file of the certificate authority cannot be read; choose it again under Connect."


class ServerError(Exception):
    """The server refused, failed or is not there; ``str(error)`` is shown as it is.

    Attributes:
        kind: unreachable, timeout, tls, denied, missing, conflict, refused, fault, rubbish or cancelled.
        status: HTTP status, where the server answered.
        detail: what it answered beyond the sentence, such as the other version of a conflict.
    """

    def __init__(
        self, kind: str, sentence: str, status: Optional[int] = None, detail: Optional[Dict[str, Any]] = None
    ) -> None:
        super().__init__(sentence)
        self.kind, self.status, self.detail = kind, status, detail or {}


def cancelled(what: str = "This") -> ServerError:
    """What the reader stopped."""
    return ServerError(CANCELLED, f"{what} was cancelled.")


def rubbish(address: str, status: Optional[int] = None) -> ServerError:
    """An answer that no PneumoScreen server gives."""
    return ServerError(
        RUBBISH,
        f"What answers at {address} cannot be understood; check that this is the address of a PneumoScreen server.",
        status,
    )


def late(address: str, limit_s: float) -> ServerError:
    """A server that takes too long."""
    return ServerError(
        TIMEOUT, f"The server at {address} did not answer within {limit_s:g} s; nothing is lost, try again in a while."
    )


def of_exception(error: Exception, address: str, limit_s: float) -> ServerError:
    """What kept a question from getting any answer.

    Args:
        error: of ``requests`` or below it.
        address: of the server.
        limit_s: how long it was waited for.
    """
    inner = error.args[0] if error.args else None
    names = {type(each).__name__ for each in (error, inner)}
    said = str(error)
    if isinstance(error, requests.exceptions.SSLError):
        if "WRONG_VERSION_NUMBER" in said:
            return ServerError(TLS, f"The server at {address} does not speak HTTPS; begin its address with http://.")
        return _untrusted(said, address)
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return _unreachable(address, "it does not answer")
    if isinstance(error, requests.exceptions.Timeout) or "ReadTimeoutError" in names:
        return late(address, limit_s)
    url_errors = (
        requests.exceptions.InvalidURL,
        requests.exceptions.MissingSchema,
        requests.exceptions.InvalidSchema,
        UnicodeError,
    )
    if isinstance(error, url_errors):
        return ServerError(
            UNREACHABLE, f"{address!r} is no address of a server; write it like http://127.0.0.1:8000 under Connect."
        )
    is_http_error = isinstance(inner, http.client.HTTPException) or any(
        isinstance(each, http.client.HTTPException) and not isinstance(each, ConnectionError)
        for each in getattr(inner, "args", ())
    )
    if isinstance(error, (http.client.HTTPException, requests.exceptions.ContentDecodingError)) or (
        is_http_error and "RemoteDisconnected" not in said and "IncompleteRead" not in said
    ):
        return rubbish(address)
    if isinstance(error, OSError) and "TLS CA certificate" in said:
        return ServerError(TLS, _NO_AUTHORITY)
    if "refused" in said or "10061" in said:
        return _unreachable(address, "nothing listens there")
    if "NameResolution" in said or "resolve" in said or "getaddrinfo" in said:
        return _unreachable(address, "no computer of this name is known")
    if {"ProtocolError", "ChunkedEncodingError"} & names:
        return _unreachable(address, "the connection broke off")
    return _unreachable(address, "the network does not lead there")


def of_response(status: int, content: Any, address: str, has_token: bool) -> ServerError:
    """What a refusing or failing answer means.

    Args:
        status: HTTP status, 300 or more.
        content: of the answer as JSON values; None where it was none.
        address: of the server.
        has_token: whether a token was sent.
    """
    said = _detail_of(content)
    detail = content if isinstance(content, dict) else {}
    if status < 400:
        return ServerError(
            RUBBISH, f"The server at {address} sends its clients elsewhere; enter that address under Connect.", status
        )
    if status == 401:
        remedy = "check the token under Connect" if has_token else "enter your API token under Connect"
        reason = f" ({said})" if said else ""
        return ServerError(DENIED, f"The server did not let you in{reason}; {remedy}.", status, detail)
    if status == 403:
        reason = said or "it does not allow this to you"
        return ServerError(DENIED, f"The server refused: {reason}; ask its administrator.", status, detail)
    if status in (404, 405):
        if said is None or said in _UNKNOWN_ROUTES:
            text = f"The server at {address} does not offer this; check the address, or ask for a newer one."
            return ServerError(MISSING, text, status, detail)
        return ServerError(MISSING, _sentence(said), status, detail)
    if status == 409:
        text = said or "somebody else changed this meanwhile; look at it again before you go on"
        return ServerError(CONFLICT, _sentence(text), status, detail)
    if status < 500:
        text = said or f"the server did not accept this (status {status}); ask its administrator to look into the log"
        return ServerError(REFUSED, _sentence(text), status, detail)
    reason = f" ({said})" if said else f" (status {status})"
    return ServerError(
        FAULT,
        f"The server failed at this{reason}; nothing is lost, try again or tell its administrator.",
        status,
        detail,
    )


def _untrusted(said: str, address: str) -> ServerError:
    """Why a certificate was not believed, by what OpenSSL said of it."""
    if "VERIFY_FAILED" not in said and ("X509" in said or "PEM" in said):
        return ServerError(TLS, _NO_AUTHORITY)
    if "has expired" in said or "not yet valid" in said:
        reason = "is not valid today; check this computer's clock, or ask the administrator for a new one"
    elif "mismatch" in said or "doesn't match" in said:
        reason = "is made out to another name; write the address under Connect as the administrator gave it"
    else:
        reason = (
            "could not be verified; choose the file of your site's certificate authority under Connect, "
            "or ask the administrator"
        )
    return ServerError(TLS, f"The certificate of the server at {address} {reason}.")


def _unreachable(address: str, reason: str) -> ServerError:
    return ServerError(
        UNREACHABLE,
        f"The server at {address} cannot be reached ({reason}); nothing is lost, "
        "check that it runs and that the address is right, then try again.",
    )


def _detail_of(content: Any) -> Optional[str]:
    said = content.get("detail") if isinstance(content, dict) else None
    text = " ".join(said.split()).rstrip(".") if isinstance(said, str) else ""
    return text[:_SHOWN] or None


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."

"""Why a question to the server brought nothing, always as one plain sentence with the remedy."""

import http.client
from typing import Any, Dict, Optional

import requests

from .sentences import of_server, said, whole

UNREACHABLE, TIMEOUT, TLS = "unreachable", "timeout", "tls"
DENIED, MISSING, CONFLICT, REFUSED = "denied", "missing", "conflict", "refused"
FAULT, RUBBISH, CANCELLED = "fault", "rubbish", "cancelled"

_UNKNOWN_ROUTES = ("Not Found", "Method Not Allowed")
_SHOWN = 400


class ServerError(Exception):
    """The server refused, failed or is not there; ``str(error)`` is shown as it is.

    Attributes:
        sentence: what is shown; with a ``wire`` where it is one of ``SENTENCES``.
        kind: unreachable, timeout, tls, denied, missing, conflict, refused, fault, rubbish or cancelled.
        status: HTTP status, where the server answered.
        detail: what it answered beyond the sentence, such as the other version of a conflict.
    """

    def __init__(
        self, kind: str, sentence: str, status: Optional[int] = None, detail: Optional[Dict[str, Any]] = None
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.kind, self.status, self.detail = kind, status, detail or {}


def cancelled(name: str = "cancelled") -> ServerError:
    """What the reader stopped, by the name of its sentence."""
    return ServerError(CANCELLED, said(name))


def rubbish(address: str, status: Optional[int] = None) -> ServerError:
    """An answer that no PneumoScreen server gives."""
    return ServerError(RUBBISH, said("rubbish", address=address), status)


def late(address: str, limit_s: float) -> ServerError:
    """A server that takes too long."""
    return ServerError(TIMEOUT, said("late", address=address, limit=f"{limit_s:g}"))


def of_exception(error: Exception, address: str, limit_s: float) -> ServerError:
    """What kept a question from getting any answer.

    Args:
        error: of ``requests`` or below it.
        address: of the server.
        limit_s: how long it was waited for.
    """
    inner = error.args[0] if error.args else None
    names = {type(each).__name__ for each in (error, inner)}
    told = str(error)
    if isinstance(error, requests.exceptions.SSLError):
        if "WRONG_VERSION_NUMBER" in told:
            return ServerError(TLS, said("no_https", address=address))
        return _untrusted(told, address)
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return _unreachable(address, "silent")
    if isinstance(error, requests.exceptions.Timeout) or "ReadTimeoutError" in names:
        return late(address, limit_s)
    url_errors = (
        requests.exceptions.InvalidURL,
        requests.exceptions.MissingSchema,
        requests.exceptions.InvalidSchema,
        UnicodeError,
    )
    if isinstance(error, url_errors):
        return ServerError(UNREACHABLE, said("no_address", address=repr(address)))
    is_http_error = isinstance(inner, http.client.HTTPException) or any(
        isinstance(each, http.client.HTTPException) and not isinstance(each, ConnectionError)
        for each in getattr(inner, "args", ())
    )
    if isinstance(error, (http.client.HTTPException, requests.exceptions.ContentDecodingError)) or (
        is_http_error and "RemoteDisconnected" not in told and "IncompleteRead" not in told
    ):
        return rubbish(address)
    if isinstance(error, OSError) and "TLS CA certificate" in told:
        return ServerError(TLS, said("no_authority"))
    if "refused" in told or "10061" in told:
        return _unreachable(address, "nobody_listens")
    if "NameResolution" in told or "resolve" in told or "getaddrinfo" in told:
        return _unreachable(address, "no_such_name")
    if {"ProtocolError", "ChunkedEncodingError"} & names:
        return _unreachable(address, "broken_off")
    return _unreachable(address, "no_way")


def of_response(status: int, content: Any, address: str, has_token: bool) -> ServerError:
    """What a refusing or failing answer means.

    Args:
        status: HTTP status, 300 or more.
        content: of the answer as JSON values; None where it was none.
        address: of the server.
        has_token: whether a token was sent.
    """
    told = _detail_of(content)
    detail = content if isinstance(content, dict) else {}
    if status < 400:
        return ServerError(RUBBISH, said("elsewhere", address=address), status)
    if status == 401:
        reason = said("reason", reason=told) if told else ""
        return ServerError(DENIED, said("not_let_in" if has_token else "token_wanted", reason=reason), status, detail)
    if status == 403:
        return ServerError(DENIED, said("forbidden", reason=told or said("not_allowed")), status, detail)
    if status in (404, 405):
        if told is None or told in _UNKNOWN_ROUTES:
            return ServerError(MISSING, said("not_offered", address=address), status, detail)
        return ServerError(MISSING, whole(told), status, detail)
    if status == 409:
        return ServerError(CONFLICT, whole(told) if told else said("changed"), status, detail)
    if status < 500:
        text = whole(told) if told else said("not_accepted", status=status)
        return ServerError(REFUSED, text, status, detail)
    return ServerError(FAULT, said("failed", reason=told or said("status", status=status)), status, detail)


def _untrusted(told: str, address: str) -> ServerError:
    """Why a certificate was not believed, by what OpenSSL said of it."""
    if "VERIFY_FAILED" not in told and ("X509" in told or "PEM" in told):
        return ServerError(TLS, said("no_authority"))
    if "has expired" in told or "not yet valid" in told:
        name = "certificate_dated"
    else:
        is_of_another = "mismatch" in told or "doesn't match" in told
        name = "certificate_of_another" if is_of_another else "certificate_unknown"
    return ServerError(TLS, said(name, address=address))


def _unreachable(address: str, reason: str) -> ServerError:
    """By the name of the reason's words."""
    return ServerError(UNREACHABLE, said("unreachable", address=address, reason=said(reason)))


def _detail_of(content: Any) -> Optional[str]:
    told = content.get("detail") if isinstance(content, dict) else None
    text = " ".join(told.split()).rstrip(".") if isinstance(told, str) else ""
    return of_server(text[:_SHOWN]) or None

"""Requests to one server over HTTP: timeouts, a few retries of what only reads, and failures in plain words.

Thread contract: nothing is shared between requests; any number of threads may use one ``Transport``.
"""

import http.client
import json
import time
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, Optional
from urllib.parse import urlsplit

import requests

from . import failures
from .failures import ServerError
from .sentences import said

CONNECT_S = 5.0
ANSWER_S = 60.0
PAUSES_S = (0.3, 0.8)
"""Before each retry of a request that only reads."""

LARGEST_ANSWER = 64 * 1024 * 1024
"""Bytes; the worklist of 100 000 cases has less."""

_WHOLE = 4.0
"""An answer that comes in drops may take so many times the time of the first byte."""

_PASSING = (502, 503, 504)
_CHUNK, _SMALL_CHUNK = 1 << 18, 1 << 12
_BELOW_REQUESTS = (requests.RequestException, http.client.HTTPException, OSError, ValueError)


class Transport:
    """Sends requests to one address.

    Args:
        address: such as ``http://127.0.0.1:8000``; ``http://`` may be left out.
        token: API token, where the server asks for one.
        ca_file: file of the authorities that the server's certificate is checked by; default: the usual ones.
        connect_s: seconds to wait for a connection.
        answer_s: seconds to wait for the answer to an ordinary request.

    Raises:
        ServerError: if address or token cannot be one.
    """

    def __init__(
        self,
        address: str,
        token: Optional[str] = None,
        ca_file: Optional[str] = None,
        connect_s: float = CONNECT_S,
        answer_s: float = ANSWER_S,
    ) -> None:
        self.address = _normal(address)
        self.connect_s, self.answer_s = connect_s, answer_s
        self._token, self._verify = (token or "").strip() or None, ca_file or True
        if self._token is not None and not (self._token.isascii() and self._token.isprintable()):
            raise ServerError(failures.DENIED, said("token_unfit"))

    def json(self, method: str, path: str, answer_s: Optional[float] = None, **more: Any) -> Any:
        """The JSON values that the server answers.

        Args:
            method: of HTTP.
            path: with a leading slash.
            answer_s: seconds to wait for the answer; ``float("inf")`` without end.
            more: what else ``requests`` takes.

        Raises:
            ServerError: if there is no such answer.
        """
        with self.stream(method, path, answer_s, **more) as response:
            content = self._read(response, self.answer_s if answer_s is None else answer_s)
        try:
            return json.loads(content.decode("utf-8"))
        except (ValueError, RecursionError):
            raise failures.rubbish(self.address, response.status_code) from None

    def is_there(self, path: str, **more: Any) -> bool:
        """Whether ``HEAD`` finds something at a path.

        Raises:
            ServerError: if the server fails or refuses for another reason.
        """
        try:
            with self.stream("HEAD", path, **more):
                return True
        except ServerError as error:
            if error.kind == failures.MISSING:
                return False
            raise

    @contextmanager
    def stream(
        self, method: str, path: str, answer_s: Optional[float] = None, **more: Any
    ) -> Iterator[requests.Response]:
        """A successful answer whose content is still to be read, with failures of reading it in plain words too.

        Raises:
            ServerError: if it is none.
        """
        limit = self.answer_s if answer_s is None else answer_s
        try:
            with self._send_and_retry(method, path, limit, more) as response:
                if response.status_code >= 300:
                    content = self._read(response, limit)
                    raise failures.of_response(
                        response.status_code, _values_of(content), self.address, self._token is not None
                    )
                yield response
        except _BELOW_REQUESTS as error:
            raise failures.of_exception(error, self.address, limit) from None

    def chunks(self, response: requests.Response, size: int = _CHUNK) -> Iterator[bytes]:
        """The content of an answer in pieces of so many bytes."""
        return iter(response.iter_content(size))

    def _send_and_retry(self, method: str, path: str, limit: float, more: Dict[str, Any]) -> requests.Response:
        pauses = PAUSES_S if method in ("GET", "HEAD") else ()
        for pause in pauses:
            try:
                response = self._send(method, path, limit, more)
            except requests.exceptions.SSLError:
                raise
            except requests.exceptions.ConnectionError as error:
                if isinstance(error, requests.exceptions.Timeout):
                    raise
            else:
                if response.status_code not in _PASSING:
                    return response
                response.close()
            time.sleep(pause)
        return self._send(method, path, limit, more)

    def _send(self, method: str, path: str, limit: float, more: Dict[str, Any]) -> requests.Response:
        # Never sent elsewhere: a redirection could take the token, or one of ~/.netrc, to another host.
        return requests.request(
            method,
            self.address + path,
            timeout=(self.connect_s, None if limit == float("inf") else limit),
            auth=self._sign,
            verify=self._verify,
            allow_redirects=False,
            stream=True,
            **more,
        )

    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        # As `auth` and not as a header: requests would put what ~/.netrc has for the host in a header's place.
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def _read(self, response: requests.Response, limit: float) -> bytes:
        parts, size, end = [], 0, time.monotonic() + _WHOLE * limit
        for part in self.chunks(response, _SMALL_CHUNK):
            parts.append(part)
            size += len(part)
            if size > LARGEST_ANSWER:
                raise failures.rubbish(self.address, response.status_code)
            if time.monotonic() > end:
                raise failures.late(self.address, _WHOLE * limit)
        return b"".join(parts)


def _values_of(content: bytes) -> Any:
    try:
        return json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        return None


def _normal(address: str) -> str:
    """The address with a scheme and without a slash at its end.

    Raises:
        ServerError: if it cannot be one.
    """
    text = address.strip()
    full = (text if "://" in text else f"http://{text}").rstrip("/")
    try:
        parts = urlsplit(full)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one or any(character.isspace() for character in full) or parts.username is not None:
        raise ServerError(failures.UNREACHABLE, said("no_address", address=repr(address)))
    return full


Progress = Callable[[str, Optional[float]], None]
Cancelled = Callable[[], bool]

"""Where a PACS is, how it knows who asks, and the HTTP session in which it is asked."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth
from urllib3.util.retry import Retry

from ..errors import ConfigError
from ..limits import MEBIBYTE
from .choices import PASSWORD, TOKEN

PASSING_STATUS = (429, 502, 503, 504)
_TIMEOUT_S = (10.0, 120.0)
"""Ours: to connect, and between two packets: a PACS may have to fetch a study from its archive."""
_MOST_JSON = 64 * MEBIBYTE
"""Ours, of one answer that is no image."""


@dataclass(frozen=True)
class Access:
    """Where a PACS is and how it knows who asks.

    Attributes:
        url: of its DICOMweb service.
        user: name for basic authentication, with ``password``.
        token: bearer token, instead of user and password.
        ca_file: certificates that its own is checked with, in place of the system's.
        client_cert: certificate (with key) that it asks for.
        address_option, option: what names the address, and what begins the names of the other options, in sentences.
    """

    url: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    client_cert: Path | None = None
    address_option: str = "--pacs"
    option: str = "--"

    @classmethod
    def of_options(
        cls, url: str, user: str | None, ca_file: Path | None, client_cert: Path | None, address_option: str = "--pacs"
    ) -> "Access":
        """The access that options give, with the password or token of the environment."""
        password, token = os.environ.get(PASSWORD), os.environ.get(TOKEN) or None
        return cls(url, user, password, token, _absolute(ca_file), _absolute(client_cert), address_option)


def _absolute(file: Path | None) -> Path | None:
    """Processes that begin in another folder find the file, too."""
    return None if file is None else file.absolute()


def session_of(access: Access, retries: int, backoff_s: float) -> requests.Session:
    """A session with a PACS.

    Args:
        access: where it is, and who asks.
        retries: how often a request that met a passing fault is repeated before it counts as failed.
        backoff_s: before the second repetition; each further one waits twice as long.

    Raises:
        ConfigError: if the address is none, or the ways to authenticate do not go together.
    """
    _check(access)
    session = requests.Session()
    retry = Retry(
        total=retries,
        backoff_factor=backoff_s,
        status_forcelist=PASSING_STATUS,
        allowed_methods=None,  # storing twice stores once: the UIDs are the same
        raise_on_status=False,
    )
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter(access.ca_file, retry))
    if access.token:
        session.auth = _Bearer(access.token)
    elif access.user:
        session.auth = HTTPBasicAuth(access.user.encode(), (access.password or "").encode())
    if access.client_cert is not None:
        session.cert = str(access.client_cert)
    return session


class _Bearer(AuthBase):
    """A token; as ``auth`` of a session, since a user's ``.netrc`` would take the place of a header."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class _Adapter(HTTPAdapter):
    """No request waits for ever, and what is named here goes before ``REQUESTS_CA_BUNDLE``."""

    def __init__(self, ca_file: Path | None, retry: Retry) -> None:
        self._ca_file = ca_file
        super().__init__(max_retries=retry)

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        if options.get("timeout") is None:
            options["timeout"] = _TIMEOUT_S
        if self._ca_file is not None:
            options["verify"] = str(self._ca_file)
        response = super().send(request, **options)
        if not options.get("stream"):
            _limit(response, _MOST_JSON)
        return response


def _limit(response: requests.Response, most: int) -> None:
    """Let no more of a body be read than so many bytes, unpacked."""
    raw: Any = response.raw
    stream = raw.stream

    def limited(*arguments: Any, **options: Any) -> Iterator[bytes]:
        read = 0
        for chunk in stream(*arguments, **options):
            read += len(chunk)
            if read > most:
                raise ValueError("the answer is too large")
            yield chunk

    raw.stream = limited


def _check(access: Access) -> None:
    try:
        parts = urlsplit(access.url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_address = False
    if not is_address:
        raise ConfigError(
            f"{access.address_option}: is no address of a DICOMweb service; give one such as "
            "https://pacs.clinic.org/dicom-web"
        )
    if parts.username or parts.password:
        raise ConfigError(
            f"{access.address_option}: holds a user or password, which others could read; "
            f"use {access.option}user and the environment"
        )
    if access.token and access.user:
        raise ConfigError(f"{access.option}user: does not go with a token; leave one of them out")
    for option, file in (("ca-file", access.ca_file), ("client-cert", access.client_cert)):
        if file is not None and not file.is_file():
            raise ConfigError(f"{access.option}{option} {file}: is no file; name an existing one")

"""Puts the access layer into the application: tokens, realm, audit log, and the user of stock endpoints."""

import math
import threading
import time
from collections.abc import Collection
from pathlib import Path

from fastapi import FastAPI
from monailabel.config import settings
from monailabel.endpoints.user.auth import get_current_user

from ...studies.audit import AuditLog, Detail
from ..access.live_tokens import LiveTokens
from ..access.middleware import AccessMiddleware, Gatekeeper
from ..access.oidc import Realm
from ..access.tokens import configured_file
from ..services import Services
from .routes.identity import stock_user

_PAUSE_S = 10.0
_MOST_KINDS = 1000


def guard(web: FastAPI, app: Services, origins: Collection[str]) -> Realm | None:
    """Put the access layer around the routes of an application.

    Args:
        web: the application; what is added to it later stands outside of it.
        app: whose studies keep the audit log.
        origins: origins that the site allows.

    Returns:
        The realm of MONAI Label's OIDC; None where it is switched off.

    Raises:
        TokensError: if the token file is damaged: the server must not start without it.
    """
    tokens = LiveTokens(configured_file())
    tokens.refresh()
    realm = Realm.of_settings()
    is_folder = not app.studies.startswith(("http://", "https://"))
    record = RefusedAttempts(AuditLog(Path(app.studies))) if is_folder else None
    gatekeeper = Gatekeeper(tokens, realm, origins, settings.MONAI_LABEL_API_STR)
    web.add_middleware(AccessMiddleware, gatekeeper=gatekeeper, record=record)
    web.dependency_overrides[get_current_user] = stock_user
    return realm


class RefusedAttempts:
    """Writes refused attempts into the audit log.

    The same attempt is written at most once in ten seconds, with the number of those left out since: whoever knocks
    without end must not fill the disk that the annotations need.

    Args:
        log: the audit log.
    """

    def __init__(self, log: AuditLog) -> None:
        self._log = log
        self._guard = threading.Lock()
        self._seen: dict[tuple[Detail, ...], tuple[float, int]] = {}

    def __call__(self, reader: str, details: dict[str, Detail]) -> None:
        """Write an attempt down.

        Raises:
            OSError: if the log cannot be written.
        """
        kind = (reader, *details.values())
        with self._guard:
            written, left_out = self._seen.get(kind, (-math.inf, 0))
            if time.monotonic() - written < _PAUSE_S:
                self._seen[kind] = (written, left_out + 1)
                return
            if len(self._seen) >= _MOST_KINDS:
                self._seen.clear()
            self._seen[kind] = (time.monotonic(), 0)
        self._log.record(reader, "refused", None, **details, left_out=left_out)

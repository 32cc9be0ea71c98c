"""The access layer: who speaks is settled here, before any route, and nobody else is let in.

Three ways in, the first that is set up counts:

- tokens (``tokens``) and MONAI Label's OIDC (``oidc``), which may stand side by side: every request brings
  ``Authorization: Bearer <token>``, and the table in ``permissions`` says which role it needs;
- neither of them: the single user of this machine. Only connections on a loopback address are served, and only what a
  page of this server or a program may send: a web page elsewhere reaches loopback through its reader's browser, by a
  name that resolves to 127.0.0.1 (``Host`` tells) or by a cross-site request (``Origin`` and ``Sec-Fetch-Site`` tell).

The layer is plain ASGI and stands around the router, so no route can go past it. Only the answer to a CORS preflight,
which carries no data and by its rules no token, is given outside of it. The token is taken off the request here: no
route, log or proxy behind sees it.

Thread contract: all of it runs in the event loop; what waits (a realm, the audit log's disk) is sent to a thread.
"""

import logging
from collections.abc import Callable, Collection

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ...errors import PneumoScreenError
from ...studies.audit import Detail
from .identity import SINGLE_USER, Role, Speaker, set_speaker
from .live_tokens import LiveTokens
from .loopback import is_local_host, is_loopback
from .oidc import Realm, RealmError, TokenRefusedError
from .permissions import Rule, is_alive_question, is_login, is_open, path_of, rule_for
from .request_record import note_refusal
from .tokens import PREFIX, TokensError, command_to_make_one

NOBODY = "nobody"
"""Stands in the audit log for whoever could not say who they are."""

_ASKERS = 4
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
_VISITOR = Speaker(NOBODY, Role.READER, is_known=False)

logger = logging.getLogger(__name__)


class RefusedError(Exception):
    """A request that is not let in.

    Attributes:
        status: HTTP status.
        detail: the sentence for the client.
        reason: one word for the audit log; empty for what is nobody's attempt.
        reader: who asked, where that is known.
    """

    def __init__(self, status: int, detail: str, reason: str = "", reader: str = NOBODY) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.reason = reason
        self.reader = reader


Record = Callable[[str, dict[str, Detail]], None]
"""Writes a refused attempt down: the reader's name, and what there is to know of it."""


class Gatekeeper:
    """Decides who speaks.

    Args:
        tokens: the API tokens.
        realm: MONAI Label's OIDC realm; None where it is switched off.
        origins: other origins whose pages may call a server of a single user.
        prefix: what stands before all paths of the interface.
    """

    def __init__(
        self, tokens: LiveTokens, realm: Realm | None = None, origins: Collection[str] = (), prefix: str = ""
    ) -> None:
        self._tokens = tokens
        self._realm = realm
        self._origins = origins
        self._prefix = prefix
        # Threads of their own: a realm that does not answer must not hold up those who speak by API tokens.
        self._askers = CapacityLimiter(_ASKERS)

    async def admit(self, scope: Scope) -> Speaker:
        """Who speaks in a request, if they may ask this.

        Raises:
            RefusedError: if not.
        """
        headers = Headers(scope=scope)
        is_for_all = is_open(scope["method"], path_of(scope), self._prefix)
        if is_for_all and is_alive_question(path_of(scope), self._prefix):
            return _VISITOR
        try:
            is_protected = self._tokens.refresh() or self._realm is not None
        except TokensError as error:
            logger.error("nobody is let in: %s", error)
            raise RefusedError(503, "this server's token file cannot be used; its log says why") from None
        if is_for_all:
            return _VISITOR
        if not is_protected:
            _check_is_local(scope, headers)
            _check_is_same_site(scope, headers, self._origins)
            return SINGLE_USER
        if self._realm is not None and is_login(scope["method"], path_of(scope), self._prefix):
            return _VISITOR
        who = await self._speaker_of(headers)
        needed = self.rule(scope).role
        if who.role < needed:
            detail = f"this needs the role {needed.label}; {who.reader} speaks as {who.role.label}"
            raise RefusedError(403, detail, "role", who.reader)
        return who

    def rule(self, scope: Scope) -> Rule:
        """The entry of the table that a request falls under."""
        return rule_for(scope["method"], path_of(scope), self._prefix)

    async def _speaker_of(self, headers: Headers) -> Speaker:
        token = _bearer(headers)
        if token.startswith(PREFIX) or self._realm is None:
            return self._holder_of(token)
        try:
            return await run_sync(self._realm.speaker_of, token, limiter=self._askers)
        except TokenRefusedError as error:
            raise RefusedError(error.status, str(error), error.reason, error.reader or NOBODY) from None
        except RealmError as error:
            logger.error("nobody is let in by the realm: %s", error)
            raise RefusedError(503, "the realm that signs tokens cannot be asked; this server's log says why") from None

    def _holder_of(self, token: str) -> Speaker:
        entry = self._tokens.find(token)
        if entry is None:
            raise RefusedError(401, "this token is not known here; ask the administrator for one", "unknown")
        if entry.state != "active":
            said = "was revoked" if entry.state == "revoked" else "has expired"
            detail = f"the token {entry.id} {said}; ask the administrator for a new one"
            raise RefusedError(401, detail, entry.state, entry.reader)
        return entry.speaker


class AccessMiddleware:
    """The ASGI layer around the router.

    Args:
        app: what lies behind.
        gatekeeper: decides.
        record: writes refused attempts down.
    """

    def __init__(self, app: ASGIApp, gatekeeper: Gatekeeper, record: Record | None = None) -> None:
        self._app = app
        self._gatekeeper = gatekeeper
        self._record = record

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})  # nothing here speaks it
            return
        try:
            who = await self._gatekeeper.admit(scope)
        except RefusedError as refusal:
            await self._write_down(refusal, scope)
            note_refusal(f"door_{refusal.reason or 'closed'}")
            answer = JSONResponse({"detail": refusal.detail}, refusal.status)
            if refusal.status == 401:
                answer.headers["WWW-Authenticate"] = "Bearer"
            await answer(scope, receive, send)
            return
        set_speaker(who)
        headers = [(name, value) for name, value in scope["headers"] if name != b"authorization"]
        await self._app({**scope, "headers": headers}, receive, send)

    async def _write_down(self, refusal: RefusedError, scope: Scope) -> None:
        if self._record is None or not refusal.reason:
            return
        details: dict[str, Detail] = {
            "status": refusal.status,
            "reason": refusal.reason,
            "method": scope["method"] if scope["method"] in _METHODS else "other",
            # Never the path itself: the name of a case may be a patient's.
            "route": self._gatekeeper.rule(scope).path or "/",
            "client": (scope.get("client") or ("unknown",))[0],
        }
        try:
            await run_sync(self._record, refusal.reader, details)
        except (OSError, PneumoScreenError) as error:
            logger.error("a refused attempt could not be written to the audit log: %s", error)


def _bearer(headers: Headers) -> str:
    """The token of a request.

    Raises:
        RefusedError: if there is none, or more than one.
    """
    given = headers.getlist("authorization")
    scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not token.strip():
        raise RefusedError(401, "this server needs a token: send the header Authorization: Bearer TOKEN", "missing")
    return token.strip()


def _check_is_local(scope: Scope, headers: Headers) -> None:
    ends = [scope.get("server"), scope.get("client")]
    is_direct = all(end is not None and is_loopback(end[0]) for end in ends)
    if not is_direct or any(name in headers for name in _FORWARDED):
        raise RefusedError(
            403,
            "this server has no tokens, so it serves its own machine only; on it, make one with: "
            + command_to_make_one(),
            "remote",
        )


def _check_is_same_site(scope: Scope, headers: Headers, origins: Collection[str]) -> None:
    host = headers.get("host", "")
    if not is_local_host(host):
        raise RefusedError(
            403, "this server has no tokens, so it answers by the names localhost and 127.0.0.1 only", "host"
        )
    origin = headers.get("origin")
    if origin in origins:
        return
    site, is_visit = headers.get("sec-fetch-site", "none"), headers.get("sec-fetch-mode") == "navigate"
    is_own = origin in (None, f"{scope['scheme']}://{host}")
    is_asked_from_here = site in ("none", "same-origin") or (is_visit and scope["method"] == "GET")
    if not (is_own and is_asked_from_here):
        raise RefusedError(
            403,
            "this server has no tokens, so it refuses what pages of other sites send; name their origin in "
            "MONAI_LABEL_CORS_ORIGINS if they may",
            "origin",
        )

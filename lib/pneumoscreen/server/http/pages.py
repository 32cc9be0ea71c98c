"""The pages of the server, made here: they load nothing from anywhere, so they work without internet and tell nobody.

MONAI Label's own take their scripts from other sites, which a hospital's network does not reach and which could put
anything into the page. ``SecurityHeaders`` forbids both to every page, whoever made it.
"""

import html
import mimetypes
import os
import re
from collections import deque
from pathlib import Path
from typing import Annotated

import monailabel.endpoints
from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from monailabel.config import RBAC_ADMIN, settings
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ... import RESEARCH_USE_ONLY, __version__
from ..access.permissions import path_of
from ..failures import UnknownError
from ..logs import kept_log
from .hidden_paths import PlacelessResponse

_OHIF = Path(monailabel.endpoints.__file__).resolve().parent / "static" / "ohif"
_WITH_ADDRESSES = ("index.html", "app-config.js")
_ALWAYS = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
}
_NOTHING = (
    "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
)
_VIEWER = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' blob: data:; frame-ancestors 'none'; "
    "object-src 'none'; base-uri 'self'"
)
"""OHIF is a program that runs in the page, from this server alone."""
_STYLE = (
    "body{font:15px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}td{padding:.1rem .8rem .1rem 0;"
    "vertical-align:top}td:first-child,td:nth-child(2){font-family:monospace;white-space:nowrap}pre{white-space:pre-wrap}"
)


class SecurityHeaders:
    """Puts on every answer what browsers need to know: no foreign content, no guessing of types, no frames.

    Args:
        app: what lies behind.
        prefix: what stands before all paths of the interface.
    """

    def __init__(self, app: ASGIApp, prefix: str = "") -> None:
        self._app = app
        self._viewer = f"{prefix}/ohif"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = path_of(scope)
        is_viewer = path == self._viewer or path.startswith(self._viewer + "/")
        added = {**_ALWAYS, b"content-security-policy": (_VIEWER if is_viewer else _NOTHING).encode()}

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [(name, value) for name, value in message.get("headers", ()) if name.lower() not in added]
                message = {**message, "headers": [*kept, *added.items()]}
            await send(message)

        await self._app(scope, receive, with_headers)


def pages_router(web: FastAPI) -> APIRouter:
    """``/docs``, ``/logs/`` and ``/ohif/``; ``/`` is added by ``add_front_page``."""
    router = APIRouter(tags=["Others"])

    @router.get("/logs/", summary=f"{RBAC_ADMIN}Get Logs", response_model=None)
    def logs(
        lines: Annotated[int, Query(ge=0, le=100_000)] = 300,
        html: bool = True,
        text: bool = False,
        refresh: Annotated[int, Query(ge=0, le=86_400)] = 0,
    ) -> Response:
        return _logs(lines, html and not text, refresh)

    @router.get("/ohif/{path:path}", include_in_schema=False)
    def ohif(path: str, request: Request) -> Response:
        file = _OHIF / path if "\x00" not in path else _OHIF
        real = os.path.realpath(file)
        if not (real.startswith(f"{_OHIF}{os.sep}") and os.path.isfile(real)):
            real = str(_OHIF / "index.html")
        if not os.path.isfile(real):
            raise UnknownError("the viewer OHIF is not installed on this server")
        root = str(request.scope.get("root_path", ""))
        return _under_prefix(real, root) if root and os.path.basename(real) in _WITH_ADDRESSES else FileResponse(real)

    return router


def _under_prefix(file: str, root: str) -> Response:
    """A file of the viewer whose addresses begin with the prefix of a proxy."""
    text = Path(file).read_text(encoding="utf-8")
    text = re.sub(r"""(["'])/(ohif|proxy)/""", lambda found: f"{found[1]}{root}/{found[2]}/", text)
    return Response(text, media_type=mimetypes.guess_type(file)[0])


def add_front_page(web: FastAPI) -> None:
    """``/`` and ``/docs``: what there is to ask for, as one table."""

    def front(request: Request) -> HTMLResponse:
        rows = []
        for path, methods in sorted(web.openapi()["paths"].items()):
            for method, what in methods.items():
                words = (method.upper(), path, str(what.get("summary", "")))
                rows.append("<tr>" + "".join(f"<td>{html.escape(word)}</td>" for word in words) + "</tr>")
        title = html.escape(str(settings.MONAI_LABEL_PROJECT_NAME))
        description = html.escape(f"{request.scope.get('root_path', '')}{web.openapi_url}")
        return _page(
            f"<h1>{title} {html.escape(__version__)}</h1><p>{html.escape(RESEARCH_USE_ONLY)}</p>"
            f'<p>The whole description: <a href="{description}">OpenAPI</a>.</p>'
            f"<table>{''.join(rows)}</table>",
            title,
        )

    for path in ("/", "/docs"):
        web.add_api_route(path, front, include_in_schema=False, response_class=HTMLResponse)


def _page(body: str, title: str, refresh: int = 0) -> HTMLResponse:
    again = f'<meta http-equiv="refresh" content="{refresh}">' if refresh else ""
    return HTMLResponse(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>{again}'
        f"<style>{_STYLE}</style></head><body>{body}</body></html>"
    )


def _of_file(lines: int) -> str:
    """The last lines of MONAI Label's log file; 0: all."""
    file = Path(settings.MONAI_LABEL_APP_DIR) / "logs" / "app.log"
    try:
        with file.open(encoding="utf-8", errors="replace") as log:
            return "".join(deque(log, lines)) if lines else log.read()
    except OSError:
        raise UnknownError("this server keeps no log file; its log is what it writes to standard error") from None


def _logs(lines: int, as_page: bool, refresh: int) -> Response:
    kept = kept_log()
    text = kept.text(lines) if kept is not None else _of_file(lines)
    places = PlacelessResponse.places
    text = text if places is None else places.hidden(text)
    if not as_page:
        return PlainTextResponse(text)
    return _page(f"<pre>{html.escape(text)}</pre>", "Log", max(refresh, 3) if refresh else 0)

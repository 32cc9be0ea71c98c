"""``/health/live``, ``/health/ready``, ``/metrics`` and ``/pneumoscreen/monitoring``: how the server and its model do.

What programs ask that watch the server has a thread of its own beside those of requests: a server that is busy is not
ill.
"""

import os
import threading
from typing import Any

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter
from fastapi.responses import HTMLResponse, JSONResponse, Response

from ....errors import ModelError
from ....method import Method
from ....methods import METHODS
from ....monitoring.page import render_monitoring
from ....monitoring.summary import Monitoring
from ...failures import UnknownError
from ...services import Services
from ...work.monitoring import Monitored
from ..prometheus import CONTENT_TYPE, Figures


class Health:
    """Tells why the server cannot take an inference; no reason holds a name or a place of the disk.

    It is for load balancers and orchestrators, which have no token.

    Thread contract: one caller at a time.

    Args:
        app: the server.
    """

    def __init__(self, app: Services) -> None:
        self._app = app
        self._checked: dict[str, tuple[tuple[Any, ...], bool]] = {}

    def reasons(self) -> list[str]:
        """Why it cannot; empty where it can."""
        found = []
        if not self._studies_can_be_read():
            found.append("the studies cannot be read")
        if not any(self._has_networks(method) for method in METHODS):
            found.append("there are no networks that can be loaded")
        if self._app.board.is_full:
            found.append("as many inferences wait as may")
        return found

    def _studies_can_be_read(self) -> bool:
        if not self._app.studies_are_folder:
            return True  # another machine's, whose own probe tells
        try:
            with os.scandir(self._app.studies) as entries:
                next(entries, None)
            return os.access(self._app.studies, os.R_OK | os.X_OK)
        except OSError:
            return False

    def _has_networks(self, method: Method) -> bool:
        """Whether all networks of a method are in memory, or whole on the disk."""
        engine, names = self._app.engine, [network.name for network in method.networks]
        if names and all(name in engine.loaded()["loaded"] for name in names):
            return True
        return all(self._can_be_loaded(name) for name in names)

    def _can_be_loaded(self, name: str) -> bool:
        """Reads the weights once for each state of the disk."""
        store = self._app.engine.store
        state = store.fingerprint(name)
        if name not in self._checked or self._checked[name][0] != state:
            try:
                store.weights_file(name)
                self._checked[name] = state, True
            except (ModelError, OSError):
                self._checked[name] = state, False
        return self._checked[name][1]


def operation_router(app: Services, figures: Figures) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["Operation"])
    health = Health(app)
    asking, scraping = CapacityLimiter(1), CapacityLimiter(1)

    @router.head("/health/live", include_in_schema=False)  # what some load balancers ask with
    @router.get("/health/live", summary="Whether the server answers; needs no token")
    async def live() -> JSONResponse:
        return JSONResponse({"status": "live"})

    @router.head("/health/ready", include_in_schema=False)
    @router.get("/health/ready", summary="Whether the server can take an inference, else 503; needs no token")
    async def ready() -> JSONResponse:
        reasons = await run_sync(health.reasons, limiter=asking)
        if reasons:
            return JSONResponse({"status": "not ready", "reasons": reasons}, 503)
        return JSONResponse({"status": "ready", "reasons": []})

    @router.get("/metrics", summary="Figures for Prometheus; needs the role monitor", response_class=Response)
    async def metrics() -> Response:
        return Response(await run_sync(figures.text, limiter=scraping), media_type=CONTENT_TYPE)

    return router


def monitoring_router(monitored: Monitored | None) -> APIRouter:
    """The routes. One computation runs at a time: each reads all annotations."""
    router = APIRouter(prefix="/pneumoscreen", tags=["PneumoScreen"])
    computing = threading.Lock()

    def computed() -> Monitoring:
        if monitored is None:
            raise UnknownError("the studies are on a DICOMweb server, which keeps no annotations to compare")
        with computing:
            return monitored.compute()

    @router.get("/monitoring", summary="The model in use: page; needs the role trainer", response_class=HTMLResponse)
    def page() -> HTMLResponse:
        return HTMLResponse(render_monitoring(computed()))

    @router.get("/monitoring.json", summary="The model in use: figures; needs the role trainer")
    def figures() -> dict[str, Any]:
        return computed().to_dict()

    return router

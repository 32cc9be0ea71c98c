"""``/pneumoscreen/monitoring``: the model in use, as a page and as figures."""

import threading
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from ..monitoring.page import render_monitoring
from ..monitoring.summary import Monitoring
from .app import PneumoScreenApp
from .failures import UnknownError


def monitoring_router(app: PneumoScreenApp) -> APIRouter:
    """The routes. One computation runs at a time: each reads all annotations."""
    router = APIRouter(prefix="/pneumoscreen", tags=["PneumoScreen"])
    computing = threading.Lock()

    def computed() -> Monitoring:
        monitored = app.figures.monitored
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

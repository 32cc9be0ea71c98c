"""``/health/live``, ``/health/ready`` and ``/metrics``: what programs that watch the server ask.

Each has a thread of its own beside those of requests: a server that is busy is not ill.
"""

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from .app import PneumoScreenApp
from .figures import CONTENT_TYPE
from .health import Health


def operation_router(app: PneumoScreenApp) -> APIRouter:
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
        return Response(await run_sync(app.figures.text, limiter=scraping), media_type=CONTENT_TYPE)

    return router

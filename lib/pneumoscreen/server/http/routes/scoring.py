"""``/scoring/`` as MONAI Label's clients know it, with the progress in the status."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query
from monailabel.config import RBAC_ANNOTATOR, RBAC_USER

from ...failures import BusyError, UnknownError
from ...services import Services
from ...work.scoring import METHOD
from .identity import CurrentUser

Parameters = Annotated[dict[str, Any] | None, Body()]


def scoring_router(app: Services) -> APIRouter:
    """The routes, which stand before MONAI Label's own."""
    router = APIRouter(prefix="/scoring", tags=["Scoring"])

    def started(method: str, run_sync: bool) -> Any:
        if not app.studies_are_folder:
            raise UnknownError("there is no scoring here: the studies are not a folder of this server")
        if method not in app._scoring_methods:
            raise UnknownError(f"there is no scoring method {method[:60]!r}; there is {METHOD}")
        if run_sync:
            return app.scoring({"method": method})
        task = app.scoring_process.start()
        if task is None:
            raise BusyError("a scoring runs already; GET /scoring/ tells its progress")
        return task

    @router.get("/", summary=f"{RBAC_USER}Get Status of Scoring Task")
    def status(
        user: CurrentUser, every: Annotated[bool, Query(alias="all")] = False, check_if_running: bool = False
    ) -> Any:
        known = app.scoring_process.listing()
        if check_if_running:
            known = [task for task in known if task["status"] == "RUNNING"]
        if not known:
            raise UnknownError("no scoring is running" if check_if_running else "no scoring was started here yet")
        return known if every else known[-1]

    @router.post("/", summary=f"{RBAC_ANNOTATOR}Run All Scoring Tasks", include_in_schema=False, deprecated=True)
    def run_all(user: CurrentUser, params: Parameters = None, run_sync: bool = False) -> dict[str, Any]:
        return {METHOD: {"result": started(METHOD, run_sync), "detail": None}}

    @router.post("/{method}", summary=f"{RBAC_ANNOTATOR}Run Scoring Task for specific method")
    def run(method: str, user: CurrentUser, params: Parameters = None, run_sync: bool = False) -> Any:
        return started(method, run_sync)

    @router.delete("/", summary=f"{RBAC_ANNOTATOR}Stop Scoring Task")
    def stop(user: CurrentUser) -> Any:
        return app.scoring_process.stop()

    return router

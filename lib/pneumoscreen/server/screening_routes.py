"""Routes that MONAI Label does not have: progress, cancelling, reports."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import FileResponse
from monailabel.config import RBAC_USER

from .app import PneumoScreenApp
from .failures import UnknownError
from .infer_route import CurrentUser


def screening_router(app: PneumoScreenApp) -> APIRouter:
    """``/pneumoscreen/...``."""
    router = APIRouter(prefix="/pneumoscreen", tags=["PneumoScreen"])

    @router.get("/progress", summary=f"{RBAC_USER}Inferences that wait or run")
    async def progress(user: CurrentUser) -> dict[str, list[dict[str, Any]]]:
        return {"jobs": app.board.listing()}

    @router.get("/progress/{image:path}", summary=f"{RBAC_USER}The newest inference of an image")
    async def progress_of(image: str, user: CurrentUser) -> dict[str, Any]:
        found = app.board.of_image(image)
        if found is None:
            raise UnknownError(f"nothing was asked of image {image} since the server started")
        return found

    @router.post("/cancel/{job}", summary=f"{RBAC_USER}Stop an inference at its next step")
    async def cancel(job: str, user: CurrentUser) -> dict[str, Any]:
        found = app.board.cancel(job)
        if found is None:
            raise UnknownError(f"there is no job {job}; GET /pneumoscreen/progress lists them")
        return app.board.view(found)

    @router.get("/report/{image:path}", summary=f"{RBAC_USER}Report of the last screening of an image")
    def report(image: str, user: CurrentUser) -> FileResponse:
        # Only an id of the studies leads to a file; a path in its place is unknown.
        offered = image in app.datastore().list_images()
        path = app.report_path(image) if offered else None
        if path is None or not path.is_file():
            raise UnknownError(f"there is no report of image {image}; screen it first")
        return FileResponse(path, media_type="text/html")

    return router

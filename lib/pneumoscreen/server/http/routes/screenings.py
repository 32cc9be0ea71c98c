"""Routes that MONAI Label does not have: progress, cancelling, and what a screening left: document, report, masks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.responses import FileResponse
from monailabel.config import RBAC_USER

from ...failures import UnknownError
from ...services import Services
from ...store.screenings import last_screening
from .identity import CurrentUser


def screening_router(app: Services) -> APIRouter:
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
        return FileResponse(_made_by_screening(app.report_path, image, "report"), media_type="text/html")

    @router.get("/screening/{image:path}", summary=f"{RBAC_USER}Case document of the last screening of an image")
    def screening(image: str, user: CurrentUser) -> dict[str, Any]:
        found = last_screening(app.work_folder, image, app.engine.classes())
        if found is None:
            raise UnknownError(f"there is no screening of image {image} by the models' classes; screen it first")
        return found.to_dict()

    @router.get("/masks/{image:path}", summary=f"{RBAC_USER}Lung and infection masks of the last screening of an image")
    def masks(image: str, user: CurrentUser) -> FileResponse:
        """An NRRD label map in the image's geometry: 1 left lung, 2 right lung, 3 infection."""
        path = _made_by_screening(app.masks_path, image, "masks")
        return FileResponse(path, media_type="application/octet-stream", filename=f"{image}.nrrd")

    def _made_by_screening(path_of: Callable[[str], Path | None], image: str, what: str) -> Path:
        # Only an id of the studies leads to a file; a path in its place is unknown.
        path = path_of(image) if image in app.datastore().list_images() else None
        if path is None or not path.is_file():
            raise UnknownError(f"there is no {what} of image {image}; screen it first")
        return path

    return router

"""Routes of a server on a PACS: how it does, ask it now, and which case a study, series or accession number is."""

from typing import Any

from fastapi import APIRouter
from monailabel.config import RBAC_USER
from pydantic import BaseModel

from ...failures import UnknownError
from ...services import Services
from ...store.datastore import StudiesDatastore
from ...store.pacs_images import PacsImages
from .identity import CurrentUser


class FindRequest(BaseModel):
    """A StudyInstanceUID, SeriesInstanceUID or accession number; in the body, since addresses are logged by others."""

    name: str


def pacs_router(app: Services) -> APIRouter:
    """``/pneumoscreen/pacs``."""
    router = APIRouter(prefix="/pneumoscreen/pacs", tags=["PneumoScreen"])

    def place() -> tuple[StudiesDatastore, PacsImages]:
        datastore = app.datastore()
        if not isinstance(datastore, StudiesDatastore) or not isinstance(datastore.images, PacsImages):
            raise UnknownError("this server is not one on a PACS")
        return datastore, datastore.images

    @router.get("", summary=f"{RBAC_USER}Whether the PACS answers, and which results wait for it")
    def state(user: CurrentUser) -> dict[str, Any]:
        return place()[1].state()

    @router.post("/look", summary=f"{RBAC_USER}Ask the PACS for its studies now")
    def look(user: CurrentUser) -> dict[str, Any]:
        datastore, images = place()
        images.cases.look()
        datastore.refresh()
        return images.state()

    @router.post("/find", summary=f"{RBAC_USER}The case of a StudyInstanceUID, SeriesInstanceUID or accession number")
    def find(body: FindRequest, user: CurrentUser) -> dict[str, Any]:
        datastore, images = place()
        found = datastore.id_of(body.name) or datastore.find(body.name)
        if found is None:
            raise UnknownError(images.unknown(body.name))
        return {"id": found}

    return router

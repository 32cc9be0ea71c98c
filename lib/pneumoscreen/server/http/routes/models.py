"""Routes of the models: what there is, publishing a kept candidate, and the way back.

A change takes effect at the next inference: the engine looks at the store before each one.
"""

from pathlib import Path
from typing import Any

from fastapi import APIRouter
from monailabel.config import RBAC_USER
from pydantic import Field

from .... import methods
from ....config import Settings
from ....models.catalogue import catalogue
from ....studies.audit import AuditLog
from ...access.identity import speaker
from ...services import Services
from .identity import CurrentUser


class RollbackRequest(Settings):
    """The version to put into use; without it, the one before."""

    to: int | None = Field(None, ge=1, strict=True)


class PublishRequest(Settings):
    """The candidate to publish."""

    candidate: str = Field(min_length=1, max_length=100)


def model_router(app: Services) -> APIRouter:
    """``/pneumoscreen/models/...``."""
    router = APIRouter(prefix="/pneumoscreen/models", tags=["PneumoScreen"])
    store = app.engine.store
    is_folder = not app.studies.startswith(("http://", "https://"))

    def record(action: str, name: str, **details: Any) -> dict[str, Any]:
        logs = [store.root, *([Path(app.studies)] if is_folder else [])]
        for folder in logs:
            AuditLog(folder).record(speaker().reader, action, model=name, **details)
        return {"model": name, **details}

    @router.get("", summary=f"{RBAC_USER}Models, their versions and candidates, and what is loaded")
    def listing(user: CurrentUser) -> dict[str, Any]:
        return {"models": catalogue(store), **app.engine.loaded()}

    @router.post("/{name}/rollback", summary=f"{RBAC_USER}Put the version before, or another, into use")
    def rollback(name: str, user: CurrentUser, body: RollbackRequest | None = None) -> dict[str, Any]:
        before = store.current(name)
        version = store.rollback(name, body.to if body else None)
        return record("rollback", name, version=version, before=before)

    @router.post("/{name}/publish", summary=f"{RBAC_USER}Publish a kept candidate")
    def publish(name: str, user: CurrentUser, body: PublishRequest) -> dict[str, Any]:
        before = store.current(name)
        version = methods.publish_by_hand(store, name, body.candidate, speaker().reader)
        return record("publish", name, version=version, before=before, candidate=body.candidate)

    return router

"""Routes of the worklist: all cases, and who reads which (``leases``)."""

from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Query
from monailabel.config import RBAC_USER
from pydantic import BaseModel

from ...access.identity import Role, speaker
from ...failures import ForbiddenError, UnknownError
from ...services import Services
from ...store.datastore import StudiesDatastore
from ...work.strategies import reader_of
from ...work.worklist import CaseState
from .identity import CurrentUser

LISTED = 200


class SortKey(StrEnum):
    """What a list of cases is ordered by."""

    ID = "id"
    STATE = "state"
    VERDICT = "verdict"
    UNCERTAINTY = "uncertainty"
    UPDATED = "updated"
    PATIENT = "patient"
    AGE = "age"
    ACQUIRED = "acquired"
    PRIORITY = "priority"


class LeaseRequest(BaseModel):
    """Who takes the case, on a server without tokens."""

    client_id: str | None = None


def worklist_router(app: Services) -> APIRouter:
    """``/pneumoscreen/cases`` and ``/pneumoscreen/leases``."""
    router = APIRouter(prefix="/pneumoscreen", tags=["PneumoScreen"])

    def known(case: str) -> str:
        if case not in app.datastore().list_images():
            raise UnknownError(f"case {case[:200]!r} is not in the studies folder")
        return case

    @router.get("/cases", summary=f"{RBAC_USER}All cases: state, verdict, priority, patient, readers")
    def cases(
        user: CurrentUser,
        state: CaseState | None = None,
        search: str = "",
        sort: SortKey = SortKey.ID,
        descending: bool = False,
        limit: Annotated[int, Query(ge=0, le=100_000)] = LISTED,
        offset: Annotated[int, Query(ge=0)] = 0,
    ) -> dict[str, Any]:
        wanted = search.casefold()
        rows = [row for row in app.worklist.rows() if wanted in row["id"].casefold() or wanted == row["patient"]]
        counts = {each.value: sum(row["state"] == each for row in rows) for each in CaseState}
        found = _ordered([row for row in rows if state in (None, row["state"])], sort, descending)
        listed = {"total": len(found), "counts": counts, "cases": found[offset : offset + limit]}
        store = app.datastore()
        about = store.images.state() if isinstance(store, StudiesDatastore) else None
        return listed if about is None else {**listed, "pacs": about}

    @router.get("/cases/{case:path}", summary=f"{RBAC_USER}One case of the worklist")
    def one_case(case: str, user: CurrentUser) -> dict[str, Any]:
        known(case)
        return next(row for row in app.worklist.rows() if row["id"] == case)

    @router.get("/leases", summary=f"{RBAC_USER}Who reads which case now")
    def leases(user: CurrentUser) -> dict[str, Any]:
        return {"leases": [lease.to_dict() for _, lease in sorted(app.leases.current().items())]}

    @router.post("/leases/{case:path}", summary=f"{RBAC_USER}Take a case, or keep it for longer")
    def take(case: str, user: CurrentUser, body: LeaseRequest | None = None) -> dict[str, Any]:
        return app.leases.take(known(case), reader_of(body.client_id if body else None)).to_dict()

    @router.delete("/leases/{case:path}", summary=f"{RBAC_USER}Give a case back")
    def release(case: str, user: CurrentUser, client_id: str | None = None) -> dict[str, Any]:
        lease, reader = app.leases.current().get(case), reader_of(client_id)
        if lease is None:
            raise UnknownError(f"nobody has case {case[:200]!r}")
        if lease.reader != reader and speaker().role < Role.TRAINER:
            raise ForbiddenError(f"case {case} is with {lease.reader}; only a trainer may take it away")
        datastore = app.datastore()
        if lease.reader != reader and isinstance(datastore, StudiesDatastore):
            datastore.submissions.record("release", case, reader=lease.reader)
        return {"case_id": case, "released": app.leases.release(case, lease.reader)}

    return router


def _ordered(rows: list[dict[str, Any]], key: SortKey, descending: bool) -> list[dict[str, Any]]:
    """Rows in the wanted order; those without the value come last either way, equal ones by name."""
    known = [row for row in rows if row[key] is not None]
    return [
        *sorted(known, key=lambda row: row[key], reverse=descending),
        *(row for row in rows if row[key] is None),
    ]

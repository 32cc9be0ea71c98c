"""``/pneumoscreen/annotations``: the versions of a case, submitting a document, and settling a case.

Who has not submitted a case yet sees who submitted it and when, and none of their documents (``blind``).
"""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, Response
from monailabel.config import RBAC_ANNOTATOR, RBAC_USER
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool

from ....case import SCHEMA, SCHEMA_1
from ....studies.annotations import ConflictError
from ....studies.layout import LONGEST_NAME, is_plain_name
from ....studies.versions import ADJUDICATION, READER, Annotation, counting_of, current_of
from ...access.blind import require_may_see
from ...failures import RequestError, UnknownError
from ...inference.parameters import in_words
from ...services import Services
from ...store.datastore import StudiesDatastore
from ..hidden_paths import PlacelessResponse
from .identity import CurrentUser

_BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}}


class Choice(BaseModel):
    """The body that settles a case by a version which is there."""

    model_config = ConfigDict(extra="forbid", strict=True)

    version: int = Field(ge=1)


def annotation_router(app: Services) -> APIRouter:
    """The routes; they answer for a studies folder only."""
    router = APIRouter(prefix="/pneumoscreen/annotations", tags=["PneumoScreen"])

    def store() -> StudiesDatastore:
        datastore = app.datastore()
        if not isinstance(datastore, StudiesDatastore):
            raise UnknownError("annotations are kept for a studies folder only, not for a DICOMweb address")
        return datastore

    def versions_of(case: str) -> list[Annotation]:
        found = store().submissions.store.versions(case) if is_plain_name(case) else []
        if not found and case not in store().list_images():
            raise UnknownError(f"there is no case {case[:80]!r}; GET /datastore/ lists what is there")
        return found

    def shown(case: str, number: int) -> Annotation:
        versions = versions_of(case)
        found = _numbered(versions, case, number)
        require_may_see(versions, found)
        return found

    def submitted(case: str, document: bytes, reader: str | None, base: int | None, kind: str) -> Response:
        try:
            stored = store().submit(case, document, reader, base, kind)
        except ConflictError as conflict:
            return PlacelessResponse({"detail": str(conflict), "other": conflict.other.summary()}, 409)
        return PlacelessResponse(stored.answer())

    def adjudicated(case: str, body: bytes, reader: str | None) -> Response:
        number = _chosen(body)
        if number is None:
            return submitted(case, body, reader, None, ADJUDICATION)
        versions_of(case)
        settled = store().submissions.adjudicate(case, number, reader)
        store().show_annotation(case)
        return PlacelessResponse(settled.summary())

    @router.get("/{case}", summary=f"{RBAC_USER}Versions of a case's annotation")
    def versions(case: str, user: CurrentUser) -> dict[str, Any]:
        found = versions_of(case)
        counting = counting_of(found)
        current = {reader: version.version for reader, version in current_of(found).items()}
        return {
            "case_id": case,
            "counting": None if counting is None else counting.version,
            "current": current,
            "versions": [{**version.summary(), "counts": version is counting} for version in found],
        }

    @router.get("/{case}/{version}", summary=f"{RBAC_USER}One version with its document")
    def version(case: str, version: int, user: CurrentUser) -> dict[str, Any]:
        return shown(case, version).envelope()

    @router.get("/{case}/{version}/label_map", summary=f"{RBAC_USER}Label map that was submitted with a version")
    def label_map(case: str, version: int, user: CurrentUser) -> FileResponse:
        path = store().submissions.store.label_map(shown(case, version))
        if path is None:
            raise UnknownError(f"version {version} of case {case} was submitted without a label map")
        return FileResponse(path, filename=f"{case}-{path.name}")

    @router.put("/{case}", summary=f"{RBAC_ANNOTATOR}Submit a case document as a new version", openapi_extra=_BODY)
    async def submit(
        case: str,
        request: Request,
        user: CurrentUser,
        base: Annotated[int | None, Query(ge=0)] = None,
        reader: Annotated[str | None, Query(max_length=LONGEST_NAME)] = None,
    ) -> Response:
        return await run_in_threadpool(submitted, case, await _body(request), reader, base, READER)

    @router.post("/{case}/adjudicate", summary=f"{RBAC_ANNOTATOR}Settle which annotation counts", openapi_extra=_BODY)
    async def adjudicate(
        case: str,
        request: Request,
        user: CurrentUser,
        reader: Annotated[str | None, Query(max_length=LONGEST_NAME)] = None,
    ) -> Response:
        return await run_in_threadpool(adjudicated, case, await _body(request), reader)

    return router


async def _body(request: Request) -> bytes:
    """The request's body, which ``BodyLimit`` has kept within the site's limits."""
    return b"".join([part async for part in request.stream()])


def _chosen(body: bytes) -> int | None:
    """The version that a body names; None if it is a document.

    Raises:
        RequestError: if it is neither.
    """
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return None  # the document's own check says what is wrong with it
    if isinstance(content, dict) and content.get("schema") in (SCHEMA, SCHEMA_1):
        return None
    try:
        return Choice.model_validate(content).version
    except ValidationError as error:
        raise RequestError(
            f'give a case document, or {{"version": n}}: {in_words(error.errors()[0], "field")}'
        ) from None


def _numbered(versions: list[Annotation], case: str, number: int) -> Annotation:
    found = next((version for version in versions if version.version == number), None)
    if found is None:
        raise UnknownError(f"case {case} has no version {number}")
    return found

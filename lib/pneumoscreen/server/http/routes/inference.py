"""``POST /infer/{model}``: the request is checked at once, the work waits in the engine's own thread.

Thread contract: one thread, ``INFERENCE``, does all inferences, of the readers in turn. It runs at a lower
priority than the thread that answers requests, so that ``/info/`` stays quick while all cores are busy.
"""

import asyncio
import os
import re
import shutil
import tempfile
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import Response
from monailabel.config import RBAC_USER
from monailabel.utils.others.generic import get_mime_type
from requests_toolbelt import MultipartEncoder
from starlette.concurrency import run_in_threadpool

from ....errors import Cancelled
from ...failures import RequestError
from ...inference.dicom_seg import dicom_answer
from ...inference.jobs import Job, JobBoard
from ...inference.parameters import Output, parse_infer_params
from ...inference.queue import InferenceQueue
from ...monailabel_settings import IMAGE_PATTERNS
from ...services import Services
from ..hidden_paths import PlacelessResponse
from .identity import CurrentUser

LOWER_PRIORITY = 5
"""Nice steps below the rest of the process."""

_UPLOAD_ENDINGS = (*(pattern.removeprefix("*") for pattern in IMAGE_PATTERNS), ".dcm")


_FETCHES_AT_A_TIME = 4
"""Ours: images that come from elsewhere; each has a thread that only waits."""
_ASKED_EVERY_S = 0.5
"""How long a client that went away is not noticed."""

T = TypeVar("T")


def infer_router(app: Services) -> APIRouter:
    """The route, with a thread of its own."""
    router = APIRouter(prefix="/infer", tags=["Infer"])
    queue = InferenceQueue(_step_back)
    fetches = ThreadPoolExecutor(_FETCHES_AT_A_TIME, "FETCHING")
    app.board.served = queue.served

    @router.post("/{model}", summary=f"{RBAC_USER}Run an inference on an image of the studies, a session or an upload")
    async def infer(
        model: str,
        user: CurrentUser,
        connection: Request,
        image: str = "",
        session_id: str = "",
        params: Annotated[str, Form()] = "{}",
        file: Annotated[UploadFile | None, File()] = None,
        label: Annotated[UploadFile | None, File()] = None,
        output: Output = Output.ALL,
    ) -> Response:
        if label is not None:
            raise RequestError("form field label: these tasks take no label file; regions go into params")
        if output in (Output.IMAGE, Output.DICOM_SEG) and not app.makes_label_map(model):
            raise RequestError(f"query output: {model} has no label map; use json")
        request: dict[str, Any] = {**parse_infer_params(params), "model": model, "image": image, "output": output}
        folder: Path | None = None
        try:
            if file is not None:
                folder, request["upload"] = await run_in_threadpool(_store, file)
            elif session_id:
                request["upload"] = app.session_image(session_id)
            prepared = await run_in_threadpool(app.prepare, request)
            if app.fetching.is_needed(prepared):
                await _while_wanted(fetches.submit(app.fetching.fetch, prepared), prepared.job, app.board, connection)
            work = queue.submit(prepared.job.reader, partial(app.run, prepared))
            result = await _while_wanted(work, prepared.job, app.board, connection)
        finally:
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
        return await run_in_threadpool(_answer, result, output)

    return router


async def _while_wanted(work: "Future[T]", job: Job, board: JobBoard, connection: Request) -> T:
    """The result of a part of an inference; one whose client went away is cancelled, and so makes room for others.

    Raises:
        Cancelled: if so, or if somebody asked for it.
    """
    result = asyncio.wrap_future(work)
    while not (await asyncio.wait({result}, timeout=_ASKED_EVERY_S))[0]:
        if await connection.is_disconnected():
            board.cancel(job.id)
            if work.cancel():
                board.abandon(job)
                raise Cancelled(f"the client of the {job.task} of {job.image} went away")
            break
    return await result


def _step_back() -> None:
    # Linux counts niceness by thread, and the threads that torch starts from this one inherit it.
    try:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWER_PRIORITY)
    except (OSError, AttributeError):
        return


def _store(file: UploadFile) -> tuple[Path, Path]:
    """Put an upload into a new temporary folder, under a safe form of its name."""
    name = Path((file.filename or "upload.nii.gz").replace("\\", "/")).name
    if not name.endswith(_UPLOAD_ENDINGS):
        raise RequestError(f"form field file: an image ends in {', '.join(_UPLOAD_ENDINGS)}, not {name[-40:]!r}")
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip(".")[-120:]
    folder = Path(tempfile.mkdtemp(prefix="pneumoscreen-upload-"))
    try:
        with (folder / safe).open("wb") as target:
            shutil.copyfileobj(file.file, target)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder, folder / safe


def _answer(result: dict[str, Any], output: Output) -> Response:
    """The document, the label map or both; the temporary label map is gone afterwards."""
    label_map = Path(result["file"]) if result["file"] else None
    try:
        if output is Output.DICOM_SEG:
            return dicom_answer(result["dicom_seg"])
        if output is Output.JSON or label_map is None:
            return PlacelessResponse(result["params"])
        content, kind = label_map.read_bytes(), get_mime_type(str(label_map))
        if output is Output.IMAGE:
            disposition = {"Content-Disposition": f'attachment; filename="{label_map.name}"'}
            return Response(content, media_type=kind, headers=disposition)
        fields = {
            "params": (None, PlacelessResponse(result["params"]).body, "application/json"),
            "image": (label_map.name, content, kind),
        }
        message = MultipartEncoder(fields=fields)
        return Response(message.to_string(), media_type=message.content_type)
    finally:
        if label_map is not None:
            label_map.unlink(missing_ok=True)

"""The HTTP side: this project's routes first, MONAI Label's others as they are but out of the way of each other.

The stock application object stays, because ``monailabel start_server`` names it; ``take_over`` makes it hand
every request to the application built here. Stock routes are ``async`` around blocking work: each is run in the
thread pool instead, but for ``/info/``, which is quick and is what clients poll.

Left out: ``/infer`` (replaced), ``/infer/wsi`` (slides; would take any path), changing models over HTTP (models
are published by training), ``/reload``, and the DICOMweb proxy where the studies are a folder.
"""

import inspect
import logging
import shutil
import sys
import uuid
from collections.abc import Callable
from pathlib import PurePath
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles
from monailabel.config import settings
from monailabel.endpoints import (
    activelearning,
    batch_infer,
    datastore,
    info,
    logs,
    model,
    ohif,
    proxy,
    scoring,
    session,
)
from monailabel.interfaces.exception import (
    ImageNotFoundException,
    LabelNotFoundException,
    MONAILabelError,
    MONAILabelException,
)
from monailabel.utils.others.generic import get_basename
from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect
from starlette.types import Scope

from ... import __version__
from ...errors import Cancelled, PneumoScreenError
from ...limits import Limits
from ...models.atomic_files import is_full_disk
from ..access.permissions import route_of
from ..access.request_record import note_refusal
from ..failures import FULL_DISK, RequestError, UnknownError, has_no_room, kind_of, may_not_write, status_of
from ..inference.batch import require_sound
from ..inference.parameters import in_words, parse_object
from ..services import Services
from ..store.datastore import StudiesDatastore
from ..store.temporary import OneTimeFile, RequestTempfile, request_folder
from .guard import guard
from .hidden_paths import PlacelessResponse, Places
from .limits import BodyLimit, ReaderLimit
from .pages import SecurityHeaders, add_front_page, pages_router
from .prometheus import Figures
from .request_log import RequestLog
from .request_threads import separate
from .routes.annotations import annotation_router
from .routes.identity import login_router, whoami_router
from .routes.images import image_router
from .routes.inference import infer_router
from .routes.models import model_router
from .routes.operation import monitoring_router, operation_router
from .routes.scoring import scoring_router
from .routes.screenings import screening_router
from .routes.trainings import train_router
from .routes.worklist import worklist_router

_STOCK = (info, model, batch_infer, activelearning, scoring, datastore, logs, ohif, session)
_OBJECT_FIELDS = ("params", "info")
_SWITCH_INTERVAL_S = 0.0005
_LONGEST_ENDING = 100
_LONGEST_NAME = 255

logger = logging.getLogger(__name__)
separate()


def take_over(stock: FastAPI, app: Services, figures: Figures) -> None:
    """Let the application object that uvicorn was given hand every request to ours."""
    # A thread of Python code waits at most this long for each of the others: /info/ shares the GIL with all of them.
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    stock.middleware_stack = build(app, stock, figures)


def build(app: Services, stock: FastAPI, figures: Figures) -> FastAPI:
    """The application: routes, error answers, and other origins only where the site names them."""
    PlacelessResponse.places = Places(
        app.studies if app.studies_are_folder else app.app_dir, [app.app_dir, app.engine.store.root]
    )
    web = FastAPI(
        title=settings.MONAI_LABEL_PROJECT_NAME,
        version=__version__,
        docs_url=None,
        redoc_url=None,
        default_response_class=PlacelessResponse,
    )
    origins = [str(origin).rstrip("/") for origin in settings.MONAI_LABEL_CORS_ORIGINS]
    limits = Limits.of_environment()
    web.add_middleware(BodyLimit, limits=limits)
    free = tuple(settings.MONAI_LABEL_API_STR + path for path in ("/infer/", "/info/"))
    web.add_middleware(ReaderLimit, most=limits.max_requests_per_reader, exempt=free)
    realm = guard(web, app, origins)
    if origins:
        web.add_middleware(  # outside of the guard: a browser's preflight brings no token and meets no route
            CORSMiddleware, allow_origins=origins, allow_credentials=True, allow_methods=["*"], allow_headers=["*"]
        )
    web.add_middleware(SecurityHeaders, prefix=settings.MONAI_LABEL_API_STR)
    web.add_middleware(RequestLog, route_of=_route_of, told=figures.request_ended)
    _answer_errors(web, app)
    prefix = settings.MONAI_LABEL_API_STR
    web.include_router(infer_router(app), prefix=prefix)
    web.include_router(screening_router(app), prefix=prefix)
    web.include_router(model_router(app), prefix=prefix)
    web.include_router(annotation_router(app), prefix=prefix)
    web.include_router(whoami_router(), prefix=prefix)
    web.include_router(operation_router(app, figures), prefix=prefix)
    web.include_router(worklist_router(app), prefix=prefix)
    web.include_router(monitoring_router(figures.monitored), prefix=prefix)
    web.include_router(scoring_router(app), prefix=prefix)
    store = app.datastore()
    if isinstance(store, StudiesDatastore) and store.are_elsewhere:
        from .routes.pacs import pacs_router

        web.include_router(pacs_router(app), prefix=prefix)
    web.include_router(train_router(app), prefix=prefix)
    web.include_router(image_router(app), prefix=prefix)  # first come: the stock route of this path never answers
    web.include_router(pages_router(web), prefix=prefix)  # before the stock ones of the same paths
    for uploads in (datastore, session):
        uploads.tempfile = RequestTempfile
    for module in _STOCK:
        _copy_routes(module.router.routes, web, prefix, app)
    if realm is not None:
        web.include_router(login_router(realm), prefix=prefix)
    if app.studies.startswith(("http://", "https://")):
        web.include_router(proxy.router, prefix=prefix)
    add_front_page(web)
    for route in stock.routes:
        if getattr(route, "path", None) == "/favicon.ico":
            web.router.routes.append(route)
        if getattr(route, "path", None) == "/static" and isinstance(getattr(route, "app", None), StaticFiles):
            web.mount("/static", route.app, name="static")  # type: ignore[attr-defined]
    return web


def _route_of(scope: Scope) -> str:
    return route_of(scope, settings.MONAI_LABEL_API_STR)


def _copy_routes(routes: list[Any], web: FastAPI, prefix: str, app: Services) -> None:
    for route in routes:
        if not isinstance(route, APIRoute) or not _is_kept(route):
            continue
        quick = route.endpoint.__module__ == info.__name__
        web.add_api_route(
            prefix + route.path,
            route.endpoint if quick else _in_thread(route.endpoint, route.path, app),
            methods=list(route.methods or ()),
            summary=route.summary,
            tags=route.tags,
            deprecated=route.deprecated,
            include_in_schema=route.include_in_schema,
        )


def _is_kept(route: APIRoute) -> bool:
    if route.endpoint.__module__ == model.__name__:
        return route.methods == {"GET"}
    if route.path == "/logs/gpu":
        return shutil.which("nvidia-smi") is not None
    return True


def _in_thread(endpoint: Callable[..., Any], path: str, app: Services) -> Callable[..., Any]:
    """A stock endpoint as a plain function, which FastAPI runs in its thread pool, with its inputs checked."""

    def call(**values: Any) -> Any:
        _check(values, path, app)
        work = endpoint(**values)
        try:
            with request_folder():
                work.send(None)  # stock endpoints never await: the first step is the last
        except StopIteration as done:
            return _once(done.value) if path.endswith("/dataset") else done.value
        work.close()
        raise RuntimeError(f"{path} awaits something; it cannot run in the thread pool")

    call.__name__, call.__doc__ = endpoint.__name__, endpoint.__doc__
    call.__signature__ = inspect.signature(endpoint)  # type: ignore[attr-defined]
    return call


def _once(answer: Any) -> Any:
    """The ZIP of a data set is made for one answer."""
    return OneTimeFile(answer.path, filename=answer.filename, media_type=answer.media_type)


def _check(values: dict[str, Any], path: str, app: Services) -> None:
    """What the stock endpoint would fail on, or would take without asking; a series' UID becomes the image's id.

    Raises:
        RequestError: naming the field.
    """
    for name, value in values.items():
        if isinstance(value, str) and "\x00" in value:
            raise RequestError(f"{name} holds a null character")
        if isinstance(value, UploadFile):
            _check_upload(value, name)
        if isinstance(value, list) and value and isinstance(value[0], UploadFile):
            _check_names([file.filename or "" for file in value], name)
        if name in _OBJECT_FIELDS and isinstance(value, str):
            parse_object(value, name)
    if path.startswith("/datastore/") and "file" not in values and isinstance(values.get("image"), str):
        values["image"] = app.image_id(values["image"]) or values["image"]
    known: dict[str, Any] = {"/train/{model}": app._trainers, "/batch/infer/{model}": app._infers}
    if path in known and values["model"] not in known[path]:
        there = ", ".join(known[path]) or "none"
        raise UnknownError(f"there is no task {values['model']!r} here; there are: {there}")
    if path == "/batch/infer/{model}":
        require_sound(values["params"] or {})
    if (
        path == "/session/{session_id}"
        and values.get("image")
        and not app.session_image(values["session_id"]).is_file()
    ):
        raise RequestError("the session holds several files and no single image; screen it with session_id")
    store = app.datastore()
    if path == "/datastore/label" and "tag" in values and "label" in values and isinstance(store, StudiesDatastore):
        store.require_may_see_label(str(values["label"]), str(values["tag"]))
    if path == "/scoring/{method}" and values["method"] not in app._scoring_methods:
        raise UnknownError(f"there is no scoring method {values['method']!r}")


def _check_upload(file: UploadFile, field: str) -> None:
    """The stock endpoint makes a temporary file that ends as the client's file does."""
    ending = "".join(PurePath(file.filename or "").suffixes)
    if not ending.isprintable() or len(ending.encode()) > _LONGEST_ENDING:
        raise RequestError(f"form field {field}: the file's name has an ending of no format that is known")


def _check_names(names: list[str], field: str) -> None:
    """The stock endpoint writes each file of a session under its own name."""
    last = [get_basename(name) for name in names if name]
    if any(name in ("", ".", "..") or not name.isprintable() or len(name.encode()) > _LONGEST_NAME for name in last):
        raise RequestError(f"form field {field}: a file has a name under which none can be kept; rename it")
    if len(set(last)) < len(last):
        raise RequestError(f"form field {field}: two files have the same name; rename one of them")


def _answer_errors(web: FastAPI, app: Services) -> None:
    def _sentence(status: int, detail: str, **more: bool) -> JSONResponse:
        return PlacelessResponse({"detail": " ".join(detail.split()), **more}, status_code=status)

    @web.exception_handler(PneumoScreenError)
    async def mendable(request: Request, error: Exception) -> JSONResponse:
        note_refusal(kind_of(error))
        return _sentence(status_of(error), str(error))

    @web.exception_handler(Cancelled)
    async def stopped(request: Request, error: Exception) -> JSONResponse:
        # Other conflicts have the same status: an image that is still being copied, for one.
        return _sentence(status_of(error), str(error), cancelled=True)

    @web.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> JSONResponse:
        note_refusal("malformed")
        first = error.errors()[0]
        return _sentence(422, in_words({**first, "loc": first["loc"][1:]}, str(first["loc"][0])))

    @web.exception_handler(ClientDisconnect)
    async def gone(request: Request, error: ClientDisconnect) -> JSONResponse:
        return _sentence(400, "the request ended before its body did")  # no fault of the server's, and nobody reads it

    @web.exception_handler(MONAILabelException)
    async def stock_failure(request: Request, error: MONAILabelException) -> JSONResponse:
        if isinstance(error, (ImageNotFoundException, LabelNotFoundException)):
            return _sentence(404, error.msg)
        # The stock app raises these two for a task, method or strategy that it does not have.
        missing = error.error in (MONAILabelError.INVALID_INPUT, MONAILabelError.APP_INIT_ERROR)
        return _sentence(404 if missing else 500, error.msg)

    @web.exception_handler(Exception)
    async def fault(request: Request, error: Exception) -> JSONResponse:
        if is_full_disk(error) or may_not_write(error, app.studies) or has_no_room(app.studies):
            logger.error("the disk is full or read-only at %s %s: %s", request.method, _route_of(request.scope), error)
            answer = _sentence(503, FULL_DISK)
        else:
            number = uuid.uuid4().hex[:8]
            logger.error("fault %s in %s %s", number, request.method, _route_of(request.scope), exc_info=error)
            answer = _sentence(500, f"the server failed at this request; its log has the reason under {number}")
        answer.headers["Connection"] = (
            "close"  # uvicorn hangs up after a fault: the client's next request would be lost
        )
        return answer

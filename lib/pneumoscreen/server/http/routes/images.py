"""``GET /datastore/image`` of a DICOM folder: the scan as one NRRD file, which stock clients can open.

MONAI Label serves only files. The NRRD has the geometry of the label maps, so that both lie on each other. With
``as_shown`` an X-ray comes as NRRD as well, whatever its file: turned and with the greys as the networks see it, so
that lung boxes and Grad-CAM lie on it.
"""

import hashlib
import os
import threading
from contextlib import ExitStack
from pathlib import Path

import SimpleITK as sitk
from fastapi import APIRouter, Response
from fastapi.responses import FileResponse
from monailabel.config import RBAC_USER
from monailabel.endpoints.datastore import download_image
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from ....errors import ImageError
from ....method import Method
from ....methods import method_for
from ...failures import RequestError
from ...inference.engine import fingerprint
from ...services import Services
from ...store.datastore import StudiesDatastore
from ...store.images import SHOWN, shown_name
from ...store.reading import Reading
from ...work.leases import known_reader
from .identity import CurrentUser

_converting = threading.Lock()
"""One conversion at a time: each holds a whole scan in memory."""


class HeldFile(FileResponse):
    """A file that stays until it was sent, or its client went away."""

    def __init__(self, file: Path, filename: str, held: ExitStack) -> None:
        super().__init__(file, filename=filename)
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await run_in_threadpool(self._held.close)


def image_router(app: Services) -> APIRouter:
    """The route, which stands before MONAI Label's own."""
    router = APIRouter(tags=["Datastore"])

    def converted(image: str, as_shown: bool) -> tuple[Path, Path] | None:
        """The path of an image to be converted and where its NRRD is kept; None for one served as it is, or unknown."""
        if "\x00" in image:
            raise RequestError("image holds a null character")
        store = app.datastore()
        if not isinstance(store, StudiesDatastore):
            return None
        if store.id_of(image) != image:
            store.refuse_if_copied(image)
            return None
        path = Path(store.get_image_uri(image))
        is_converted = path.is_dir() or (as_shown and _method(path, app.engine.reading).shows_as_read)
        return (path, Path(app.studies) / SHOWN) if is_converted else None

    @router.get("/datastore/image", summary=f"{RBAC_USER}Download Image", response_model=None)
    def image_file(image: str, user: CurrentUser, as_shown: bool = False) -> Response:
        found = converted(image, as_shown)
        if found is None:
            return download_image(image)
        store = app.datastore()
        assert isinstance(store, StudiesDatastore)
        with ExitStack() as stack:
            try:
                stack.enter_context(store.held(image))
                file = _as_nrrd(*found, app.engine.reading)
            except ImageError as error:
                app.remember_failure(image, found[0], error, known_reader())
                raise
            return HeldFile(file, f"{image}.nrrd", stack.pop_all())

    @router.head("/datastore/image", summary=f"{RBAC_USER}Check If Image Exists", response_model=None)
    def is_there(image: str, user: CurrentUser, check_sum: str | None = None) -> Response:
        if check_sum or converted(image, as_shown=False) is None:
            download_image(image, check_only=True, check_sum=check_sum)
        return Response()

    return router


def _as_nrrd(source: Path, folder: Path, reading: Reading) -> Path:
    """The image as a file in ``folder``, made anew when a file of it has changed.

    Raises:
        ImageError: if it cannot be read.
    """
    state = hashlib.sha256(repr(fingerprint(source, *reading.more_of(source))).encode()).hexdigest()[:16]
    name = shown_name(source)
    target = folder / f"{name}.{state}.nrrd"
    with _converting:
        if not target.is_file():
            image = _read(source, reading)
            folder.mkdir(parents=True, exist_ok=True)
            for old in folder.glob(f"{name}.*"):
                old.unlink()
            staged = folder / f"{name}.part.nrrd"
            sitk.WriteImage(image, staged, useCompression=True, compressionLevel=1)
            os.replace(staged, target)
    return target


def _read(source: Path, reading: Reading) -> sitk.Image:
    method = _method(source, reading)
    return method.shown(reading.image(method, source))


def _method(path: Path, reading: Reading) -> Method:
    return method_for(reading.modality(path))

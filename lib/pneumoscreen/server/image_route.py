"""``GET /datastore/image`` of a DICOM folder: the scan as one NRRD file, which stock clients can open.

MONAI Label serves only files. The NRRD has the geometry of the label maps, so that both lie on each other.
"""

import hashlib
import os
import threading
from pathlib import Path

import SimpleITK as sitk
from fastapi import APIRouter, Response
from fastapi.responses import FileResponse
from monailabel.config import RBAC_USER
from monailabel.endpoints.datastore import download_image

from ..images import read_volume
from .app import PneumoScreenApp
from .datastore import StudiesDatastore
from .engine import fingerprint
from .failures import RequestError
from .infer_route import CurrentUser

_converting = threading.Lock()
"""One conversion at a time: each holds a whole scan in memory."""


def image_router(app: PneumoScreenApp) -> APIRouter:
    """The route, which stands before MONAI Label's own."""
    router = APIRouter(tags=["Datastore"])

    def series_of(image: str) -> tuple[Path, Path] | None:
        """The DICOM folder of an image and where its NRRD is kept; None for an image that is a file, or unknown."""
        if "\x00" in image:
            raise RequestError("image holds a null character")
        store = app.datastore()
        if not isinstance(store, StudiesDatastore) or store.id_of(image) != image:
            return None
        path = Path(store.get_image_uri(image))
        return (path, store.work_folder / "images") if path.is_dir() else None

    @router.get("/datastore/image", summary=f"{RBAC_USER}Download Image", response_model=None)
    def image_file(image: str, user: CurrentUser) -> Response:
        series = series_of(image)
        if series is None:
            return download_image(image)
        return FileResponse(_as_nrrd(*series), filename=f"{image}.nrrd")

    @router.head("/datastore/image", summary=f"{RBAC_USER}Check If Image Exists", response_model=None)
    def is_there(image: str, user: CurrentUser, check_sum: str | None = None) -> Response:
        if check_sum or series_of(image) is None:
            download_image(image, check_only=True, check_sum=check_sum)
        return Response()

    return router


def _as_nrrd(series: Path, folder: Path) -> Path:
    """The scan as a file in ``folder``, made anew when a file of the series has changed.

    Raises:
        ImageError: if it cannot be read.
    """
    state = hashlib.sha256(repr(fingerprint(series)).encode()).hexdigest()[:16]
    name = hashlib.sha256(os.fsencode(series)).hexdigest()[:16]
    target = folder / f"{name}.{state}.nrrd"
    with _converting:
        if not target.is_file():
            volume = read_volume(series)
            folder.mkdir(parents=True, exist_ok=True)
            for old in folder.glob(f"{name}.*"):
                old.unlink()
            staged = folder / f"{name}.part.nrrd"
            sitk.WriteImage(volume.to_sitk(volume.hu), staged, useCompression=True, compressionLevel=1)
            os.replace(staged, target)
    return target

"""The studies folder as MONAI Label's datastore, without what made the stock one lose or leak files.

- Hidden and junk files (``._scan.nii.gz``) are no images; case documents are labels, never images.
- A sub-folder that holds a DICOM series is an image; its id is the folder's name.
- The index is replaced atomically, and a damaged one is set aside and rebuilt instead of stopping the server.
- Ids and tags cannot lead out of the folder.

Thread contract: requests are served by several threads; every method that changes the objects takes ``_guard``.
"""

import json
import logging
import os
import re
import threading
from pathlib import Path
from typing import Any

from filelock import FileLock
from monailabel.datastore.local import LocalDatastore, LocalDatastoreModel
from monailabel.interfaces.exception import ImageNotFoundException, LabelNotFoundException

from ..case import Case
from ..images.dicom_header import looks_like_dicom
from ..models.durable import replace_durably
from . import WORK_FOLDER
from .failures import RequestError
from .settings import IMAGE_PATTERNS, LABEL_PATTERNS

_SAFE_NAME = re.compile(r"[^/\\\x00-\x1f.][^/\\\x00-\x1f]{0,199}")
_FILES_PROBED = 8

logger = logging.getLogger(__name__)


class StudiesDatastore(LocalDatastore):
    """Images, labels and their index in one local folder."""

    def __init__(self, studies: str, auto_reload: bool = False, read_only: bool = False) -> None:
        self._guard = threading.RLock()
        super().__init__(studies, extensions=list(LABEL_PATTERNS), auto_reload=auto_reload, read_only=read_only)

    @property
    def work_folder(self) -> Path:
        """Where the server keeps what belongs to these studies but is no label."""
        return Path(self._datastore_path) / WORK_FOLDER

    def id_of(self, image: str) -> str | None:
        """The id of an image that is named by its id or by the path of its file; None if it is not offered."""
        with self._guard:
            if image in self._datastore.objects:
                return image
            if os.path.isabs(image):
                real = os.path.realpath(image)
                return next((key for key in self._datastore.objects if self.get_image_uri(key) == real), None)
        return None

    def add_image(self, image_id: str, image_filename: str, image_info: dict[str, Any]) -> str:
        """Take a file in as an image; its id and ending are checked first."""
        if image_id:
            _require_safe("image id", image_id)
        if not _is_image_name(os.path.basename(image_filename)):
            raise RequestError(f"an image is one of {', '.join(IMAGE_PATTERNS)}; convert {image_id!r} first")
        with self._guard:
            return str(super().add_image(image_id, image_filename, image_info))

    def remove_image(self, image_id: str) -> None:
        """Remove an image and its labels."""
        if os.path.isdir(self.get_image_uri(image_id)):
            raise RequestError(f"image {image_id} is a DICOM folder; the server does not delete folders")
        with self._guard:
            super().remove_image(image_id)

    def save_label(self, image_id: str, label_filename: str, label_tag: str, label_info: dict[str, Any]) -> str:
        """Save a label; a JSON label must be a valid case document."""
        _require_safe("label tag", label_tag)
        name = os.path.basename(label_filename)
        if name.endswith(".json"):
            Case.from_json(Path(label_filename).read_text(encoding="utf-8", errors="replace"))
        elif not _is_image_name(name):
            raise RequestError(f"a label is one of {', '.join(LABEL_PATTERNS)}, which {name!r} is not")
        with self._guard:
            return str(super().save_label(image_id, label_filename, label_tag, label_info))

    def remove_label(self, label_id: str, label_tag: str) -> None:
        """Remove one label."""
        if not self.get_label_uri(label_id, label_tag):
            raise LabelNotFoundException(f"there is no label of image {label_id} with tag {label_tag}")
        with self._guard:
            super().remove_label(label_id, label_tag)

    def get_image_info(self, image_id: str) -> dict[str, Any]:
        """Index entry of an image and its path."""
        if image_id not in self._datastore.objects:
            raise ImageNotFoundException(f"image {image_id} is not in the studies folder")
        return dict(super().get_image_info(image_id))

    def get_label_info(self, label_id: str, label_tag: str) -> dict[str, Any]:
        """Index entry of a label."""
        if self._datastore.label(label_id, label_tag) is None:
            raise LabelNotFoundException(f"there is no label of image {label_id} with tag {label_tag}")
        return dict(super().get_label_info(label_id, label_tag))

    def update_image_info(self, image_id: str, info: dict[str, Any]) -> None:
        """Change the index entry of an image."""
        with self._guard:
            super().update_image_info(image_id, info)

    def update_label_info(self, label_id: str, label_tag: str, info: dict[str, Any]) -> None:
        """Change the index entry of a label."""
        with self._guard:
            super().update_label_info(label_id, label_tag, info)

    def get_dataset_archive(self, limit_cases: int | None) -> str:
        """A ZIP of images and final labels."""
        if not self.datalist():
            raise RequestError("no image has a final label yet, so there is no dataset to download")
        return str(super().get_dataset_archive(limit_cases))

    def status(self) -> dict[str, Any]:
        """Counts of images and labels."""
        with self._guard:
            return dict(super().status())

    def json(self) -> dict[str, Any]:
        """The whole index."""
        with self._guard:
            return dict(super().json())

    def refresh(self) -> None:
        """Read the folder again."""
        with self._guard:
            super().refresh()

    # What follows overrides the stock class's own steps.

    def _to_id(self, file: str) -> tuple[str, str]:
        # The stock one also cuts an ending out of the middle of a name.
        for pattern in LABEL_PATTERNS:
            ending = pattern.removeprefix("*")
            if file.endswith(ending):
                return file.removesuffix(ending), ending
        return file, ""

    def _list_files(self, path: str, patterns: list[str]) -> dict[str, str]:
        is_image_folder = os.path.realpath(path) == os.path.realpath(self._datastore.image_path())
        if not is_image_folder:
            return {name: name for name in super()._list_files(path, patterns) if not name.startswith(".")}
        names = sorted(entry.name for entry in os.scandir(path) if _is_image(entry))
        return {name: name for name in names}

    def _init_from_datastore_file(self, throw_exception: bool = False) -> None:
        if throw_exception:
            _set_aside_if_damaged(Path(self._datastore_config_path))
        with self._guard:
            super()._init_from_datastore_file(throw_exception)

    def _update_datastore_file(self, lock: bool = True) -> None:
        def replace() -> None:
            path = Path(self._datastore_config_path)
            content = json.dumps(self._datastore.model_dump(exclude={"base_path"}), indent=2, default=str)
            replace_durably(path, content.encode())
            self._config_ts = path.stat().st_mtime

        with self._guard:
            if not lock:
                replace()
                return
            with FileLock(self._lock_file):
                replace()


def _require_safe(what: str, value: str) -> None:
    if not _SAFE_NAME.fullmatch(value):
        raise RequestError(f"{what} {value!r} is not a plain name: no slashes, no leading dot, at most 200 characters")


def _is_image_name(name: str) -> bool:
    return not name.startswith(".") and any(name.endswith(pattern.removeprefix("*")) for pattern in IMAGE_PATTERNS)


def _is_image(entry: "os.DirEntry[str]") -> bool:
    if entry.name.startswith("."):
        return False
    if entry.is_dir():
        return entry.name != "labels" and _holds_dicom(Path(entry.path))
    return _is_image_name(entry.name)


def _holds_dicom(folder: Path) -> bool:
    """Whether one of the first files of a folder starts as DICOM files do."""
    try:
        files = sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
        return any(looks_like_dicom(path) for path in files[:_FILES_PROBED])
    except OSError:
        return False


def _set_aside_if_damaged(index: Path) -> None:
    if not index.exists():
        return
    try:
        LocalDatastoreModel.model_validate_json(index.read_bytes())
    except ValueError:
        aside = index.with_name(f"{index.name}.damaged-{int(index.stat().st_mtime)}")
        index.rename(aside)
        logger.warning("%s was damaged; it lies now at %s and is rebuilt from the files", index, aside)

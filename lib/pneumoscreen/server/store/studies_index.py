"""The index of a studies folder: which images and labels there are, and MONAI Label's list of them in a file.

- What is an image, and by which id, says ``image_files``; of a server on a PACS, ``pacs_images``.
- The index is replaced atomically, and a damaged one is set aside and rebuilt instead of stopping the server.
- Nothing that it says leads out of the folder.
- A folder that may not be written to is served all the same; the index is then kept in memory.

Thread contract: every method that changes the objects takes ``_guard``; one that searches the folder or puts an image
into it takes ``_refreshing`` before, so that no search that began earlier takes the image out again.
"""

import json
import logging
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock
from monailabel.datastore.local import DataModel, LocalDatastore, LocalDatastoreModel
from monailabel.interfaces.datastore import DefaultLabelTag
from monailabel.interfaces.exception import ImageNotFoundException, LabelNotFoundException

from ...images.examination import Examination
from ...models.atomic_files import is_full_disk, replace_durably
from ...studies.layout import is_plain_name, split_name
from ..failures import may_write
from ..monailabel_settings import IMAGE_PATTERNS, LABEL_PATTERNS
from .datastore_checks import read_index, set_aside_if_damaged
from .images import Images, Progress, unwatched
from .reading import Reading
from .studies_source import images_of

FINAL = DefaultLabelTag.FINAL.value

logger = logging.getLogger(__name__)


class StudiesIndex(LocalDatastore):
    """MONAI Label's local datastore with steps of its own.

    Args:
        studies: the folder.
        read_only: whether nothing is to be written, even where it could be.
        reading: looks into DICOM files.

    Attributes:
        is_read_only: whether nothing is written, by wish or because the folder does not let it.
    """

    def __init__(self, studies: str, read_only: bool, reading: Reading) -> None:
        # Not the stock one: it makes folders where none can be made, and watches files that are half there.
        self._guard = threading.RLock()
        self._refreshing = threading.Lock()
        self._files = images_of(Path(studies), reading)
        self._places: dict[str, str] = {}
        self._hand_info: dict[str, dict[str, Any]] = {}
        self._datastore_path = studies
        self._datastore_config_path = os.path.join(studies, "datastore_v2.json")
        self._extensions = ["*.json", *IMAGE_PATTERNS]
        self._config_ts = 0.0
        self._auto_reload = False
        logging.getLogger("filelock").setLevel(logging.ERROR)
        logging.getLogger("monailabel.datastore.local").setLevel(logging.ERROR)  # its warnings name images
        os.makedirs(studies, exist_ok=True)
        is_writable = may_write(studies)
        self.is_read_only = read_only or not is_writable
        folder = studies if is_writable else tempfile.mkdtemp(prefix="pneumoscreen-index-")
        self._lock_file = os.path.join(folder, ".lock")
        self._datastore = LocalDatastoreModel(
            name="new-dataset", description="New Dataset", images_dir=".", labels_dir="labels"
        )
        self._datastore.base_path = studies
        self._init_from_datastore_file(throw_exception=True)
        self._make_label_folders()
        self._places = self._files.search()
        self._reconcile_datastore()

    def id_of(self, image: str) -> str | None:
        """The id of an image that is named by its id or by the path of its file; None if it is not offered."""
        with self._guard:
            if image in self._datastore.objects:
                return image
            if os.path.isabs(image):
                real = os.path.realpath(image)
                return next((key for key in self._datastore.objects if self.get_image_uri(key) == real), None)
        return None

    def get_image_uri(self, image_id: str) -> str:
        """Path of an image's file or folder, links resolved; empty for an unknown one.

        Raises:
            ImageNotFoundException: if a link was put in its place that may not be followed.
        """
        path = str(super().get_image_uri(image_id))
        if path and not self._files.allowed.shows(path):
            raise ImageNotFoundException(f"image {image_id} is not in the studies folder")
        return path

    def get_label_uri(self, label_id: str, label_tag: str) -> str:
        """Path of a label's file, links resolved; empty for an unknown one.

        Raises:
            LabelNotFoundException: if a link was put in its place that may not be followed.
        """
        path = str(super().get_label_uri(label_id, label_tag))
        if path and not self._files.allowed.shows(path):
            raise LabelNotFoundException(f"the label of image {label_id} is not in the studies folder")
        return path

    def refresh(self) -> None:
        """Read the folder again."""
        with self._refreshing:  # what an earlier search found must not take the place of a later one
            places = self._files.search()
            with self._guard:
                self._places = places
                super().refresh()

    def has_changed(self) -> bool:
        """Whether reading the folder again would find other images."""
        return self._files.has_changed()

    def image_places(self) -> dict[str, Path]:
        """The file or folder of every image that is offered, by its id."""
        with self._guard:
            offered = self._datastore.objects
            return {name: Path(self._datastore_path) / p for name, p in self._places.items() if name in offered}

    def find(self, name: str) -> str | None:
        """The id of an image that is not known by this name yet; None if there is none.

        Raises:
            PneumoScreenError: if whoever knows it cannot be asked.
        """
        found = self._files.find(name)
        self.refresh()  # a DICOM folder that was copied in after the start
        return self.id_of(found or name)

    def unknown(self, name: str) -> str:
        """The sentence on a name that no image has."""
        return self._files.unknown(name)

    def held(self, image_id: str, progress: Progress = unwatched) -> AbstractContextManager[None]:
        """While it lasts, the files of an image are on this disk; see ``images``."""
        return self._files.held(image_id, progress)

    @contextmanager
    def opened(self, image_id: str) -> Iterator[Path]:
        """The path of an image, whose files are on this disk while the block runs."""
        with self.held(image_id):
            yield Path(self.get_image_uri(image_id))

    @property
    def are_elsewhere(self) -> bool:
        """Whether the files of an image are fetched before it can be opened."""
        return self._files.are_elsewhere

    @property
    def images(self) -> Images:
        """Where they are."""
        return self._files

    def examination(self, image_id: str) -> Examination | None:
        """Whose image it is and when it was taken; None where that stands in its files."""
        return self._files.examination(image_id)

    def wait_for_copies(self) -> None:
        """From here on an image is offered only once nobody writes it any more."""
        self._files.waits_for_copies = True

    def is_being_copied(self, image_id: str) -> bool:
        """Whether somebody writes an image now."""
        return image_id in self._files.being_copied

    def hand_label_info(self, image_id: str) -> dict[str, Any]:
        """What an index of MONAI Label's own server said of a label map among the final labels."""
        return self._hand_info.get(image_id, {})

    def _make_label_folders(self) -> None:
        if self.is_read_only:
            logger.warning("the studies folder may not be written to: what is there is served, and nothing is kept")
            return
        for tag in (FINAL, DefaultLabelTag.ORIGINAL.value):
            try:
                os.makedirs(self._datastore.label_path(tag), exist_ok=True)
            except OSError as error:
                logger.warning("there is no folder for labels of the tag %s (%s)", tag, error.strerror)

    def _to_id(self, file: str) -> tuple[str, str]:
        # An image's id may look like a file name; the stock one also cuts an ending out of the middle of a name.
        place = self._places.get(file)
        return (file, "") if place is not None and self._goes_by_id(file, place) else split_name(file)

    def _filename(self, id: str, ext: str) -> str:  # noqa: A002
        # Only what goes by its id has no ending: a folder further down lies elsewhere than its id says.
        return id + ext if ext else self._places.get(id, id)

    def _goes_by_id(self, image_id: str, place: str) -> bool:
        """Whether an image is a DICOM folder, or a file whose name is no id."""
        return split_name(place)[0] != image_id or os.path.isdir(os.path.join(self._datastore_path, place))

    def _list_files(self, path: str, patterns: list[str]) -> dict[str, str]:
        if os.path.realpath(path) != os.path.realpath(self._datastore.image_path()):
            allowed = self._files.allowed
            # The final label is the document of an annotation; a label map there becomes one, or is named as unusable.
            patterns = ["*.json"] if os.path.basename(path) == FINAL else list(LABEL_PATTERNS)
            names = super()._list_files(path, patterns) if allowed.admits(path) else ()
            return {
                name: name for name in names if not name.startswith(".") and allowed.admits(os.path.join(path, name))
            }
        found = (name if self._goes_by_id(name, place) else place for name, place in self._places.items())
        return {name: name for name in found}

    def _reconcile_datastore(self) -> None:
        with self._guard:
            changed = self._remove_non_existing() + self._add_non_existing_images()
            for tag in self._label_tags():
                changed += self._add_non_existing_labels(tag)
            changed += self._remove_non_existing()
            for image_id, place in self._places.items():
                # A CT that arrived later than a picture of the same name, or in another format.
                ending = "" if self._goes_by_id(image_id, place) else split_name(place)[1]
                entry = self._datastore.objects.get(image_id)  # none where it is gone since the search
                if entry is not None and entry.image.ext != ending:
                    entry.image = DataModel(info={"ts": int(time.time()), "name": place}, ext=ending)
                    changed += 1
            if not changed or self.is_read_only:
                return
            try:
                self._update_datastore_file()
            except OSError as error:
                if not is_full_disk(error):
                    raise
                logger.warning("the index cannot be written (%s); it is kept in memory", error.strerror)

    def _label_tags(self) -> list[str]:
        """The folders of labels that there are."""
        folder = self._datastore.label_path(None)
        try:
            return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
        except OSError as error:
            if not self.is_read_only:
                logger.warning("the folder of labels cannot be looked into (%s): none are offered", error.strerror)
            return []

    def _remove_non_existing(self) -> int:
        removed = int(super()._remove_non_existing())
        # An index that somebody wrote, or of before a link was turned elsewhere, offers nothing that is not found.
        unknown = [name for name in self._datastore.objects if name not in self._places]
        for name in unknown:
            del self._datastore.objects[name]
        return removed + len(unknown)

    def _init_from_datastore_file(self, throw_exception: bool = False) -> None:
        index = Path(self._datastore_config_path)
        if throw_exception and not self.is_read_only:
            set_aside_if_damaged(index)
        if self.is_read_only and index.exists() and read_index(index) is None:
            return  # it is damaged, and nobody may set it aside
        with self._guard:
            super()._init_from_datastore_file(throw_exception)
            # Wherever the index says that images and labels lie: they lie here.
            self._datastore.images_dir, self._datastore.labels_dir = ".", "labels"
            for name, entry in self._datastore.objects.items():
                for tag in [tag for tag in entry.labels if not is_plain_name(tag)]:
                    del entry.labels[tag]
                if FINAL in entry.labels and entry.labels[FINAL].ext != ".json":
                    self._hand_info[name] = entry.labels.pop(FINAL).info

    def _take_over(self, other: LocalDatastoreModel | None) -> None:
        """Keep the images that another server on this folder has entered since the index was read."""
        for name, entry in ({} if other is None else other.objects).items():
            place = os.path.join(self._datastore_path, self._filename(name, entry.image.ext))
            if (
                name not in self._datastore.objects
                and is_plain_name(name)
                and self._files.allowed.problem_of(place) is None
            ):
                self._datastore.objects[name] = entry

    def _update_datastore_file(self, lock: bool = True) -> None:
        def replace() -> None:
            path = Path(self._datastore_config_path)
            known: float = getattr(self, "_config_ts", 0.0)
            if path.exists() and path.stat().st_mtime != known:
                self._take_over(read_index(path))
            content = json.dumps(self._datastore.model_dump(exclude={"base_path"}), indent=2, default=str)
            replace_durably(path, content.encode())
            self._config_ts = path.stat().st_mtime

        with self._guard:
            if not lock:
                replace()
                return
            with FileLock(self._lock_file):
                replace()

"""The studies folder as MONAI Label's datastore, without what made the stock one lose or leak files.

- What is an image, and by which id, says ``image_files``: no junk, DICOM folders however deep, radiographs.
- A final label goes through the annotation store: every submission is kept as a version, and deleting the label
  withdraws the versions. Labels of other tags, such as what a model made, are plain files.
- The index is replaced atomically, and a damaged one is set aside and rebuilt instead of stopping the server.
- Ids and tags cannot lead out of the folder.

Thread contract: requests are served by several threads; every method that changes the objects takes ``_guard``.
Submissions take it only once they are stored.
"""

import json
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock
from monailabel.datastore.local import DataModel, ImageLabelModel, LocalDatastore, LocalDatastoreModel
from monailabel.interfaces.datastore import DefaultLabelTag
from monailabel.interfaces.exception import ImageNotFoundException, LabelNotFoundException

from ..case import Case
from ..models.durable import replace_durably
from ..studies.layout import is_plain_name, split_name
from ..studies.versions import READER, Annotation
from ..verdict import DEFAULT_CLASSES, Classes
from . import WORK_FOLDER
from .archive import write_archive
from .datastore_checks import document_text, read_index, require_safe, require_storable, set_aside_if_damaged
from .failures import RequestError, is_full_disk
from .image_files import ImageFiles, is_image_name, place_file, require_single_image
from .reading import Reading
from .settings import IMAGE_PATTERNS, LABEL_PATTERNS
from .submissions import Submissions, requested_base, requested_reader

FINAL = DefaultLabelTag.FINAL.value

logger = logging.getLogger(__name__)


class StudiesDatastore(LocalDatastore):
    """Images, labels and their index in one local folder."""

    def __init__(
        self,
        studies: str,
        auto_reload: bool = False,
        read_only: bool = False,
        classes: Callable[[], Classes] = lambda: DEFAULT_CLASSES,
        reading: Reading | None = None,
    ) -> None:
        self._guard = threading.RLock()
        self._stored = threading.local()
        self._reading = reading or Reading()
        self._files = ImageFiles(Path(studies), self._reading)
        self._places: dict[str, str] = {}
        self.submissions = Submissions(Path(studies), classes, self._reading)
        os.makedirs(studies, exist_ok=True)
        if not read_only:
            self.submissions.store.repair()
        self._find_images()
        super().__init__(studies, extensions=["*.json", *IMAGE_PATTERNS], auto_reload=auto_reload, read_only=read_only)

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
            require_safe("image id", image_id)
        name = os.path.basename(image_filename)
        if not is_image_name(name):
            raise RequestError(f"an image is one of {', '.join(IMAGE_PATTERNS)}; convert {image_id!r} first")
        if name.lower().endswith(".dcm"):
            require_single_image(Path(image_filename), self._reading)
        require_storable(image_info)
        ending = split_name(name)[1]
        image_id = image_id or split_name(name)[0]
        with self._guard, FileLock(self._lock_file):
            there = self._datastore.objects.get(image_id)
            if there is not None and there.image.ext != ending:
                raise RequestError(f"there is an image {image_id} of another format; remove it first, or rename this")
            place_file(image_filename, Path(self._datastore_path) / f"{image_id}{ending}")
            info = {**(image_info or {}), "ts": int(time.time()), "name": f"{image_id}{ending}"}
            self._datastore.objects[image_id] = ImageLabelModel(image=DataModel(info=info, ext=ending))
            self._update_datastore_file(lock=False)
        self.submissions.record("add_image", image_id)
        return image_id

    def remove_image(self, image_id: str) -> None:
        """Remove an image and its labels."""
        if os.path.isdir(self.get_image_uri(image_id)):
            raise RequestError(f"image {image_id} is a DICOM folder; the server does not delete folders")
        with self._guard:
            super().remove_image(image_id)
        self.submissions.record("remove_image", image_id)

    def save_label(self, image_id: str, label_filename: str, label_tag: str, label_info: dict[str, Any]) -> str:
        """Save a label. A JSON label must be a valid case document; a final label becomes an annotation."""
        self._stored.version = None
        require_safe("label tag", label_tag)
        require_storable(label_info)
        if image_id not in self._datastore.objects:
            raise ImageNotFoundException(f"image {image_id} is not in the studies folder")
        name, info = os.path.basename(label_filename), dict(label_info or {})
        ending = split_name(name)[1]
        if f"*{ending.lower()}" not in LABEL_PATTERNS:
            raise RequestError(f"a label is one of {', '.join(LABEL_PATTERNS)}, which {name!r} is not")
        if label_tag == FINAL:
            self._submit_file(image_id, Path(label_filename), ending, info)
            return image_id
        if ending == ".json":
            self._parsed(document_text(Path(label_filename)))
        with self._guard, FileLock(self._lock_file):
            folder = Path(self._datastore.label_path(label_tag))
            folder.mkdir(parents=True, exist_ok=True)
            place_file(label_filename, folder / f"{image_id}{ending}")
            self._enter_label(image_id, label_tag, ending, info)
        return image_id

    def submit(
        self,
        image_id: str,
        document: bytes,
        reader: str | None = None,
        base: int | None = None,
        kind: str = READER,
        info: dict[str, Any] | None = None,
    ) -> Annotation:
        """Keep a case document as the next version of an image's annotation.

        Args:
            image_id: the image.
            document: JSON text.
            reader: whom the request names; see ``submissions``.
            base: version that it was made from.
            kind: ``reader`` or ``adjudication``.
            info: what the index shall say of the label beside who made it.

        Raises:
            PneumoScreenError: if it is refused.
        """
        if image_id not in self._datastore.objects:
            raise ImageNotFoundException(f"image {image_id} is not in the studies folder")
        case = self._parsed(document)
        if case.case_id != image_id:
            raise RequestError(f"field case_id is {case.case_id[:80]!r}, but the image is {image_id!r}; correct it")
        stored = self.submissions.submit(case, reader, base, kind)
        self.show_annotation(image_id, info)
        return stored

    def show_annotation(self, image_id: str, info: dict[str, Any] | None = None) -> None:
        """Let the index say what the annotation store has for an image as its final label."""
        with self._guard, FileLock(self._lock_file):
            counting = self.submissions.store.counting(image_id)
            image = self._datastore.objects.get(image_id)
            if image is None:
                return
            if counting is None:
                image.labels.pop(FINAL, None)
                self._update_datastore_file(lock=False)
                return
            about = counting.summary()
            about = {key: about[key] for key in ("version", "reader", "at", "kind")}
            self._enter_label(image_id, FINAL, ".json", {**(info or {}), **about})

    def stored_version(self) -> Annotation | None:
        """What this thread's last ``save_label`` stored as an annotation; None if it was none."""
        found: Annotation | None = getattr(self._stored, "version", None)
        return found

    def remove_label(self, label_id: str, label_tag: str) -> None:
        """Remove one label. The versions of an annotation are kept; none of them counts any more."""
        label = self._datastore.label(label_id, label_tag)
        if label is None:
            raise LabelNotFoundException(f"there is no label of image {label_id} with tag {label_tag}")
        if label_tag == FINAL and label.ext == ".json":
            self.submissions.withdraw(label_id)
            self.show_annotation(label_id)
            return
        with self._guard:
            super().remove_label(label_id, label_tag)
        self.submissions.record("remove_label", label_id, tag=label_tag)

    def get_image_uri(self, image_id: str) -> str:
        """Path of an image's file or folder, links resolved; empty for an unknown one.

        Raises:
            ImageNotFoundException: if a link was put in its place that leads out of the studies.
        """
        path = str(super().get_image_uri(image_id))
        if path and not self._files.fence.holds(path):
            raise ImageNotFoundException(f"image {image_id} is not in the studies folder")
        return path

    def get_label_uri(self, label_id: str, label_tag: str) -> str:
        """Path of a label's file, links resolved; empty for an unknown one.

        Raises:
            LabelNotFoundException: if a link was put in its place that leads out of the studies.
        """
        path = str(super().get_label_uri(label_id, label_tag))
        if path and not self._files.fence.holds(path):
            raise LabelNotFoundException(f"the label of image {label_id} is not in the studies folder")
        return path

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
        require_storable(info)
        with self._guard:
            super().update_image_info(image_id, info)

    def update_label_info(self, label_id: str, label_tag: str, info: dict[str, Any]) -> None:
        """Change the index entry of a label."""
        require_storable(info)
        with self._guard:
            super().update_label_info(label_id, label_tag, info)

    def get_dataset_archive(self, limit_cases: int | None) -> str:
        """A ZIP of images and final labels; of a DICOM series all files, in a folder of the image's name."""
        with self._guard:
            labelled = sorted(self._datastore.filter_by_tag(FINAL))
            index = self._datastore.model_dump_json(exclude={"base_path"})
        if not labelled:
            raise RequestError("no image has a final label yet, so there is no dataset to download")
        if limit_cases is not None and limit_cases > 0:
            labelled = labelled[:limit_cases]
        pairs = [(name, self.get_image_uri(name), self.get_label_uri(name, FINAL)) for name in labelled]
        return write_archive(
            [(name, Path(image), Path(label)) for name, image, label in pairs], index, self._files.fence.holds
        )

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

    def _submit_file(self, image_id: str, file: Path, ending: str, info: dict[str, Any]) -> None:
        if ending == ".json":
            reader, base = requested_reader(info), requested_base(info)
            self._stored.version = self.submit(image_id, document_text(file), reader, base, info=info)
            return
        self._stored.version = self.submissions.submit_label_map(
            image_id, Path(self.get_image_uri(image_id)), file, info
        )
        self.show_annotation(image_id, info)

    def _parsed(self, document: bytes) -> Case:
        try:
            text = document.decode()
        except UnicodeDecodeError:
            raise RequestError("the case document is not UTF-8 text; save it again") from None
        return Case.from_json(text, self.submissions.store.classes)

    def _enter_label(self, image_id: str, tag: str, ending: str, info: dict[str, Any]) -> None:
        """Put a label into the index; the caller holds guard and lock file."""
        about = {**info, "ts": int(time.time()), "name": f"{image_id}{ending}"}
        self._datastore.objects[image_id].labels[tag] = DataModel(info=about, ext=ending)
        self._update_datastore_file(lock=False)

    # What follows overrides the stock class's own steps.

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

    def _find_images(self) -> None:
        self._places = self._files.search()

    def _list_files(self, path: str, patterns: list[str]) -> dict[str, str]:
        if os.path.realpath(path) != os.path.realpath(self._datastore.image_path()):
            fence = self._files.fence
            names = super()._list_files(path, list(LABEL_PATTERNS)) if fence.admits(path) else ()
            return {name: name for name in names if not name.startswith(".") and fence.admits(os.path.join(path, name))}
        found = (name if self._goes_by_id(name, place) else place for name, place in self._places.items())
        return {name: name for name in found}

    def _reconcile_datastore(self) -> None:
        with self._guard:
            self._find_images()
            try:
                super()._reconcile_datastore()
            except OSError as error:
                if not is_full_disk(error):
                    raise
                logger.warning("the index cannot be written (%s); it is kept in memory", error.strerror)
            for image_id, place in self._places.items():
                # A CT that arrived later than a picture of the same name, or in another format.
                ending = "" if self._goes_by_id(image_id, place) else split_name(place)[1]
                if self._datastore.objects[image_id].image.ext != ending:
                    self._datastore.objects[image_id].image = DataModel(
                        info={"ts": int(time.time()), "name": place}, ext=ending
                    )
                    self._update_datastore_file()

    def _remove_non_existing(self) -> int:
        removed = int(super()._remove_non_existing())
        # An index that somebody wrote, or of before a link was turned elsewhere, offers nothing that is not found.
        unknown = [name for name in self._datastore.objects if name not in self._places]
        for name in unknown:
            del self._datastore.objects[name]
        return removed + len(unknown)

    def _init_from_datastore_file(self, throw_exception: bool = False) -> None:
        if throw_exception:
            set_aside_if_damaged(Path(self._datastore_config_path))
        with self._guard:
            super()._init_from_datastore_file(throw_exception)
            # Wherever the index says that images and labels lie: they lie here.
            self._datastore.images_dir, self._datastore.labels_dir = ".", "labels"
            for entry in self._datastore.objects.values():
                for tag in [tag for tag in entry.labels if not is_plain_name(tag)]:
                    del entry.labels[tag]

    def _take_over(self, other: LocalDatastoreModel | None) -> None:
        """Keep the images that another server on this folder has entered since the index was read."""
        for name, entry in ({} if other is None else other.objects).items():
            place = os.path.join(self._datastore_path, self._filename(name, entry.image.ext))
            if (
                name not in self._datastore.objects
                and is_plain_name(name)
                and self._files.fence.problem_of(place) is None
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

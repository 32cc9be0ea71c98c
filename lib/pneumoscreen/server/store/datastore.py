"""The studies folder as MONAI Label's datastore, without what made the stock one lose or leak files.

- What is an image, and by which id, says ``image_files``: no junk, DICOM folders however deep, radiographs.
- A final label goes through the annotation store: every submission is kept as a version, and deleting the label
  withdraws the versions. Labels of other tags, such as what a model made, are plain files.
- The index is replaced atomically, and a damaged one is set aside and rebuilt instead of stopping the server.
- Ids and tags cannot lead out of the folder.

Thread contract: requests are served by several threads; every method that changes the objects takes ``_guard``.
Submissions take it only once they are stored.
"""

import logging
import os
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from filelock import FileLock
from monailabel.datastore.local import DataModel, ImageLabelModel
from monailabel.interfaces.exception import ImageNotFoundException, LabelNotFoundException

from ...case import Case
from ...studies.annotations import StorageError
from ...studies.layout import is_plain_name, split_name
from ...studies.versions import IMPORT, READER, Annotation, counting_of, current_of
from ...verdict import DEFAULT_CLASSES, Classes
from .. import WORK_FOLDER
from ..access.blind import may_see_others, require_may_see, shown_info
from ..access.identity import Role, speaker
from ..failures import RequestError
from ..monailabel_settings import IMAGE_PATTERNS, LABEL_PATTERNS
from . import raw_labels
from .dataset_zip import write_archive
from .datastore_checks import document_text, is_label_map, require_safe, require_storable
from .image_files import is_image_name, place_file, require_single_image
from .reading import Reading
from .studies_index import FINAL, StudiesIndex
from .submissions import Submissions, requested_base, requested_reader

logger = logging.getLogger(__name__)


class CopyingError(RequestError):
    """An image that is not complete yet."""

    status = 409


class StudiesDatastore(StudiesIndex):
    """Images, labels and their index in one local folder."""

    def __init__(
        self,
        studies: str,
        auto_reload: bool = False,
        read_only: bool = False,
        classes: Callable[[], Classes] = lambda: DEFAULT_CLASSES,
        reading: Reading | None = None,
    ) -> None:
        reading = reading or Reading()
        super().__init__(studies, read_only, reading)
        self._stored = threading.local()
        self._reading = reading
        self.submissions = Submissions(Path(studies), classes, reading)
        self.is_watched = auto_reload
        self._counts: dict[str, Any] = dict(super().status())
        if not self.is_read_only:
            self._repair()

    def refuse_if_copied(self, image_id: str) -> None:
        """Say of an image that is not offered that somebody writes it now, where that is why.

        Raises:
            CopyingError: if so.
        """
        if self.is_being_copied(image_id):
            raise CopyingError(f"image {image_id} is being copied into the studies folder; try again in ten seconds")

    def more_of(self, path: Path) -> tuple[Path, ...]:
        """The further folders of the series that begins in a folder."""
        return self._reading.more_of(path)

    @property
    def work_folder(self) -> Path:
        """Where the server keeps what belongs to these studies but is no label."""
        return Path(self._datastore_path) / WORK_FOLDER

    def add_image(self, image_id: str, image_filename: str, image_info: dict[str, Any]) -> str:
        """Take a file in as an image; its id and ending are checked first."""
        if self.are_elsewhere:
            raise RequestError("the images of this server are those of a PACS; send it there, or open a session")
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
        with self._refreshing, self._guard, FileLock(self._lock_file):
            there = self._datastore.objects.get(image_id)
            if there is not None and there.image.ext != ending:
                raise RequestError(f"there is an image {image_id} of another format; remove it first, or rename this")
            target = Path(self._datastore_path) / f"{image_id}{ending}"
            place_file(image_filename, target)
            self._files.is_whole(target)
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
        self._require_image(image_id)
        name, info = os.path.basename(label_filename), dict(label_info or {})
        ending = split_name(name)[1]
        if name.endswith(raw_labels.ENDING):
            with self.opened(image_id) as path:
                volume = self._reading.volume(path)
            with tempfile.TemporaryDirectory(prefix="pneumoscreen-") as passing:
                file = raw_labels.with_geometry(Path(label_filename), volume, Path(passing))
                return self.save_label(image_id, str(file), label_tag, label_info)
        if f"*{ending.lower()}" not in LABEL_PATTERNS:
            raise RequestError(f"a label is one of {', '.join(LABEL_PATTERNS)}, which {name!r} is not")
        if label_tag == FINAL:
            self._submit_file(image_id, Path(label_filename), ending, info)
            return image_id
        if ending == ".json":
            self._parsed(document_text(Path(label_filename)), image_id)
        else:
            with self.opened(image_id) as path:
                self.submissions.require_fitting(path, Path(label_filename))
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
        self._require_image(image_id)
        case = self._parsed(document, image_id)
        stored = self.submissions.submit(case, reader, base, kind)
        self.show_annotation(image_id, info)
        return stored

    def import_label_map(self, image_id: str, file: Path, reader: str) -> None:
        """Turn a label map that lies among the final labels into an annotation.

        Raises:
            PneumoScreenError: if it cannot be one, or somebody annotated the image meanwhile.
        """
        info = {**self.hand_label_info(image_id), "reader": reader, "base": 0}
        with self.opened(image_id) as path:
            self.submissions.submit_label_map(image_id, path, file, info, IMPORT)
        self.show_annotation(image_id)

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

    def get_image_info(self, image_id: str) -> dict[str, Any]:
        """Index entry of an image and its path."""
        self._require_image(image_id)
        return dict(super().get_image_info(image_id))

    def get_label_info(self, label_id: str, label_tag: str) -> dict[str, Any]:
        """Index entry of a label."""
        if self._datastore.label(label_id, label_tag) is None:
            raise LabelNotFoundException(f"there is no label of image {label_id} with tag {label_tag}")
        info = dict(super().get_label_info(label_id, label_tag))
        hides = label_tag == FINAL and not may_see_others(current_of(self.submissions.store.versions(label_id)))
        return shown_info(info) if hides else info

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
        with ExitStack() as stack:
            images = [(name, stack.enter_context(self.opened(name))) for name in labelled]
            cases = [
                (name, [path, *self._reading.more_of(path)], Path(self.get_label_uri(name, FINAL)))
                for name, path in images
            ]
            return write_archive(cases, index, self._files.allowed.shows)

    def status(self) -> dict[str, Any]:
        """Counts of images and labels; those of a moment ago while somebody changes them.

        ``/info/`` asks from the event loop, which must wait for no disk.
        """
        if self._guard.acquire(blocking=False):
            try:
                self._counts = dict(super().status())
            finally:
                self._guard.release()
        return dict(self._counts)

    def json(self) -> dict[str, Any]:
        """The whole index; of the final labels a reader sees who submitted them and when."""
        with self._guard:
            index = dict(super().json())
        if speaker().role < Role.TRAINER:
            for entry in index["objects"].values():
                if FINAL in entry["labels"]:
                    entry["labels"][FINAL]["info"] = shown_info(entry["labels"][FINAL]["info"])
        return index

    def require_may_see_label(self, image_id: str, tag: str) -> None:
        """Refuse a final label that is another reader's to whoever has not submitted the image yet.

        Raises:
            ForbiddenError: if so.
        """
        if tag == FINAL and is_plain_name(image_id):
            versions = self.submissions.store.versions(image_id)
            require_may_see(versions, counting_of(versions))

    def hand_labels(self) -> dict[str, Path]:
        """The label maps in the folder of the final labels, by image: no annotation puts one there."""
        folder = Path(self._datastore.label_path(FINAL))
        found = ((split_name(path.name)[0], path) for path in sorted(folder.iterdir()) if is_label_map(path.name))
        with self._guard:
            offered = self._datastore.objects.keys()
            return {name: path for name, path in found if name in offered and self._files.allowed.admits(path)}

    def _repair(self) -> None:
        """Bring the labels up to date; that they cannot be is no reason not to serve."""
        try:
            if self.submissions.store.repair():
                self.refresh()
        except (StorageError, OSError) as error:
            logger.warning("the labels cannot be brought up to date: %s", error)

    def _require_image(self, image_id: str) -> None:
        if image_id in self._datastore.objects:
            return
        self.refuse_if_copied(image_id)
        raise ImageNotFoundException(f"image {image_id} is not in the studies folder")

    def _submit_file(self, image_id: str, file: Path, ending: str, info: dict[str, Any]) -> None:
        if ending == ".json":
            reader, base = requested_reader(info), requested_base(info)
            self._stored.version = self.submit(image_id, document_text(file), reader, base, info=info)
            return
        with self.opened(image_id) as path:
            self._stored.version = self.submissions.submit_label_map(image_id, path, file, info)
        self.show_annotation(image_id, info)

    def _parsed(self, document: bytes, image_id: str) -> Case:
        try:
            text = document.decode()
        except UnicodeDecodeError:
            raise RequestError("the case document is not UTF-8 text; save it again") from None
        case = Case.from_json(text, self.submissions.store.classes)
        if case.case_id != image_id:
            raise RequestError(f"field case_id is {case.case_id[:80]!r}, but the image is {image_id!r}; correct it")
        return case

    def _enter_label(self, image_id: str, tag: str, ending: str, info: dict[str, Any]) -> None:
        """Put a label into the index; the caller holds guard and lock file."""
        about = {**info, "ts": int(time.time()), "name": f"{image_id}{ending}"}
        self._datastore.objects[image_id].labels[tag] = DataModel(info=about, ext=ending)
        self._update_datastore_file(lock=False)

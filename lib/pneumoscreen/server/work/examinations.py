"""Whose each image is and when it was taken, for the worklist: read in the background, by a process with limits.

A patient has a name that tells nothing but who is the same (``studies.keyed_names``), made of what also tells patients
apart in the split (``studies.patients``). Neither name, age nor date enters a log or a file.

Thread contract: one lock guards what is known and what is wanted; one thread reads, and ends when nothing is wanted.
"""

import logging
import re
import threading
from dataclasses import dataclass
from pathlib import Path

from ...errors import PneumoScreenError
from ...images.examination import Examination
from ...models.atomic_files import changed_ns
from ...studies.keyed_names import key_of, keyed
from ...studies.layout import PICTURE_ENDINGS, VOLUME_ENDINGS
from ...studies.patients import PATIENTS_FILE, patient_name, read_patients
from ..store.datastore import StudiesDatastore
from ..store.reading import Reading

_UID = re.compile(r"\d+(\.\d+){2,}")
_NO_HEADER = (*VOLUME_ENDINGS, *PICTURE_ENDINGS)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Examined:
    """What the worklist shows of an image: the patient's hashed name, the age in years, and the day it was taken."""

    patient: str | None = None
    age: int | None = None
    acquired: str | None = None


class Examinations:
    """The examinations of a studies folder.

    Args:
        datastore: says which images there are.
        reading: looks into DICOM files.
    """

    def __init__(self, datastore: StudiesDatastore, reading: Reading) -> None:
        self._datastore = datastore
        self._reading = reading
        self._lock = threading.Lock()
        self._known: dict[str, tuple[int, Examination]] = {}
        self._wanted: dict[str, int] = {}
        self._is_reading = False
        self._listed: tuple[int, dict[str, str]] = (-1, {})
        self._key: bytes | None = None

    def all(self) -> dict[str, Examined]:
        """What is known of every image now; what is not yet known is read in the background."""
        places, studies = self._datastore.image_places(), Path(self._datastore.work_folder).parent
        listed = self._patients(studies)
        found = {}
        with self._lock:
            key = self._key = self._key or key_of(studies)
            for name, path in places.items():
                known = self._examination(name, path)
                if known is not None:
                    patient = patient_name(name, known.patient_key or listed.get(name))
                    found[name] = Examined(keyed(key, patient), known.age, known.acquired)
            self._known = {name: known for name, known in self._known.items() if name in places}
            if self._wanted and not self._is_reading:
                self._is_reading = True
                threading.Thread(target=self._read, name="EXAMINATIONS", daemon=True).start()
        return found

    def of(self, name: str, path: Path) -> Examination:
        """The examination of an image, read now where it is not known yet.

        Args:
            name: the image's id.
            path: its file or folder.
        """
        with self._lock:
            known = self._examination(name, path)
            changed = self._wanted.pop(name, None)
        if known is not None:
            return known
        examination = self._reading.examination(path)
        with self._lock:
            self._known[name] = changed or 0, examination
        return examination

    def named(self, uid: str) -> str | None:
        """The one image whose series or study has a UID; None where there is none or several."""
        if not _UID.fullmatch(uid):
            return None
        places = self._datastore.image_places().items()
        found = [(name, self.of(name, path)) for name, path in places]
        for names in (
            [name for name, each in found if each.series_uid == uid],
            [name for name, each in found if each.study_uid == uid],
        ):
            if len(names) == 1:
                return names[0]
        return None

    def _examination(self, name: str, path: Path) -> Examination | None:
        """What is known of an image; None where it has yet to be read. The caller holds the lock."""
        told = self._datastore.examination(name)
        if told is not None:
            return told
        if path.name.lower().endswith(_NO_HEADER) and not path.is_dir():
            return Examination()
        changed = changed_ns(path)
        known = self._known.get(name)
        if known is not None and known[0] == changed:
            return known[1]
        self._wanted[name] = changed
        return None

    def _read(self) -> None:
        while True:
            with self._lock:
                if not self._wanted:
                    self._is_reading = False
                    return
                name, changed = self._wanted.popitem()
            try:
                examination = self._reading.examination(Path(self._datastore.get_image_uri(name)))
            except Exception as error:  # an image that is gone, say: nothing is known of it
                logger.warning("the header of an image could not be read (%s)", type(error).__name__)
                examination = Examination()
            with self._lock:
                self._known[name] = changed, examination

    def _patients(self, studies: Path) -> dict[str, str]:
        """The site's own list of patients; none where it cannot be used."""
        changed = changed_ns(studies / PATIENTS_FILE)
        if self._listed[0] != changed:
            try:
                listed = read_patients(studies)
            except (PneumoScreenError, OSError):
                logger.warning(
                    "%s cannot be used for the worklist; a training says what is wrong with it", PATIENTS_FILE
                )
                listed = {}
            self._listed = changed, listed
        return self._listed[1]

"""Whose each image is and when it was taken, for the worklist: read in the background, by a process with limits.

A patient has a name that tells nothing but who is the same: a hash with a key of the studies folder, so that nobody
who sees the name can try numbers until one fits. It is made of what also tells patients apart in the split
(``studies.patients``). Neither name, age nor date enters a log or a file.

Thread contract: one lock guards what is known and what is wanted; one thread reads, and ends when nothing is wanted.
"""

import hmac
import logging
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path

from ..errors import PneumoScreenError
from ..images.examination import Examination
from ..models.durable import changed_ns
from ..studies.layout import AUDIT, PICTURE_ENDINGS, VOLUME_ENDINGS
from ..studies.patients import PATIENTS_FILE, patient_name, read_patients
from ..studies.versions import write_exclusively
from .datastore import StudiesDatastore
from .reading import Reading

KEY_FILE = AUDIT / "patients.key"
"""Below the studies folder. Beside the log, because with another key every patient has another name."""
_KEY_BYTES = 32
_DIGITS = 12
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
            key = self._key = self._key or _key_of(studies)
            for name, path in places.items():
                known = self._examination(name, path)
                if known is not None:
                    patient = patient_name(name, known.patient_key or listed.get(name))
                    found[name] = Examined(_hashed(key, patient), known.age, known.acquired)
            self._known = {name: known for name, known in self._known.items() if name in places}
            if self._wanted and not self._is_reading:
                self._is_reading = True
                threading.Thread(target=self._read, name="EXAMINATIONS", daemon=True).start()
        return found

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


def _hashed(key: bytes, patient: str) -> str:
    return hmac.new(key, patient.encode("utf-8", "surrogatepass"), "sha256").hexdigest()[:_DIGITS]


def _key_of(studies: Path) -> bytes:
    """The key of a studies folder, made at its first use; where it cannot be kept it holds until the server ends."""
    path, made = studies / KEY_FILE, secrets.token_bytes(_KEY_BYTES)
    try:
        path.parent.mkdir(exist_ok=True)
        write_exclusively(path, made.hex().encode(), mode=0o600)
        return made
    except FileExistsError:
        pass
    except OSError as error:
        if not path.is_file():
            logger.warning("%s cannot be written (%s): patients have other names after a restart", path, error.strerror)
            return made
    try:
        kept = bytes.fromhex(path.read_text(encoding="ascii"))
        if len(kept) == _KEY_BYTES:
            return kept
    except (OSError, ValueError):
        pass
    logger.error("%s is damaged; restore it from a backup: until then patients have other names", path)
    return made

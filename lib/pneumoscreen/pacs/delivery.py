"""Where results go that do not go to a PACS by DICOMweb: a folder, or another machine by C-STORE."""

import re
from hashlib import sha256
from io import BytesIO
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import (
    ComprehensiveSRStorage,
    EncapsulatedPDFStorage,
    ExplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)
from pynetdicom import AE

from ..errors import ConfigError
from ..models.atomic_files import replace_durably
from .client import PacsAwayError, PacsError, PacsRefusedError
from .receiver import require_title

_CLASSES = (SegmentationStorage, ComprehensiveSRStorage, EncapsulatedPDFStorage, SecondaryCaptureImageStorage)
_TIMEOUT_S = 60.0
_WARNING = 0xB000
_OUT_OF_RESOURCES = range(0xA700, 0xA800)
_PLACE = re.compile(r"(?P<title>[^@]+)@(?P<host>[^@:]+|\[[0-9A-Fa-f:.]+\]):(?P<port>\d{1,5})")


class FolderDelivery:
    """Writes results as files, ``STUDY/MODALITY-HASH.dcm``; the same object is the same file.

    Args:
        folder: for them; made where missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"--out {folder}: cannot be made ({error.strerror}); name another folder") from None

    def store(self, dataset: Dataset) -> None:
        """See ``Destination``."""
        study, content = self._folder / str(dataset.StudyInstanceUID), BytesIO()
        dataset.save_as(content, write_like_original=False)
        name = f"{dataset.Modality}-{sha256(dataset.SOPInstanceUID.encode()).hexdigest()[:12]}.dcm"
        try:
            study.mkdir(parents=True, exist_ok=True)
            replace_durably(study / name, content.getvalue())
        except OSError as error:
            raise PacsAwayError(f"--out {self._folder}: cannot be written ({error.strerror}); free the disk") from None


class StoreDelivery:
    """Sends results by C-STORE.

    Args:
        place: ``TITLE@HOST:PORT``.
        calling: the AE title of this program.

    Raises:
        ConfigError: if the place is none.
    """

    def __init__(self, place: str, calling: str) -> None:
        found = _PLACE.fullmatch(place)
        if found is None or not 0 < int(found["port"]) < 1 << 16:
            raise ConfigError(f"--send-to {place}: is no AE title with host and port, as PACS@10.0.0.5:104 is")
        for title in (found["title"], calling):
            require_title(title)
        self._place, self._title = f"{found['host']}:{found['port']}", found["title"]
        self._host, self._port = found["host"].strip("[]"), int(found["port"])
        self._entity = AE(calling)
        self._entity.acse_timeout = self._entity.dimse_timeout = self._entity.network_timeout = _TIMEOUT_S
        self._entity.connection_timeout = _TIMEOUT_S
        for kind in _CLASSES:
            self._entity.add_requested_context(kind, ExplicitVRLittleEndian)

    def store(self, dataset: Dataset) -> None:
        """See ``Destination``."""
        association = self._entity.associate(self._host, self._port, ae_title=self._title)
        if not association.is_established:
            if association.is_rejected:
                raise PacsRefusedError(
                    f"{self._place}: it refuses this program; enter the AE title {self._entity.ae_title} there"
                )
            raise PacsAwayError(f"{self._place}: does not answer by DICOM; check host and port and that it runs")
        try:
            answer = association.send_c_store(dataset)
        except ValueError:
            raise PacsError(f"{self._place}: does not take {dataset.SOPClassUID.name}; allow it there") from None
        finally:
            association.release()
        status = int(answer.get("Status", -1))
        if status in _OUT_OF_RESOURCES or status < 0:
            raise PacsAwayError(f"{self._place}: cannot take a result now ({status & 0xFFFF:#06x})")
        if status != 0 and status & 0xF000 != _WARNING:
            raise PacsError(f"{self._place}: does not take a result (status {status:#06x})")

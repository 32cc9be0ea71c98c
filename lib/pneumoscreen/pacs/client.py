"""A PACS by DICOMweb: QIDO-RS page by page, WADO-RS into a folder, STOW-RS; every failure is one ``PacsError``.

No sentence quotes what the PACS answered or what was asked for: both may name a patient.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from dicomweb_client.api import DICOMwebClient
from pydicom.dataset import Dataset

from ..errors import Cancelled, PneumoScreenError
from ..images.examination import Examination
from ..limits import Limits
from .access import PASSING_STATUS, Access, session_of
from .answers import examination_in, number_in, text_of, uid_in
from .faults import (
    PacsAwayError,
    PacsError,
    PacsGoneError,
    PacsRefusedError,
    PacsRubbishError,
    PacsSlowError,
)
from .transfer import Most, Tell, nobody, save_images

__all__ = [
    "Access",
    "Pacs",
    "PacsAwayError",
    "PacsError",
    "PacsGoneError",
    "PacsRefusedError",
    "PacsRubbishError",
    "PacsSlowError",
    "SeriesFound",
    "StudyFound",
]

PAGE = 100
_DUPLICATE = 0x0111
_WHOLE = 1 << 40
_NAMED_BY = ("0020000D", "0020000E", "00080018")
_IMAGES = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_ABOUT_STUDY = ("00201208", "00100020", "00100021", "00100030", "00101010", "00080020")
"""Number of instances; what tells a patient, the patient's age and the day."""


@dataclass(frozen=True)
class StudyFound:
    """A study of the PACS; ``instances`` is None where it does not say how many there are."""

    uid: str
    instances: int | None = None
    examination: Examination = field(default_factory=Examination, compare=False)


@dataclass(frozen=True)
class SeriesFound:
    """A series of a study; ``instances`` as of a study."""

    uid: str
    modality: str
    instances: int | None = None


class Pacs:
    """One PACS; whatever it is asked raises ``PacsError`` where it does not answer as it should.

    Args:
        access: where it is, and who asks.
        retries: how often a request that met a passing fault is repeated before it counts as failed.
        backoff_s: before the second repetition; each further one waits twice as long.

    Raises:
        ConfigError: if the address is none, or the ways to authenticate do not go together.
    """

    def __init__(self, access: Access, *, retries: int = 4, backoff_s: float = 0.5) -> None:
        self.host = urlsplit(access.url).netloc
        session = session_of(access, retries, backoff_s)
        self._access, self._session = access, session
        self._url = url = access.url.rstrip("/")
        self._most = Most.of(Limits.of_environment())
        self._reading = DICOMwebClient(url, session)
        # What goes in one piece can be sent again after a fault.
        self._storing = DICOMwebClient(self._url, session, chunk_size=_WHOLE)
        for client in (self._reading, self._storing):
            client.set_http_retry_params(retry=False)

    def studies(self, modalities: Sequence[str], days: str | None = None) -> Iterator[StudyFound]:
        """The studies with an image of one of these modalities.

        Args:
            modalities: asked for one by one, since not every PACS takes several.
            days: of StudyDate, as DICOM writes a range; None for all.
        """
        known: set[str] = set()
        for modality in modalities:
            filters = {"ModalitiesInStudy": modality, **({"StudyDate": days} if days else {})}
            for study in self._studies(filters):
                if study.uid not in known:
                    known.add(study.uid)
                    yield study

    def study(self, uid: str) -> StudyFound | None:
        """A study by its UID; None where there is none."""
        # Some PACS pass over a filter that they do not know, and answer with everything.
        return next((study for study in self._studies({"StudyInstanceUID": uid}) if study.uid == uid), None)

    def studies_by_accession(self, number: str) -> list[StudyFound]:
        """The studies of an accession number."""
        return list(self._studies({"AccessionNumber": number}, lambda item: text_of(item, "00080050") == number))

    def study_of_series(self, series_uid: str) -> str | None:
        """UID of the study of a series; None where there is no such series."""
        filters = {"SeriesInstanceUID": series_uid}
        found = self._pages("series", self._reading.search_for_series, ["0020000D"], filters)
        studies = (uid_in(item, "0020000D") for item in found if uid_in(item, "0020000E") == series_uid)
        return next(filter(None, studies), None)

    def _studies(
        self, filters: Mapping[str, str], is_meant: Callable[[Mapping[str, Any]], bool] = bool
    ) -> Iterator[StudyFound]:
        for item in self._pages("studies", self._reading.search_for_studies, _ABOUT_STUDY, filters):
            if (uid := uid_in(item, "0020000D")) and is_meant(item):
                yield StudyFound(uid, number_in(item, "00201208"), examination_in(item))

    def series(self, study_uid: str) -> list[SeriesFound]:
        """The series of a study."""
        found = self._pages("series", partial(self._reading.search_for_series, study_uid), ["00201209"])
        return [
            SeriesFound(uid, text_of(item, "00080060"), number_in(item, "00201209"))
            for item in found
            if (uid := uid_in(item, "0020000E"))
        ]

    def instances(self, study_uid: str, series_uid: str) -> list[str]:
        """The UIDs of a series' instances."""
        search = partial(self._reading.search_for_instances, study_uid, series_uid)
        found = self._pages("instances", search, ["00080018"])
        return [uid for item in found if (uid := uid_in(item, "00080018"))]

    def header(self, study_uid: str, series_uid: str, instance_uid: str) -> Dataset:
        """The header of an instance."""
        with self._asking("for the header of an image"):
            return Dataset.from_json(self._reading.retrieve_instance_metadata(study_uid, series_uid, instance_uid))

    def fetch(
        self, study_uid: str, series_uid: str, folder: Path, instance_uid: str | None = None, tell: Tell = nobody
    ) -> int:
        """Write the files of a series, or of one of its instances, into a folder, as the PACS keeps them.

        Returns:
            How many there were.
        """
        place = f"{self._url}/studies/{study_uid}/series/{series_uid}"
        place += f"/instances/{instance_uid}" if instance_uid else ""
        with (
            self._asking("for the images of a series"),
            self._session.get(place, headers={"Accept": _IMAGES}, stream=True) as response,
        ):
            response.raise_for_status()
            return save_images(response, folder, self.host, self._most, tell)

    def store(self, dataset: Dataset) -> None:
        """Store one object; one that is there already counts as stored."""
        with self._asking("to store a result"):
            try:
                answer = self._storing.store_instances([dataset])
            except requests.HTTPError as error:
                if error.response is None or error.response.status_code != requests.codes.conflict:
                    raise
                answer = Dataset.from_json(error.response.json())
        uid = str(dataset.SOPInstanceUID)
        if not answer:
            return
        stored = {str(item.ReferencedSOPInstanceUID) for item in answer.get("ReferencedSOPSequence", ())}
        reasons = {
            str(item.get("ReferencedSOPInstanceUID", uid)): int(item.get("FailureReason", 0))
            for item in answer.get("FailedSOPSequence", ())
        }
        if uid not in stored and reasons.get(uid) != _DUPLICATE:
            raise PacsError(
                f"{self.host}: the PACS does not take a result (reason {reasons.get(uid, 0):#06x}); allow this program "
                "to store Segmentation, Comprehensive SR, Encapsulated PDF and Secondary Capture"
            )

    def _pages(
        self, what: str, search: Callable[..., Any], fields: Sequence[str], filters: Mapping[str, str] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Every item of a search.

        Some PACS know no offset and give the same page again; Orthanc 1.10 loses what is behind the first page where it
        looks for modalities. So a search that ends with the first page, and that is full, is done once more in one
        piece; where pages turn, no more than one of them is held.
        """
        before: list[dict[str, Any]] = []
        known: set[tuple[str, ...]] = set()
        offset = 0
        while True:
            page = self._page(what, search, fields, filters, limit=PAGE, offset=offset)
            is_over = not page or page == before
            if is_over and len(before) >= PAGE and offset == len(before):
                page = self._page(what, search, fields, filters)
            elif is_over:
                return
            for item in page:
                name = tuple(uid_in(item, tag) for tag in _NAMED_BY)
                if name not in known:
                    known.add(name)
                    yield item
            if is_over:
                return
            # Some give fewer than they are asked for, and have more.
            before, offset = page, offset + len(page)

    def _page(
        self,
        what: str,
        search: Callable[..., Any],
        fields: Sequence[str],
        filters: Mapping[str, str] | None,
        **part: int,
    ) -> list[dict[str, Any]]:
        with self._asking(f"for {what}"):
            page = search(search_filters=dict(filters or {}), fields=list(fields), **part)
        if not isinstance(page, list) or not all(isinstance(item, dict) for item in page):
            raise self._rubbish(f"for {what}")
        return page

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        """Turn every way in which a request fails into one sentence."""
        try:
            yield
        except requests.HTTPError as error:
            raise self._of_status(what, 0 if error.response is None else error.response.status_code) from None
        except requests.exceptions.SSLError:
            raise PacsRefusedError(
                f"{self.host}: its certificate cannot be checked; name the file of its authority "
                f"({self._access.option}ca-file)"
            ) from None
        except requests.exceptions.JSONDecodeError:
            raise self._rubbish(what) from None
        except requests.Timeout:
            raise PacsSlowError(f"{self.host}: the PACS takes too long when asked {what}; ask again later") from None
        except requests.RequestException:
            raise PacsAwayError(
                f"{self.host}: the PACS does not answer when asked {what}; check its address and that it runs"
            ) from None
        except (OSError, PneumoScreenError, Cancelled):
            raise
        except Exception:
            # dicomweb-client and pydicom raise whatever an odd answer happens to break.
            raise self._rubbish(what) from None

    def _of_status(self, what: str, status: int) -> PacsError:
        if status in (401, 403, 407):
            return PacsRefusedError(
                f"{self.host}: the PACS refuses this program when asked {what} ({status}); "
                "check user and password, or token"
            )
        if status == 504:
            return PacsSlowError(f"{self.host}: the PACS takes too long when asked {what} ({status})")
        if status >= 500 or status in PASSING_STATUS:
            return PacsAwayError(f"{self.host}: the PACS cannot serve now when asked {what} ({status})")
        kind = PacsGoneError if status in (404, 410) else PacsError
        return kind(
            f"{self.host}: the PACS says no when asked {what} ({status}); "
            "check that the address is its DICOMweb service"
        )

    def _rubbish(self, what: str) -> PacsRubbishError:
        return PacsRubbishError(
            f"{self.host}: the PACS gives no DICOMweb answer when asked {what}; "
            "check that the address is its DICOMweb service"
        )

"""A PACS by DICOMweb: QIDO-RS page by page, WADO-RS into a folder, STOW-RS; every failure is one ``PacsError``.

No sentence quotes what the PACS answered or what was asked for: both may name a patient.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from dicomweb_client.api import DICOMwebClient
from pydicom.dataset import Dataset
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth
from urllib3.util.retry import Retry

from ..errors import ConfigError, PneumoScreenError
from .parts import ACCEPT, files_in

PAGE = 100
_TIMEOUT_S = (10.0, 120.0)
"""Ours: to connect, and between two packets: a PACS may have to fetch a study from its archive."""
_PASSING_STATUS = (429, 502, 503, 504)
_DUPLICATE = 0x0111
_WHOLE = 1 << 40
_UID = re.compile(r"[0-9.]{1,64}")


class PacsError(PneumoScreenError):
    """The PACS did not do what it was asked to."""


class PacsAwayError(PacsError):
    """The PACS does not answer, or cannot serve now."""


class PacsRefusedError(PacsError):
    """The PACS does not let this program in."""


class PacsRubbishError(PacsError):
    """The PACS answered what DICOMweb does not know."""


@dataclass(frozen=True)
class Access:
    """Where a PACS is and how it knows who asks.

    Attributes:
        url: of its DICOMweb service.
        user: name for basic authentication, with ``password``.
        token: bearer token, instead of user and password.
        ca_file: certificates that its own is checked with, in place of the system's.
        client_cert: certificate (with key) that it asks for.
    """

    url: str
    user: str | None = None
    password: str | None = None
    token: str | None = None
    ca_file: Path | None = None
    client_cert: Path | None = None


@dataclass(frozen=True)
class StudyFound:
    """A study of the PACS; ``instances`` is None where it does not say how many there are."""

    uid: str
    instances: int | None = None


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
        _check(access)
        self.host = urlsplit(access.url).netloc
        session = requests.Session()
        retry = Retry(
            total=retries,
            backoff_factor=backoff_s,
            status_forcelist=_PASSING_STATUS,
            allowed_methods=None,  # storing twice stores once: the UIDs are the same
            raise_on_status=False,
        )
        for scheme in ("http://", "https://"):
            session.mount(scheme, _Adapter(access.ca_file, retry))
        if access.token:
            session.auth = _Bearer(access.token)
        elif access.user:
            session.auth = HTTPBasicAuth(access.user.encode(), (access.password or "").encode())
        if access.client_cert is not None:
            session.cert = str(access.client_cert)
        self._session, self._url = session, access.url.rstrip("/")
        self._reading = DICOMwebClient(self._url, session)
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
            for item in self._pages("studies", self._reading.search_for_studies, "00201208", filters):
                uid = _uid(item, "0020000D")
                if uid and uid not in known:
                    known.add(uid)
                    yield StudyFound(uid, _number(item, "00201208"))

    def series(self, study_uid: str) -> list[SeriesFound]:
        """The series of a study."""
        found = self._pages("series", partial(self._reading.search_for_series, study_uid), "00201209")
        return [
            SeriesFound(uid, _text(item, "00080060"), _number(item, "00201209"))
            for item in found
            if (uid := _uid(item, "0020000E"))
        ]

    def instances(self, study_uid: str, series_uid: str) -> list[str]:
        """The UIDs of a series' instances."""
        search = partial(self._reading.search_for_instances, study_uid, series_uid)
        found = self._pages("instances", search, "00080018")
        return [uid for item in found if (uid := _uid(item, "00080018"))]

    def header(self, study_uid: str, series_uid: str, instance_uid: str) -> Dataset:
        """The header of an instance."""
        with self._asking("for the header of an image"):
            return Dataset.from_json(self._reading.retrieve_instance_metadata(study_uid, series_uid, instance_uid))

    def fetch(self, study_uid: str, series_uid: str, folder: Path, instance_uid: str | None = None) -> int:
        """Write the files of a series, or of one of its instances, into a folder, as the PACS keeps them and unread.

        Returns:
            How many there were.
        """
        with self._asking("for the images of a series"):
            place = f"studies/{study_uid}/series/{series_uid}" + (f"/instances/{instance_uid}" if instance_uid else "")
            with self._session.get(f"{self._url}/{place}", headers=ACCEPT, stream=True) as answer:
                answer.raise_for_status()
                count = 0
                for count, content in enumerate(files_in(answer), start=1):
                    (folder / f"{count:05d}.dcm").write_bytes(content)
            return count

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
        self, what: str, search: Callable[..., Any], field: str, filters: Mapping[str, str] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Every item of a search. A PACS that knows no offset gives the same page again, which ends the search."""
        before: list[dict[str, Any]] = []
        offset = 0
        while True:
            with self._asking(f"for {what}"):
                page = search(search_filters=dict(filters or {}), fields=[field], limit=PAGE, offset=offset)
            if not isinstance(page, list) or not all(isinstance(item, dict) for item in page):
                raise self._rubbish(f"for {what}")
            if not page or page == before:
                return
            yield from page
            # Some give fewer than they are asked for, and have more.
            before, offset = page, offset + len(page)

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        """Turn every way in which a request fails into one sentence."""
        try:
            yield
        except requests.HTTPError as error:
            raise self._of_status(what, 0 if error.response is None else error.response.status_code) from None
        except requests.exceptions.SSLError:
            raise PacsRefusedError(
                f"{self.host}: its certificate cannot be checked; name the file of its authority (--ca-file)"
            ) from None
        except requests.exceptions.JSONDecodeError:
            raise self._rubbish(what) from None
        except requests.RequestException:
            raise PacsAwayError(
                f"{self.host}: the PACS does not answer when asked {what}; check its address and that it runs"
            ) from None
        except (OSError, PneumoScreenError):
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
        if status >= 500 or status in _PASSING_STATUS:
            return PacsAwayError(f"{self.host}: the PACS cannot serve now when asked {what} ({status})")
        return PacsError(
            f"{self.host}: the PACS says no when asked {what} ({status}); "
            "check that the address is its DICOMweb service"
        )

    def _rubbish(self, what: str) -> PacsRubbishError:
        return PacsRubbishError(
            f"{self.host}: the PACS gives no DICOMweb answer when asked {what}; "
            "check that the address is its DICOMweb service"
        )


class _Bearer(AuthBase):
    """A token; as ``auth`` of a session, since a user's ``.netrc`` would take the place of a header."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class _Adapter(HTTPAdapter):
    """No request waits for ever, and what is named here goes before ``REQUESTS_CA_BUNDLE``."""

    def __init__(self, ca_file: Path | None, retry: Retry) -> None:
        self._ca_file = ca_file
        super().__init__(max_retries=retry)

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        if options.get("timeout") is None:
            options["timeout"] = _TIMEOUT_S
        if self._ca_file is not None:
            options["verify"] = str(self._ca_file)
        return super().send(request, **options)


def _check(access: Access) -> None:
    try:
        parts = urlsplit(access.url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_address = False
    if not is_address:
        raise ConfigError(
            "--pacs: is no address of a DICOMweb service; give one such as https://pacs.clinic.org/dicom-web"
        )
    if parts.username or parts.password:
        raise ConfigError("--pacs: holds a user or password, which others could read; use --user and the environment")
    if access.token and access.user:
        raise ConfigError("--user: does not go with a token; leave one of them out")
    for option, file in (("--ca-file", access.ca_file), ("--client-cert", access.client_cert)):
        if file is not None and not file.is_file():
            raise ConfigError(f"{option} {file}: is no file; name an existing one")


def _values(item: Mapping[str, Any], tag: str) -> list[Any]:
    field = item.get(tag)
    values = field.get("Value") if isinstance(field, dict) else None
    return values if isinstance(values, list) else []


def _text(item: Mapping[str, Any], tag: str) -> str:
    return next((value.strip() for value in _values(item, tag) if isinstance(value, str)), "")


def _uid(item: Mapping[str, Any], tag: str) -> str:
    text = _text(item, tag)
    return text if _UID.fullmatch(text) else ""


def _number(item: Mapping[str, Any], tag: str) -> int | None:
    try:
        return next((int(value) for value in _values(item, tag)), None)
    except (TypeError, ValueError):
        return None

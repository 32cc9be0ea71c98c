"""The studies of a PACS as jobs: what QIDO tells of each, page by page; nothing is fetched here."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from ..errors import ConfigError
from ..images.dicom_series import RADIOGRAPHS
from ..pacs.access import Access
from ..pacs.client import Pacs, PacsAwayError, PacsError, PacsRefusedError, SeriesFound
from ..pacs.privacy import unlogged
from ..pacs.selection import FILMS, MODALITIES, since
from .jobs import Job, key_of, shown

_DATES = re.compile(r"(\d{8})?(-)?(\d{8})?")


@dataclass(frozen=True)
class Query:
    """What of a PACS is screened.

    Attributes:
        access: where it is, and who asks.
        dates: of StudyDate, as DICOM writes a range; None for all.
        modalities: of DICOM.
    """

    access: Access
    dates: str | None = None
    modalities: tuple[str, ...] = MODALITIES


@dataclass(frozen=True)
class StudyJob(Job):
    """A study of which one image is screened.

    Its stamp is what the PACS tells of all its images. That of a screened one is what it tells of the series that was
    screened: others that come to the study later do not change it.

    Attributes:
        study_uid: of it.
        series: those that may be screened; none where the PACS did not tell.
        is_ahead: whether it is only fetched while the worker screens what it fetched before.
    """

    study_uid: str
    series: tuple[SeriesFound, ...]
    is_ahead: bool = True

    def is_as_before(self, stamp: str) -> bool:
        """See ``Job``."""
        return stamp == self.stamp or any(stamp == stamp_of(series) for series in self.series)

    def at_once(self) -> Job:
        """See ``Job``."""
        return replace(self, is_ahead=False)


@dataclass(frozen=True)
class StudyChoice:
    """What a user says of a PACS; see ``access.Access`` for the first three.

    Attributes:
        days: of these last days studies are taken; 0 for all.
        dates: the range of StudyDate, in place of ``days``.
        modality: only images of this method, by its name; None for both.
    """

    user: str | None = None
    ca_file: Path | None = None
    client_cert: Path | None = None
    days: int = 0
    dates: str | None = None
    modality: str | None = None


def query_of(sources: Sequence[str | Path], choice: StudyChoice) -> tuple[Query | None, list[Path]]:
    """The PACS among the sources, if one is named, and the other sources.

    Raises:
        ConfigError: if several are named, or what is said of one does not go together.
    """
    addresses = [source for source in map(str, sources) if "://" in source]
    paths = [Path(source) for source in sources if "://" not in str(source)]
    if not addresses:
        if choice != StudyChoice():
            raise ConfigError(
                "--user, --ca-file, --client-cert, --days, --dates and --modality: are for the address of a PACS; "
                "name one as SOURCE, or leave them out"
            )
        return None, paths
    if len(addresses) > 1:
        raise ConfigError("SOURCE: names several PACS; give a command and an --out for each")
    access = Access.of_options(addresses[0], choice.user, choice.ca_file, choice.client_cert, "SOURCE")
    Pacs(access)  # what is wrong with it is said before anything is written
    wanted = {"ct": ("CT",), "cxr": FILMS}.get(choice.modality or "", MODALITIES)
    return Query(access, dates_of(choice.days, choice.dates), wanted), paths


def stamp_of(series: SeriesFound) -> str:
    """Changes with UID or number of images of a series."""
    return key_of(series.uid, series.modality, str(series.instances))


def dates_of(days: int, dates: str | None) -> str | None:
    """The range of StudyDate that ``--days`` or ``--dates`` names.

    Raises:
        ConfigError: if both are given, or the second is none.
    """
    if dates is None:
        return since(days)
    if days:
        raise ConfigError("--dates: does not go with --days; leave one of them out")
    match = _DATES.fullmatch(dates)
    ends = [text for text in match.group(1, 3) if text] if match else []
    try:
        parsed = [datetime.strptime(text, "%Y%m%d") for text in ends]
    except ValueError:
        parsed = []
    if not parsed or parsed != sorted(parsed) or (match and match[3] and not match[2]):
        raise ConfigError(
            f"--dates {dates}: is no range of days; write it as in 20240101-20241231, 20240101- or 20240101"
        )
    return dates


def jobs_of_studies(query: Query, anonymous: bool = False) -> Iterator[StudyJob]:
    """The studies that may hold something to screen, each once.

    Args:
        query: which.
        anonymous: hashes stand for UIDs.

    Raises:
        PacsError: if the PACS cannot be asked.
    """
    pacs = Pacs(query.access)
    with unlogged():
        for study in pacs.studies(query.modalities, query.dates):
            series = series_of(pacs, study.uid, query.modalities)
            if series is not None:
                modality = "CXR" if series and all(one.modality in RADIOGRAPHS for one in series) else "CT"
                key, stamp = key_of("study", study.uid), key_of("study", *sorted(map(stamp_of, series)))
                yield StudyJob(key, shown(study.uid, anonymous), stamp, modality, study.uid, series)


def series_of(pacs: Pacs, study_uid: str, modalities: tuple[str, ...]) -> tuple[SeriesFound, ...] | None:
    """The series of a study that may be screened; None where there are none."""
    try:
        wanted = {*modalities, *(RADIOGRAPHS if set(modalities) & set(RADIOGRAPHS) else ())}
        found = tuple(series for series in pacs.series(study_uid) if series.modality in wanted)
    except (PacsAwayError, PacsRefusedError):
        raise
    except PacsError:
        return ()  # whoever fetches it asks once more and says what is wrong with this study
    return found or None

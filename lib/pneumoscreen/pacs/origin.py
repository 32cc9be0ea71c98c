"""Where studies come from and where results go, as the watcher asks both."""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from pydicom.dataset import Dataset

from .cache import SeriesCache
from .client import Pacs, SeriesFound, StudyFound
from .selection import MODALITIES, Candidate, Listed, since
from .state import Entry


class Origin(Listed, Protocol):
    """Where studies come from; what it is asked raises ``PacsError`` where it cannot be told."""

    @property
    def name(self) -> str:
        """What sentences call it."""

    def studies(self) -> Iterable[StudyFound]:
        """The studies that are there now."""

    def growing(self) -> Collection[str]:
        """The studies that are being sent at this moment; they are not complete, however quiet."""

    def files(self, study_uid: str, wanted: Candidate) -> Path:
        """The folder of a series, or the file of a single image."""

    def tidy(self, ended: Sequence[Entry]) -> Iterable[tuple[str, int]]:
        """Let go of studies with which there is nothing left to do.

        Returns:
            Of which of them images came after they were screened, and how many.
        """


class Destination(Protocol):
    """Where results go."""

    def store(self, dataset: Dataset) -> None:
        """Store one object; one that is there already counts as stored.

        Raises:
            PacsError: if it is not taken.
        """


class PacsOrigin:
    """A PACS that is asked by DICOMweb.

    Args:
        pacs: it.
        cache: for the series that are fetched.
        days: of these last days studies are taken, by StudyDate; None for all.
    """

    def __init__(self, pacs: Pacs, cache: SeriesCache, days: int | None = None) -> None:
        self._pacs, self._cache, self._days = pacs, cache, days

    @property
    def name(self) -> str:
        """Host and port."""
        return self._pacs.host

    def studies(self) -> Iterable[StudyFound]:
        """See ``Origin``."""
        return self._pacs.studies(MODALITIES, since(self._days or 0))

    def series(self, study_uid: str) -> Sequence[SeriesFound]:
        """See ``Origin``."""
        return self._pacs.series(study_uid)

    def instances(self, study_uid: str, series_uid: str) -> Sequence[str]:
        """See ``Origin``."""
        return self._pacs.instances(study_uid, series_uid)

    def header(self, study_uid: str, series_uid: str, instance_uid: str) -> Dataset:
        """See ``Origin``."""
        return self._pacs.header(study_uid, series_uid, instance_uid)

    def growing(self) -> Collection[str]:
        """A PACS does not say."""
        return ()

    def files(self, study_uid: str, wanted: Candidate) -> Path:
        """See ``Origin``."""
        return self._cache.fetch(self._pacs, study_uid, wanted)

    def tidy(self, ended: Sequence[Entry]) -> Iterable[tuple[str, int]]:
        """The cache lets go by itself, and a PACS does not say what came late."""
        del ended
        return ()

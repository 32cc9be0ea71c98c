"""The cases of a server on a PACS: which there are, what of each is shown, and its images where something needs them.

Each case has a folder in the state folder, where the images of a case of a studies folder would lie. It is there
before the images are and after they were put away. A hidden file in it says, by what is in it, which images of the
case are meant: it changes only when they become others.

Thread contract: one look at a time; any number of threads and processes may hold images.
"""

import datetime
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from ..errors import ImageError
from ..images.examination import Examination
from ..limits import GIGABYTE
from ..models.atomic_files import replace_durably
from ..studies.layout import ELSEWHERE
from .case_cache import CaseCache
from .catalogue import Catalogue, Looks, PacsCase
from .client import Pacs, StudyFound
from .faults import PacsAwayError, PacsError, PacsGoneError
from .selection import MODALITIES, NOTHING, candidate_of_series, candidates, choice_note
from .settings import FOLDER, PacsSettings
from .transfer import Tell
from .uids import is_uid

_LONGEST_ACCESSION = 64
_PAUSES_S = (1.0, 4.0)
"""Ours: between one try to fetch a series and the next. A request of a reader waits for it."""

Progress = Callable[[float], object]
"""Told of the share of a series that is here; raises to stop."""


def no_progress(share: float) -> None:
    """Tells nobody."""


class PacsCases:
    """The cases of one server.

    Args:
        state: the state folder.
        settings: how the PACS is used.
        beside: files made of a case's images, which go when they go.
        pacs: default: as the settings say.
        pause: waits between two tries; default: sleeps.

    Raises:
        ConfigError: if the settings are wrong.
    """

    def __init__(
        self,
        state: Path,
        settings: PacsSettings,
        beside: Callable[[str], Iterable[Path]] = lambda case_id: (),
        pacs: Pacs | None = None,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self.settings = settings
        self.pacs = pacs or Pacs(settings.access(), retries=2, backoff_s=0.3)
        self._state, self._pause = state, pause
        self._catalogue = Catalogue(state / FOLDER)
        most = int(settings.cache_gb * GIGABYTE)
        self._cache = CaseCache(state / FOLDER / "cache", self.folder, beside, most)
        self._looking = threading.Lock()
        self._examinations: Mapping[str, Examination] = {}
        self._marked: dict[str, int] = {}
        self._offered: Mapping[str, PacsCase] = {}

    def folder(self, case_id: str) -> Path:
        """Where the images of a case lie while they are here."""
        return self._state / case_id

    def offered(self) -> dict[str, PacsCase]:
        """The cases to show, each with its folder."""
        found = self._catalogue.offered(self.settings.quiet_s)
        for case in found.values():
            if self._marked.get(case.case_id) != case.generation:
                self._mark(case)
                self._marked[case.case_id] = case.generation
        self._offered = found
        return found

    def growing(self) -> frozenset[str]:
        """The cases that are not shown yet."""
        return self._catalogue.growing(self.settings.quiet_s)

    def looks(self) -> Looks:
        """When the PACS was asked last."""
        return self._catalogue.looks()

    def note(self, case_id: str) -> str:
        """A sentence for documents on what of a study is shown; empty where there was no choice."""
        case = self._catalogue.case(case_id)
        return "" if case is None else case.note

    def examination(self, case_id: str) -> Examination:
        """Whose study it is and when it was taken, as the last list of the PACS had it; kept in memory only."""
        case = self._offered.get(case_id)
        if case is None:
            return Examination()
        known = self._examinations.get(case.study_uid, Examination())
        return replace(known, study_uid=case.study_uid, series_uid=case.series_uid)

    def look(self) -> None:
        """Ask the PACS for its studies.

        Raises:
            PacsError: if it does not answer as it should; what was known stays, and how long it is away is kept.
        """
        with self._looking:
            try:
                studies = list(self.pacs.studies(MODALITIES, self._days()))
                for case in self._catalogue.grown(studies):
                    self._compare(case)
            except PacsError as error:
                self._catalogue.is_away(str(error))
                raise
            self._catalogue.see(studies)
            self._examinations = {study.uid: study.examination for study in studies}

    def find(self, name: str) -> str | None:
        """The case of a study, a series or an accession number; None where the PACS has none such.

        The number is asked for and not kept.

        Raises:
            PacsError: if the PACS does not answer.
        """
        if is_uid(name):
            study = self.pacs.study(name)
            if study is not None:
                return self._entered(study)
            of = self.pacs.study_of_series(name)
            study = None if of is None else self.pacs.study(of)
            if study is not None:
                return self._of_series(study, name)
        if not 0 < len(name) <= _LONGEST_ACCESSION or not name.isprintable() or set(name) & set("*?\\"):
            return None
        found = self.pacs.studies_by_accession(name)
        return self._entered(found[0]) if len(found) == 1 else None

    @contextmanager
    def held(self, case_id: str, progress: Progress = no_progress) -> Iterator[Path]:
        """The folder with the images of a case, fetched where they are not here; they stay while the block runs.

        Args:
            case_id: the case.
            progress: told of the share that has come.

        Raises:
            PacsError: if they do not come.
            ImageError: if its study holds nothing that may be screened.
            CacheFullError: if there is no room for them.
        """
        case = self._catalogue.case(case_id)
        if case is None:
            raise PacsGoneError(f"case {case_id} is not in the list of the PACS any more")
        self._mark(case)
        fill = partial(self._fill, case, progress)
        with self._cache.held(case_id, str(case.generation), fill, lambda: progress(0.0)) as folder:
            yield folder

    def _of_series(self, study: StudyFound, series_uid: str) -> str:
        """The case of a series: that of its study, if this is what is shown of it, else one of its own."""
        case_id = self._entered(study)
        case = self._catalogue.case(case_id)
        try:
            if case is not None and self._chosen(case).series_uid == series_uid:
                return case_id
        except ImageError:
            pass  # nothing is shown of it
        return self._entered(study, series_uid)

    def _entered(self, study: StudyFound, series_uid: str = "") -> str:
        case_id = self._catalogue.enter(study, series_uid)
        case = self._catalogue.case(case_id)
        if case is not None:
            self._mark(case)
        return case_id

    def _mark(self, case: PacsCase) -> None:
        folder, said = self.folder(case.case_id), str(case.generation)
        marker = folder / ELSEWHERE
        try:
            if marker.read_text() == said:
                return
        except OSError:
            folder.mkdir(exist_ok=True)
        replace_durably(marker, said.encode())

    def _compare(self, case: PacsCase) -> None:
        """Find out whether what is shown of a study that has changed is still the same; results are added to it too."""
        if not case.is_chosen:
            self._catalogue.renew(case.case_id, None)  # where it held nothing to show, it may now
            return
        counts = {series.uid: series.instances for series in self.pacs.series(case.study_uid)}
        now = counts.get(case.series_uid, case.files)
        if not case.instance_uid and now != case.files:
            self._catalogue.renew(case.case_id, now)

    def _chosen(self, case: PacsCase) -> PacsCase:
        """A case of which it is known what is shown."""
        if case.is_chosen:
            return case
        if case.asked_series:
            one = candidate_of_series(self.pacs, case.study_uid, case.asked_series)
            found = [] if one is None else [one]
        else:
            found = candidates(self.pacs, case.study_uid, self.settings.kernel)
        if not found:
            if not self.pacs.series(case.study_uid):
                raise PacsGoneError("the study is not in the PACS any more")
            raise ImageError(NOTHING)
        self._catalogue.choose(case.case_id, found[0], choice_note(found, found[0]))
        return self._catalogue.case(case.case_id) or case

    def _fill(self, case: PacsCase, progress: Progress, folder: Path, tell: Tell) -> None:
        def told(files: int, size: int) -> None:
            tell(files, size)
            progress(files / chosen.files if chosen.files else 0.0)

        try:
            chosen = self._chosen(self._catalogue.case(case.case_id) or case)
            for pause in (*_PAUSES_S, None):
                try:
                    self._fetch(chosen, folder, told)
                    return
                except PacsAwayError:
                    if pause is None:
                        raise
                    progress(0.0)
                    self._pause(pause)
        except PacsGoneError:
            self._catalogue.remove(case.case_id)
            raise PacsGoneError(f"case {case.case_id} is not in the PACS any more") from None

    def _fetch(self, case: PacsCase, folder: Path, tell: Tell) -> None:
        for path in folder.glob("*.dcm"):
            path.unlink()
        count = self.pacs.fetch(case.study_uid, case.series_uid, folder, case.instance_uid or None, tell)
        if count < (case.files or 1):
            raise PacsAwayError(
                f"{self.pacs.host}: the PACS sent {count} of {case.files} images of a series; ask again"
            )

    def _days(self) -> str | None:
        if not self.settings.days:
            return None
        return f"{datetime.date.today() - datetime.timedelta(days=self.settings.days):%Y%m%d}-"

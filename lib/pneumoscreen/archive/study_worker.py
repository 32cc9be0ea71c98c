"""What a worker does with a study of a PACS: choose, fetch, read, screen, delete; the next one comes meanwhile.

Nothing of a patient is heard of it. At most two series of a worker lie on the disk: one that is screened, one that
comes.
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from shutil import rmtree

from ..commands.screen import Reading
from ..errors import ImageError, ModelError, PneumoScreenError
from ..images.faults import AbsentError
from ..output import OutputError
from ..pacs.access import Access
from ..pacs.catalogue import case_name
from ..pacs.client import Pacs, PacsAwayError, SeriesFound
from ..pacs.privacy import silence
from ..pacs.reading import StudyReading
from ..pacs.selection import MOST_SERIES, NOTHING, Candidate, candidates, choice_note
from .jobs import shown
from .manifest import Row
from .studies import StudyJob, stamp_of

FOLDER = ".fetched"
"""Below the output folder, where that is there: what a kill leaves is deleted by the next run."""

_OF_NO_SERIES = (AbsentError, ModelError, OutputError)
"""Another series would fare no better."""
Screen = Callable[[Reading, Row], Row]
"""Screens what was read and says what became of it."""
Turn = Callable[[Row, Screen], Row]
"""Screens a study."""


class UnfitError(PneumoScreenError):
    """No series of a study can be screened; ``row`` names the best one, ``cause`` is what is wrong with it."""

    def __init__(self, row: Row, cause: PneumoScreenError) -> None:
        super().__init__(str(cause))
        self.row, self.cause = row, cause


@dataclass(frozen=True)
class _Fetched:
    """A study with what may be screened of it, and the folder of the best."""

    series: Sequence[SeriesFound]
    found: Sequence[Candidate]
    folder: Path


class StudyWorker:
    """Of one worker.

    Args:
        access: where the PACS is.
        out: the output folder, if it is there.
        anonymous: hashes stand for UIDs.
    """

    def __init__(self, access: Access, out: Path, anonymous: bool) -> None:
        silence()
        self._patient, self._quick = Pacs(access), Pacs(access, retries=1, backoff_s=0.0)
        self._is_away = False
        self._anonymous = anonymous
        self._reading = StudyReading()
        self._root = _folder_in(out)
        self._thread = ThreadPoolExecutor(1, "fetch")
        self._coming: tuple[StudyJob, Future[_Fetched]] | None = None

    def turn(self, job: StudyJob) -> tuple[StudyJob, Turn] | None:
        """Begin to fetch a study, and give the one to screen now; None where that has to come first.

        Returns:
            That study, and what screens it, which raises PacsError if its images do not come, UnfitError if none can
            be screened, and ImageError if none may be.
        """
        found, self._coming = self._coming, None
        if job.is_ahead:
            self._coming = job, self._thread.submit(self._fetched, job)
        elif found is None or found[0].key != job.key:
            if found is not None:
                found[1].add_done_callback(_delete)
            found = job, self._thread.submit(self._fetched, job)
        return None if found is None else (found[0], partial(self._screened, *found))

    def _screened(self, job: StudyJob, fetched: "Future[_Fetched]", row: Row, screen: Screen) -> Row:
        here = fetched.result()
        first: UnfitError | None = None
        for candidate in here.found[:MOST_SERIES]:
            of = next(series for series in here.series if series.uid == candidate.series_uid)
            place = shown(f"{job.study_uid}/{of.uid}", self._anonymous)
            named = replace(row, place=place, stamp=stamp_of(of))
            with self._held(job, candidate, here) as folder:
                try:
                    return screen(self._read(job, folder, choice_note(here.found, candidate)), named)
                except PneumoScreenError as error:
                    # Sentences on files name their place here, which says nothing to anybody.
                    error.args = (str(error).replace(str(folder), "the series"),)
                    if isinstance(error, _OF_NO_SERIES):
                        raise
                    first = first or UnfitError(replace(named, stamp=job.stamp), error)
        assert first is not None
        raise first

    def _read(self, job: StudyJob, folder: Path, note: str | None) -> Reading:
        start = time.perf_counter()
        method, image = self._reading.image(folder)
        seconds = time.perf_counter() - start
        notes = (*image.notes, *((note,) if note else ()))
        image = replace(image, case_id=case_name(job.study_uid), source_below=None, notes=notes)
        if self._anonymous:
            image = replace(image, study_uid=None, series_uid=None)
        return Reading(image, method, seconds)

    def _fetched(self, job: StudyJob) -> _Fetched:
        """Runs in the thread that fetches."""
        pacs = self._quick if self._is_away else self._patient
        try:
            series = job.series or tuple(pacs.series(job.study_uid))
            found = candidates(pacs, job.study_uid, listed=series)
            if not found:
                raise ImageError(NOTHING)
            fetched = _Fetched(series, found, self._fetch(pacs, job, found[0]))
        except PacsAwayError:
            # The next ones are not waited for as long, until it is back.
            self._is_away = True
            raise
        self._is_away = False
        return fetched

    def _fetch(self, pacs: Pacs, job: StudyJob, wanted: Candidate) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="pneumoscreen-archive-", dir=self._root))
        try:
            count = pacs.fetch(job.study_uid, wanted.series_uid, folder, wanted.instance_uid)
            if count < (wanted.instances or 1):
                raise PacsAwayError(f"{pacs.host}: the PACS sent {count} of {wanted.instances} images of a series")
        except BaseException:
            rmtree(folder, ignore_errors=True)
            raise
        return folder

    @contextmanager
    def _held(self, job: StudyJob, wanted: Candidate, here: _Fetched) -> Iterator[Path]:
        if wanted is here.found[0]:
            folder = here.folder
        else:
            # In that thread: two must not use a session at one time.
            folder = self._thread.submit(self._fetch, self._patient, job, wanted).result()
        try:
            yield folder
        finally:
            rmtree(folder, ignore_errors=True)


def _folder_in(out: Path) -> Path | None:
    try:
        (out / FOLDER).mkdir(mode=0o700, exist_ok=True)
    except OSError:
        return None  # the node of an actor, which does not see the output folder, has its own place for such
    return out / FOLDER


def _delete(fetched: "Future[_Fetched]") -> None:
    if fetched.exception() is None:
        rmtree(fetched.result().folder, ignore_errors=True)


@contextmanager
def nothing_left(out: Path) -> Iterator[None]:
    """Delete what was fetched and not deleted, by a run that was killed or by this one."""
    rmtree(out / FOLDER, ignore_errors=True)
    try:
        yield
    finally:
        rmtree(out / FOLDER, ignore_errors=True)

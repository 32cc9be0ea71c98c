"""An archive from its source to its page: find, screen what is left to do, enter what became of it.

A run that is killed at any moment loses what was under way, and that is done again by the next one: files are written
whole, and the manifest is written last.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .. import __version__
from ..errors import PneumoScreenError
from ..methods import METHODS
from ..models.store import ModelStore
from ..output import remove_unfinished
from ..pacs.faults import PacsError
from ..workers.pool import DiedError, Pool
from .coming import Coming
from .jobs import Job, NoJob, jobs_of
from .manifest import FAILED, REFUSED, SCREENED, WAITING, Manifest, Row, models_text
from .studies import Query, jobs_of_studies
from .study_worker import nothing_left
from .worker import CASES, Place

MOST_DEATHS = 3
"""Ours: so often may a process die over an image before later runs leave it alone."""
_AHEAD = 200
"""Jobs that are found before one is waited for."""


@dataclass(frozen=True)
class Request:
    """What a run is asked for.

    Attributes:
        sources: files and folders.
        place: where and with what it works.
        update: screen anew what other networks, or another version of the program, screened or refused.
        query: the studies of a PACS.
    """

    sources: Sequence[Path]
    place: Place
    update: bool = False
    query: Query | None = None

    def jobs(self) -> Iterator[Job | NoJob]:
        """All that is to be screened, each once."""
        yield from jobs_of(self.sources, self.place.anonymous)
        if self.query is not None:
            yield from jobs_of_studies(self.query, self.place.anonymous)


@dataclass
class Tally:
    """How far a run is.

    Attributes:
        found: images so far.
        is_all_found: whether that is all there are.
        lost: why no more were found, where the PACS went away in the middle; else empty.
        before: those that need no work.
        screened, refused, failed, copies: by this run; copies are images of the same bytes.
        begun: time.monotonic() at its beginning.
    """

    found: int = 0
    is_all_found: bool = False
    lost: str = ""
    before: int = 0
    screened: int = 0
    refused: int = 0
    failed: int = 0
    copies: int = 0
    begun: float = 0.0

    @property
    def done(self) -> int:
        """Images that this run worked on."""
        return self.screened + self.refused + self.failed + self.copies

    def count(self, row: Row) -> None:
        """Count what became of an image."""
        if row.state == SCREENED and row.copy_of:
            self.copies += 1
        elif row.state == SCREENED:
            self.screened += 1
        elif row.state == REFUSED:
            self.refused += 1
        else:
            self.failed += 1

    def rate(self, now: float) -> float:
        """Images a second."""
        return self.done / max(now - self.begun, 1e-3)

    def left_s(self, now: float) -> float | None:
        """Seconds that are left; None while that is not known."""
        if not (self.is_all_found and self.done):
            return None
        return max(self.found - self.before - self.done, 0) / self.rate(now)


Told = Callable[[Row], object]
Shown = Callable[[Tally], object]


def screen_archive(request: Request, workers: Pool[Job, Row], manifest: Manifest, tell: Told, show: Shown) -> Tally:
    """Screen what is left to do.

    Args:
        request: what is asked for.
        workers: who screens; they are ended with the run.
        manifest: of the output folder.
        tell: takes each image that this run worked on.
        show: takes the tally whenever it changed.

    Raises:
        PneumoScreenError: if the source, the networks or the disk cannot be used; what was done so far stays.
    """
    run, tally = manifest.begin_run(), Tally(begun=time.monotonic())
    for folder in (request.place.out, *(request.place.out / CASES).glob("*")):
        remove_unfinished(folder)
    current = _current_models(request.place.model_dir) if request.update else None
    dead: list[Job] = []
    coming = Coming()

    def ended(job: Job, outcome: Row | BaseException) -> None:
        if isinstance(outcome, DiedError):
            dead.append(job)
        elif isinstance(outcome, BaseException):
            raise outcome
        elif coming.is_result(job, outcome):
            _enter(outcome)

    def wait_for_all() -> None:
        while not pool.is_idle:
            for one, outcome in pool.done():
                ended(one, outcome)

    def _enter(row: Row) -> None:
        manifest.put(replace(row, seen=run))
        tally.count(row)
        tell(row)
        show(tally)

    with nothing_left(request.place.out), workers as pool, _Finder(request, tally) as found:
        for job in found:
            known = manifest.get(job.key)
            if isinstance(job, NoJob):
                row = Row(job.key, job.place, "", job.stamp, REFUSED, job.reason, "Refused", program=__version__)
                if known is None or known.reason != row.reason:
                    _enter(row)
                else:
                    tally.before += 1
                    manifest.saw(job.key, run)
                continue
            if known is not None and not _is_to_do(job, known, current, request.place.out):
                tally.before += 1
                manifest.saw(job.key, run)
                show(tally)
                continue
            if known is None or not job.is_as_before(known.stamp):
                manifest.put(Row(job.key, job.place, job.modality, job.stamp, seen=run))
            pool.give(job)
            while pool.is_full:
                for one, outcome in pool.done():
                    ended(one, outcome)
        wait_for_all()
        for job in coming.left():
            pool.give(job)
        wait_for_all()
        for job in dead:
            _enter(_alone(pool, job.at_once(), manifest))
    if not tally.lost:
        manifest.end_search(run)
    return tally


def _alone(pool: Pool[Job, Row], job: Job, manifest: Manifest) -> Row:
    """Do a job again during which a process died, perhaps over another one, until it is done or that is certain."""
    row = manifest.get(job.key) or Row(job.key, job.place, job.modality, job.stamp)
    for deaths in range(row.deaths + 1, max(row.deaths + 1, MOST_DEATHS) + 1):
        try:
            return pool.alone(job)
        except DiedError:
            row = replace(row, state=WAITING, deaths=deaths)
            manifest.put(row)
    reason = f"{job.place}: the process that screened it ended {row.deaths} times, perhaps for want of memory"
    return replace(row, state=FAILED, reason=f"{reason}; give fewer --processes", kind="Died", ended=time.time())


def _is_to_do(job: Job, known: Row, current: dict[str, str] | None, out: Path) -> bool:
    """Whether an image that the manifest knows needs work."""
    if not job.is_as_before(known.stamp) or known.state == WAITING:
        return True
    if known.state == FAILED:
        return known.deaths < MOST_DEATHS
    if current is not None and known.program != __version__:
        return True
    if known.state == REFUSED:
        return False
    if current is not None and known.models != current.get(known.modality):
        return True
    return not (out / known.folder / f"{known.case_id}.json").is_file()


def _current_models(model_dir: Path | None) -> dict[str, str]:
    """The networks in use by the modality that they screen, as documents name them."""
    store = ModelStore(model_dir)
    found = {}
    for method in METHODS:
        try:
            found[method.modality] = models_text(
                {network.name: store.load(network.name) for network in method.networks}
            )
        except PneumoScreenError:
            continue  # a site without this method's networks; whoever screens such an image says so
    return found


class _Finder:
    """Searches in a thread of its own, so that processes wait for no search."""

    def __init__(self, request: Request, tally: Tally) -> None:
        self._request, self._tally = request, tally
        self._jobs: queue.Queue[Job | NoJob | BaseException | None] = queue.Queue(_AHEAD)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._search, daemon=True)

    def __enter__(self) -> Iterator[Job | NoJob]:
        self._thread.start()
        return self._found()

    def __exit__(self, *_: object) -> None:
        self._is_over.set()

    def _found(self) -> Iterator[Job | NoJob]:
        while (job := self._jobs.get()) is not None:
            if isinstance(job, PacsError) and self._tally.found:
                # What is known by now is done all the same.
                self._tally.lost = str(job)
                return
            if isinstance(job, BaseException):
                raise job
            yield job
        self._tally.is_all_found = True

    def _search(self) -> None:
        end: BaseException | None = None
        try:
            for job in self._request.jobs():
                self._tally.found += 1
                self._put(job)
        except BaseException as error:
            end = error
        self._put(end)

    def _put(self, job: Job | NoJob | BaseException | None) -> None:
        while not self._is_over.is_set():
            try:
                return self._jobs.put(job, timeout=1.0)
            except queue.Full:
                continue

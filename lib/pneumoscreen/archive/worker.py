"""One image of an archive, screened in a process that may be killed: what is handed back is small."""

import logging
import os
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from .. import __version__
from ..commands.screen import Reading, Screeners, named, read_timed, screen_image
from ..errors import ModelError, PneumoScreenError
from ..images.case_ids import short_hash
from ..images.faults import AbsentError
from ..images.naming import Namer
from ..method import Method
from ..output import OutputError
from ..pacs.access import Access
from ..pacs.faults import PacsError
from ..report import wording
from ..server.logs import FORMAT_VARIABLE, set_up_log_of_child
from ..workers.pool import Ask, Work
from .jobs import FileJob, Job
from .manifest import FAILED, FILE, REFUSED, SCREENED, WAITING, Row, find_twin, models_text
from .studies import StudyJob
from .study_worker import Screen, StudyWorker, Turn, UnfitError

CASES = "cases"
"""Folder of documents and reports, 256 folders in it, so that none holds more than some thousand files."""

logger = logging.getLogger(__name__)


def twin_in(out: Path, sha256: str, models: str) -> Row | None:
    """A screened image of these bytes and networks, by the manifest of an output folder of this machine."""
    with closing(sqlite3.connect(f"file:{out / FILE}?mode=ro", uri=True)) as base:
        return find_twin(base, sha256, models)


@dataclass(frozen=True)
class Place:
    """Where and with what the processes work.

    Attributes:
        out: the output folder.
        model_dir: root of the model store; None takes the project's own.
        anonymous: hashes stand for places.
        access: where the PACS of the studies is.
    """

    out: Path
    model_dir: Path | None
    anonymous: bool
    access: Access | None = None


class Worker(Work[Job, Row]):
    """Screens one job after another, with the networks that it loads once.

    Args:
        place: where it works; it asks for a twin of what it read.
    """

    def __init__(self, place: Place) -> None:
        self.place = place

    def begin(self, device: str, ask: Ask | None) -> None:
        """Make ready for the networks of each method, which are loaded with its first image, and for a PACS."""
        assert ask is not None
        if FORMAT_VARIABLE in os.environ:
            set_up_log_of_child()
        place = self.place
        self._screeners, self._twin = Screeners(place.model_dir, device), ask
        self._studies = StudyWorker(place.access, place.out, place.anonymous) if place.access is not None else None

    def name(self, job: Job) -> str:
        """Where it lies."""
        return job.place

    def __call__(self, job: Job, out: Path) -> Row:
        """What became of a job; of a study, which is fetched first, what became of the one before.

        Raises:
            OutputError, ModelError: if no job could be done: the disk is full, the networks cannot be loaded.
        """
        if isinstance(job, StudyJob):
            assert self._studies is not None
            turn = self._studies.turn(job)
            if turn is None:
                return Row(job.key, job.place, job.modality, job.stamp, state=WAITING)
            job, screened = turn
            return self._done(job, screened, out)
        assert isinstance(job, FileJob)
        return self._done(job, partial(self._of_file, job), out)

    def _done(self, job: Job, screened: Turn, out: Path) -> Row:
        row = Row(job.key, job.place, job.modality, job.stamp, program=__version__)
        start = time.perf_counter()
        try:
            found = screened(row, lambda read, row: self._screened(read, row, out))
        except (OutputError, ModelError):
            raise
        except (AbsentError, OSError, PacsError) as error:
            found = _ended(row, FAILED, self._sentence(job, str(error)), error)
        except UnfitError as error:
            found = _ended(error.row, REFUSED, self._sentence(job, str(error)), error.cause)
        except MemoryError as error:
            found = _ended(row, FAILED, "needs more memory than there is; give fewer --processes", error)
        except PneumoScreenError as error:
            found = _ended(row, REFUSED, self._sentence(job, str(error)), error)
        except Exception as error:
            # A fault of the program with one image must not cost the others theirs.
            name = type(error).__name__
            if isinstance(job, FileJob):
                logger.debug("fault while screening %s", job.place, exc_info=True)
                name = f"{name}: {error}"  # of a PACS it may quote a header
            reason = f"a fault of the program ({name}); please report it"
            found = _ended(row, FAILED, self._sentence(job, reason), error)
        if found.seconds is None:
            found = replace(found, seconds=round(time.perf_counter() - start, 3))
        return replace(found, ended=time.time())

    def _of_file(self, job: FileJob, row: Row, screen: Screen) -> Row:
        return screen(named(read_timed(job.item), job.item, Namer(self.place.anonymous)), row)

    def _screened(self, read: Reading, row: Row, out: Path) -> Row:
        self._screeners.load(read.method)
        sha256 = read.image.sha256
        row = replace(row, sha256=sha256, models=self._models(read.method))
        twin: Row | None = self._twin(sha256, row.models)
        if twin is not None and twin.key != row.key:
            return replace(twin, key=row.key, place=row.place, stamp=row.stamp, copy_of=twin.place, seen=0)
        folder = f"{CASES}/{short_hash(read.image.case_id)[:2]}"
        (out / folder).mkdir(parents=True, exist_ok=True)
        case = screen_image(read, self._screeners, out / folder, lambda stage, fraction: None)
        verdict = case.verdict
        return replace(
            row,
            modality=read.method.modality,
            state=SCREENED,
            case_id=case.case_id,
            folder=folder,
            verdict=verdict.label if verdict else "",
            words=wording.capital(wording.case_verdict_name(case)),
            decided=verdict.decided if verdict else None,
            seconds=case.timings_s["total"],
            infection=verdict.infection.probability if verdict and verdict.infection else None,
        )

    def _models(self, method: Method) -> str:
        return models_text(self._screeners.of(method).models)

    def _sentence(self, job: Job, text: str) -> str:
        """A sentence on one line; places are hidden in it where they are to be."""
        text = " ".join(text.split())
        if not self.place.anonymous or not isinstance(job, FileJob):
            return text
        for path in (job.item.path, job.item.path.parent):
            text = text.replace(str(path), job.place)
        return text.replace(job.item.path.name, job.place)


def _ended(row: Row, state: str, reason: str, error: BaseException) -> Row:
    return replace(row, state=state, reason=reason, kind=type(error).__name__)

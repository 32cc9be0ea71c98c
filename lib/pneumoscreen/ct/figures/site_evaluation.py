"""How the CT method does on a site's own scans: every scan of a table beside its truth."""

import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...case import Case
from ...errors import PneumoScreenError
from ...evaluation.request import Evaluation, TableRequest
from ...evaluation.screener_work import ScreenerWork
from ...evaluation.site_cases import SiteCase, check_classes, find_scans, pneumonias
from ...images.digest import input_digest
from ...images.inputs import Input, Refused
from ...images.reader import read_input
from ...output import OutputError, write_results
from ...report.wording import plural
from ...workers.results import results_of
from ..report.case_report import write_report
from ..report.overview import Overview, coronal_overview
from ..screening import Screener
from .site_figures import verdict_word
from .site_folder import SiteFolder
from .site_outcome import SiteOutcome
from .site_page import render_site_page
from .site_summary import SiteSummary
from .site_text import site_to_text

logger = logging.getLogger(__name__)


def evaluate_site_cases(request: TableRequest) -> Evaluation:
    """Screen every scan of a table and compute the figures.

    Document and report of each scan come into the folder as ``screen`` writes them. What is there already, made of the
    same files by the same networks, is used again, so that an interrupted run goes on where it stopped.

    Raises:
        PneumoScreenError: if table, models or folder cannot be used.
    """
    screener = Screener.from_store(request.store, request.device_here)
    check_classes(request.table, request.rows, pneumonias(screener.classes))
    run = _Run(request, screener)
    outcomes = run.outcomes(request.rows, find_scans(request.table, request.rows))
    summary = SiteSummary.of(request.table.name, request.conditions, outcomes, screener.models, screener.classes)
    return Evaluation(summary.to_dict(), site_to_text(summary), render_site_page(summary), run.faults)


@dataclass(frozen=True)
class _Job:
    """A row of the table and its scan."""

    row: SiteCase
    scan: Input | Refused


@dataclass(frozen=True)
class _Found:
    """What came of a row: a screening, or why there is none.

    Attributes:
        job: the row and its scan.
        case: the document; None where there is none.
        overview: its picture.
        digest: of the scan's files.
        reason: why the scan was not screened.
        is_fault: whether the program failed.
    """

    job: _Job
    case: Case | None = None
    overview: Overview | None = None
    digest: str = ""
    reason: str = ""
    is_fault: bool = False


class _SiteWork(ScreenerWork[Screener, _Job, _Found]):
    """Screens a row and writes document and report; a refusal is a result too."""

    def __call__(self, job: _Job, out: Path) -> _Found:
        if isinstance(job.scan, Refused):
            return _Found(job, reason=job.scan.reason)
        try:
            return self._screened(job, job.scan, out)
        except OutputError:
            raise
        except PneumoScreenError as error:
            return _Found(job, reason=str(error))
        except MemoryError:
            return _Found(job, reason="needs more memory than there is; screen it on a larger machine")
        except OSError:
            raise
        except Exception as error:
            # A fault of the program with one scan must not cost the others theirs.
            logger.debug("fault while screening %s", job.row.path, exc_info=True)
            reason = f"a fault of the program ({type(error).__name__}: {error}); please report it"
            return _Found(job, reason=reason, is_fault=True)

    def name(self, job: _Job) -> str:
        return job.row.path

    def _screened(self, job: _Job, scan: Input, out: Path) -> _Found:
        screener, classes = self.screener, self.screener.classes
        digest = input_digest(scan)
        start = time.perf_counter()
        volume = read_input(scan)
        screening = screener.screen(volume, read_s=time.perf_counter() - start)
        case = write_results(
            screening.case, lambda target: write_report(volume, screening, target, classes), out, start
        )
        return _Found(job, case, coronal_overview(volume, screening, classes), digest)


class _Run:
    """Screens the rows of one table into one folder."""

    def __init__(self, request: TableRequest, screener: Screener) -> None:
        self.faults = 0
        self._request = request
        self._folder = SiteFolder(request.out, screener)
        self._screener = screener

    def outcomes(self, rows: Sequence[SiteCase], scans: Sequence[Input | Refused]) -> list[SiteOutcome]:
        """The outcome of each row; what was screened before is looked up first, so that the time left is right."""
        jobs = [_Job(row, scan) for row, scan in zip(rows, scans, strict=True)]
        before = {i: found for i, job in enumerate(jobs) if (found := self._before(job)) is not None}
        waiting = [job for i, job in enumerate(jobs) if i not in before]
        if before:
            self._request.say(f"{plural(len(before), 'scan')} of {len(rows)} screened before")
        progress = self._request.counting(len(waiting), "")

        def tell(done: int, found: _Found) -> None:
            outcome = self._outcome(found)
            row, why = outcome.case, f": {outcome.reason}" if outcome.reason else ""
            progress(done, f"{row.path}: {row.label} taken for {verdict_word(outcome)}{why}")

        pool = self._request.pool(_SiteWork(self._screener, Screener.from_store, self._request.store))
        new = iter(results_of(waiting, pool, tell, keep=self._keep))
        ended = [before[i] if i in before else next(new) for i in range(len(jobs))]
        self.faults = sum(found.is_fault for found in ended)
        return [self._outcome(found) for found in ended]

    def _before(self, job: _Job) -> _Found | None:
        if isinstance(job.scan, Refused):
            return None
        try:
            kept = self._folder.find(job.scan.case_id, input_digest(job.scan))
        except PneumoScreenError:
            return None  # reading it will say what is wrong
        return _Found(job, kept.document, kept.overview) if kept else None

    def _keep(self, job: _Job, found: _Found) -> None:
        del job
        if found.case is not None and found.overview is not None:
            self._folder.keep(found.case.case_id, found.digest, found.overview)

    def _outcome(self, found: _Found) -> SiteOutcome:
        row, scan = found.job.row, found.job.scan
        if found.case is None or found.overview is None:
            # The page may be handed on: it names the scan as the table does, without the folders of this machine.
            reason = " ".join(found.reason.split()).replace(str(row.file), row.path)
            return SiteOutcome(row, reason=reason.replace(f"{self._request.table.parent}/", ""))
        outcome = SiteOutcome.of(row, found.case, found.overview, self._screener.classes)
        return outcome if scan.path == row.file else replace(outcome, file=os.path.relpath(scan.path, row.file))

"""How the CT method does on a site's own scans: every scan of a table beside its truth."""

import logging
import os
import time
from collections.abc import Sequence
from dataclasses import replace

from ...case import Case
from ...errors import PneumoScreenError
from ...evaluation.request import Evaluation, TableRequest
from ...evaluation.site_cases import SiteCase, check_classes, find_scans, pneumonias
from ...images.digest import input_digest
from ...images.inputs import Input, Refused
from ...images.reader import read_input
from ...output import OutputError, write_results
from ...report.wording import plural
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
    screener = Screener.from_store(request.store, request.device)
    check_classes(request.table, request.rows, pneumonias(screener.classes))
    run = _Run(request, screener)
    outcomes = run.outcomes(request.rows, find_scans(request.table, request.rows))
    summary = SiteSummary.of(request.table.name, request.conditions, outcomes, screener.models, screener.classes)
    return Evaluation(summary.to_dict(), site_to_text(summary), render_site_page(summary), run.faults)


class _Run:
    """Screens the rows of one table into one folder."""

    def __init__(self, request: TableRequest, screener: Screener) -> None:
        self.faults = 0
        self._request = request
        self._folder = SiteFolder(request.out, screener)
        self._screener = screener

    def outcomes(self, rows: Sequence[SiteCase], scans: Sequence[Input | Refused]) -> list[SiteOutcome]:
        """The outcome of each row; what was screened before is looked up first, so that the time left is right."""
        found = [self._find(row, scan) for row, scan in zip(rows, scans, strict=True)]
        waiting = [i for i, outcome in enumerate(found) if outcome is None]
        if len(waiting) < len(rows):
            self._request.say(f"{plural(len(rows) - len(waiting), 'scan')} of {len(rows)} screened before")
        progress = self._request.counting(len(waiting), "")
        for done, i in enumerate(waiting, start=1):
            outcome = self._screen(rows[i], scans[i])
            found[i] = outcome
            why = f": {outcome.reason}" if outcome.reason else ""
            progress(done, f"{rows[i].path}: {rows[i].label} taken for {verdict_word(outcome)}{why}")
        return [outcome for outcome in found if outcome is not None]

    def _find(self, row: SiteCase, scan: Input | Refused) -> SiteOutcome | None:
        if isinstance(scan, Refused):
            return None
        try:
            kept = self._folder.find(scan.case_id, input_digest(scan))
        except PneumoScreenError:
            return None  # reading it will say what is wrong
        return self._outcome(row, scan, kept.document, kept.overview) if kept else None

    def _screen(self, row: SiteCase, scan: Input | Refused) -> SiteOutcome:
        """The outcome of one row; a refusal is an outcome too."""
        if isinstance(scan, Refused):
            return self._refused(row, scan.reason)
        try:
            return self._screened(row, scan)
        except OutputError:
            raise
        except PneumoScreenError as error:
            return self._refused(row, str(error))
        except MemoryError:
            return self._refused(row, "needs more memory than there is; screen it on a larger machine")
        except OSError:
            raise
        except Exception as error:
            # A fault of the program with one scan must not cost the others theirs.
            logger.debug("fault while screening %s", row.path, exc_info=True)
            self.faults += 1
            return self._refused(row, f"a fault of the program ({type(error).__name__}: {error}); please report it")

    def _screened(self, row: SiteCase, scan: Input) -> SiteOutcome:
        screener, classes = self._screener, self._screener.classes
        digest = input_digest(scan)
        start = time.perf_counter()
        volume = read_input(scan)
        screening = screener.screen(volume, read_s=time.perf_counter() - start)
        case = write_results(
            screening.case,
            lambda target: write_report(volume, screening, target, classes),
            self._folder.out,
            start,
        )
        overview = coronal_overview(volume, screening, classes)
        self._folder.keep(case.case_id, digest, overview)
        return self._outcome(row, scan, case, overview)

    def _outcome(self, row: SiteCase, scan: Input, case: Case, overview: Overview) -> SiteOutcome:
        found = SiteOutcome.of(row, case, overview, self._screener.classes)
        return found if scan.path == row.file else replace(found, file=os.path.relpath(scan.path, row.file))

    def _refused(self, row: SiteCase, reason: str) -> SiteOutcome:
        # The page may be handed on: it names the scan as the table does, without the folders of this machine.
        shown = " ".join(reason.split()).replace(str(row.file), row.path).replace(f"{self._request.table.parent}/", "")
        return SiteOutcome(row, reason=shown)

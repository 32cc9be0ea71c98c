"""``pneumoscreen evaluate --cases TABLE.csv``: how does it do on my scans?"""

import logging
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from .. import RESEARCH_USE_ONLY
from ..case import Case
from ..ct.figures.site_figures import verdict_word
from ..ct.figures.site_folder import SiteFolder
from ..ct.figures.site_outcome import SiteOutcome
from ..ct.figures.site_page import render_site_page
from ..ct.figures.site_summary import SiteSummary
from ..ct.figures.site_text import site_to_text
from ..ct.report.case_report import write_report
from ..ct.report.overview import Overview, coronal_overview
from ..ct.screening import Screener
from ..errors import PneumoScreenError
from ..evaluation.site_cases import SiteCase, check_classes, find_scans, parse_conditions, pneumonias, read_table
from ..images.digest import input_digest
from ..images.inputs import Input, Refused
from ..images.reader import read_input
from ..models.store import ModelStore
from ..report.wording import plural
from .device import pick_device
from .folders import OutputError, prepare_folder, write_evaluation
from .screen import STATUS_FAULT, STATUS_OK, write_results
from .terminal import complain, progress_of

logger = logging.getLogger(__name__)


def evaluate_site_cases(
    table: Path,
    out: Path,
    *,
    where: Sequence[str] = (),
    model_dir: Path | None = None,
    device: str = "auto",
    as_json: bool = False,
) -> int:
    """Screen every scan of a table, print the figures and write ``evaluation.json``, ``.txt`` and ``.html``.

    Document and report of each scan come into ``out`` as ``screen`` writes them. What is there already, made of the
    same files by the same networks, is used again, so that an interrupted run goes on where it stopped.

    Args:
        table: CSV of the scans; see ``evaluation.site_cases``.
        out: folder for everything; made where missing.
        where: ``column=value`` conditions on the rows that count.
        model_dir: root of the model store; None takes the project's own.
        device: as of the other commands.
        as_json: print the JSON instead of the text.

    Returns:
        The exit status: 0, also where scans were refused; 1 where the program failed on one.

    Raises:
        PneumoScreenError: if table, options, models or folder cannot be used.
    """
    conditions = parse_conditions(where)
    rows = read_table(table, conditions)
    out = prepare_folder(out)
    print(RESEARCH_USE_ONLY, file=sys.stderr)
    screener = Screener.from_store(ModelStore(model_dir), pick_device(device))
    check_classes(table, rows, pneumonias(screener.classes))
    run = _Run(table, SiteFolder(out, screener), screener)
    outcomes = run.outcomes(rows, find_scans(table, rows))
    summary = SiteSummary.of(table.name, conditions, outcomes, screener.models, screener.classes)
    write_evaluation(out, summary.to_dict(), site_to_text(summary), render_site_page(summary))
    print((out / "evaluation.json").read_text(encoding="utf-8") if as_json else site_to_text(summary), end="")
    complain(f"page: {out / 'evaluation.html'}")
    return STATUS_FAULT if run.faults else STATUS_OK


class _Run:
    """Screens the rows of one table into one folder."""

    def __init__(self, table: Path, folder: SiteFolder, screener: Screener) -> None:
        self.faults = 0
        self._table = table
        self._folder = folder
        self._screener = screener

    def outcomes(self, rows: Sequence[SiteCase], scans: Sequence[Input | Refused]) -> list[SiteOutcome]:
        """The outcome of each row; what was screened before is looked up first, so that the time left is right."""
        found = [self._find(row, scan) for row, scan in zip(rows, scans, strict=True)]
        waiting = [i for i, outcome in enumerate(found) if outcome is None]
        if len(waiting) < len(rows):
            complain(f"{plural(len(rows) - len(waiting), 'scan')} of {len(rows)} screened before")
        progress = progress_of(len(waiting))
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
        shown = " ".join(reason.split()).replace(str(row.file), row.path).replace(f"{self._table.parent}/", "")
        return SiteOutcome(row, reason=shown)

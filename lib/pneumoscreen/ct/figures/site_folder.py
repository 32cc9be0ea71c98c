"""Screenings of a site's scans that stand in the output folder already, so that an interrupted run goes on.

Document and report of a scan are used again only if its files, both networks with their settings and the program are
the same, and the document is the one that was written then.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from ...case import Case
from ...errors import CaseError
from ...evaluation.kept import KeptRecords
from ..report.overview import Overview
from ..screening import Screener
from .outcome_folder import networks_of

FORMAT = 1


@dataclass(frozen=True)
class Kept:
    """A screened scan: its document, and its picture for the page."""

    document: Case
    overview: Overview


class SiteFolder:
    """Finished screenings of one output folder; beside document and report each has a file in ``outcomes``.

    Args:
        out: the output folder.
        screener: the networks; screenings of others are not used.
    """

    def __init__(self, out: Path, screener: Screener) -> None:
        self.out = out
        self._classes = screener.classes
        self._records = KeptRecords(out / "outcomes", FORMAT, networks_of(screener))

    def document(self, case_id: str) -> Path:
        """Where the document of a scan lies."""
        return self.out / f"{case_id}.json"

    def report(self, case_id: str) -> Path:
        """Where the report of a scan lies."""
        return self.out / f"{case_id}.html"

    def find(self, case_id: str, digest: str) -> Kept | None:
        """The screening of a scan, if it was made before under the same conditions.

        Args:
            case_id: name of document and report.
            digest: of the scan's files.
        """
        record = self._records.find(case_id, digest)
        try:
            content = self.document(case_id).read_bytes()
            if record is None or record["document"] != _sha256(content) or not self.report(case_id).is_file():
                return None
            case = Case.from_json(content.decode("utf-8"), self._classes)
            return Kept(case, Overview.from_dict(record["overview"]))
        except (OSError, ValueError, KeyError, TypeError, CaseError):
            return None

    def keep(self, case_id: str, digest: str, overview: Overview) -> None:
        """Keep the screening of a scan whose document and report are written.

        Raises:
            OSError: if the folder cannot be written.
        """
        document = _sha256(self.document(case_id).read_bytes())
        self._records.keep(case_id, digest, content={"document": document, "overview": overview.to_dict()})


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

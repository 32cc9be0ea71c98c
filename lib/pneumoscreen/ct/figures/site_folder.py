"""Screenings of a site's scans that stand in the output folder already, so that an interrupted run goes on.

Document and report of a scan are used again only if its files, both networks with their settings and the program are
the same, and the document is the one that was written then.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from ...case import Case
from ...errors import CaseError
from ...models.durable import replace_durably
from ..report.overview import Overview
from ..screening import Screener
from .outcome_folder import made_by

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
        self._made_by = [FORMAT, *made_by(screener)]

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
        try:
            record = json.loads(self._record(case_id).read_text(encoding="utf-8"))
            content = self.document(case_id).read_bytes()
            if record["key"] != self._key(case_id, digest) or record["document"] != _sha256(content):
                return None
            if not self.report(case_id).is_file():
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
        path = self._record(case_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        record = {
            "key": self._key(case_id, digest),
            "document": _sha256(self.document(case_id).read_bytes()),
            "overview": overview.to_dict(),
        }
        replace_durably(path, json.dumps(record, allow_nan=False).encode())

    def _record(self, case_id: str) -> Path:
        return self.out / "outcomes" / f"{case_id}.json"

    def _key(self, case_id: str, digest: str) -> str:
        made_from = [*self._made_by, case_id, digest]
        return _sha256(json.dumps(made_from, sort_keys=True).encode())


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

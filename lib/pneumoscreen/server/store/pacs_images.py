"""The images of a server on a PACS: its list of studies, and each one's files while something needs them.

Their folders lie in the state folder under the images' ids, empty where the files are not here; see ``pacs.cases``.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...case import Case
from ...images.examination import Examination
from ...pacs.cases import PacsCases
from ...pacs.faults import PacsError
from ...pacs.privacy import silence
from ...pacs.settings import PacsSettings
from ...studies.audit import utc_text
from ...studies.versions import Annotation
from ...verdict import Classes
from .allowed_files import AllowedFiles
from .images import SHOWN, Images, Progress, shown_name, unwatched
from .results import Results

logger = logging.getLogger(__name__)


class PacsImages(Images):
    """The images of one PACS.

    Args:
        state: the state folder, which is the studies folder for all else.
        settings: how the PACS is used.

    Attributes:
        cases: what is known of the PACS.
    """

    are_elsewhere = True

    def __init__(self, state: Path, settings: PacsSettings) -> None:
        silence()
        self.allowed = AllowedFiles(state)
        self.cases = PacsCases(state, settings, self._made_of)
        self.results = Results(state, settings, self.cases.pacs)
        self._state = state
        self._found: dict[str, str] = {}

    def search(self) -> dict[str, str]:
        """See ``Images``."""
        self.being_copied = self.cases.growing()
        self._found = {case_id: case_id for case_id in self.cases.offered()}
        return dict(self._found)

    def has_changed(self) -> bool:
        """See ``Images``."""
        return self.cases.offered().keys() != self._found.keys()

    def begin(self) -> None:
        """Ask the PACS from here on, and send it results."""
        PacsWatch(self.cases, self.results.hurry).start()
        self.results.start()

    def is_whole(self, path: Path) -> None:
        """Nothing is put into a PACS."""

    @contextmanager
    def held(self, image_id: str, progress: Progress = unwatched) -> Iterator[None]:
        """See ``Images``."""
        with self.cases.held(image_id, progress):
            yield

    def find(self, name: str) -> str | None:
        """The image of a StudyInstanceUID, SeriesInstanceUID or accession number.

        Raises:
            PacsError: if the PACS does not answer.
        """
        return self.cases.find(name)

    def unknown(self, name: str) -> str:
        """See ``Images``; an accession number is not said again."""
        return "no image of this server, and no one study, series or accession number of the PACS, has that name"

    def note(self, image_id: str) -> str:
        """See ``Images``."""
        return self.cases.note(image_id)

    def examination(self, image_id: str) -> Examination | None:
        """See ``Images``; nothing is known of it while the PACS did not answer since the start."""
        return self.cases.examination(image_id)

    def marked_file(self, image_id: str) -> Path | None:
        """See ``Images``."""
        return self.results.marked_file(image_id)

    def screened(self, case: Case, classes: Classes) -> None:
        """See ``Images``."""
        self.results.screened(case, classes)

    def submitted(self, stored: Annotation) -> None:
        """See ``Images``."""
        self.results.submitted(stored)

    def state(self) -> dict[str, Any]:
        """How the PACS does, as JSON values."""
        looks = self.cases.looks()
        return {
            "is_away": looks.away_since is not None,
            "asked": _time(looks.at),
            "away_since": _time(looks.away_since),
            "detail": looks.reason or None,
            "results": self.results.status(),
        }

    def _made_of(self, image_id: str) -> Iterable[Path]:
        """The files for clients that were made of an image."""
        return (self._state / SHOWN).glob(f"{shown_name(self._state / image_id)}.*")


class PacsWatch:
    """Asks the PACS for its studies again and again, until the process ends; one thread, ``PACS``."""

    def __init__(self, cases: PacsCases, when_back: Callable[[], object]) -> None:
        self._cases, self._when_back = cases, when_back
        self._is_away = False

    def start(self) -> None:
        """Begin, in a thread of its own."""
        threading.Thread(target=self._watch, name="PACS", daemon=True).start()

    def _watch(self) -> None:
        pause = threading.Event()
        while True:
            try:
                self.look()
            except Exception as error:  # whatever it is, its text may name a patient, and the next look may be better
                logger.error("the PACS could not be asked for its studies (%s)", type(error).__name__)
            pause.wait(self._cases.settings.interval_s)

    def look(self) -> None:
        """Look once; that the PACS is away is said once, and that it is back too."""
        try:
            self._cases.look()
        except PacsError as error:
            if not self._is_away:
                logger.warning("%s; the list of before stays, and it is asked again and again", error)
            self._is_away = True
            return
        if self._is_away:
            logger.info("the PACS answers again")
            self._when_back()
        self._is_away = False


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else utc_text(datetime.fromtimestamp(seconds, UTC))

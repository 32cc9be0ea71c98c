"""The loop: look for new studies, screen each once, store what was found; a kill loses and doubles nothing.

A study goes through ``seen`` (complete when it has not grown for a while), ``screened`` (its results lie in the outbox,
whole) and ``stored`` (all are in the PACS). After a kill it goes on from the last of these. Storing again what was
stored already changes nothing: the UIDs follow from the study and the document.
"""

import datetime
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import ImageError, ModelError, PneumoScreenError
from .cache import SeriesCache
from .client import Pacs, PacsAwayError, PacsError
from .outbox import Outbox
from .privacy import unlogged
from .screening import Written
from .selection import MODALITIES, NOTHING, candidates, choice_note
from .state import MOST_DEATHS, Entry, State, StateError

_MOST_SERIES = 3
"""Ours: of a study so many series are tried, until one can be screened."""
_MOST_FAULTS = 5
"""Ours: so often is a study tried over which the program fails."""


@dataclass(frozen=True)
class Pace:
    """How the PACS is asked.

    Attributes:
        interval_s: seconds between two looks for new studies.
        quiet_s: seconds after which a study that no longer grows is complete.
        days: of these last days studies are taken, by StudyDate; None for all.
    """

    interval_s: float = 30.0
    quiet_s: float = 60.0
    days: int | None = 3


class Watcher:
    """Watches one PACS.

    Args:
        pacs: it.
        state: what was done so far.
        folder: for the cache and the outbox.
        screen: screens the files of a folder and writes the objects about them; takes a note for the document, too.
        pace: how the PACS is asked.
        cache_bytes: most that fetched series take.
        tell: takes a line for each study, and for the PACS that is away.
    """

    def __init__(
        self,
        pacs: Pacs,
        state: State,
        folder: Path,
        screen: Callable[[Path, str | None], Written],
        pace: Pace,
        cache_bytes: int,
        tell: Callable[[str], None],
    ) -> None:
        self._pacs, self._state, self._screen, self._pace, self._tell = pacs, state, screen, pace, tell
        self._cache = SeriesCache(folder / "cache", cache_bytes)
        self._outbox = Outbox(folder / "outbox")
        self._is_away = False
        self._pause = threading.Event()

    def run(self, *, once: bool = False) -> None:
        """Watch for ever; or until no study is left that can be worked on now.

        Raises:
            PacsError: with ``once``, where the PACS cannot be asked.
        """
        while True:
            is_asked = self._look(once)
            self.work()
            if once and is_asked and not self._is_waiting():
                return
            self._pause.wait(self._pace.interval_s)

    def _look(self, once: bool) -> bool:
        """Ask for studies; a PACS that is away is told of once, and its coming back too."""
        try:
            self.look()
        except PacsError as error:
            if once:
                raise
            if not self._is_away:
                self._tell(f"{error}; it is asked again every {self._pace.interval_s:g} s")
            self._is_away = True
            return False
        if self._is_away:
            self._tell(f"{self._pacs.host}: the PACS answers again")
            self._state.hurry()
        self._is_away = False
        return True

    def look(self) -> None:
        """Enter the studies that the PACS has now.

        Raises:
            PacsError: if it cannot be asked.
        """
        with unlogged():
            self._state.see(list(self._pacs.studies(MODALITIES, self._days())))

    def _days(self) -> str | None:
        if self._pace.days is None:
            return None
        first = datetime.date.today() - datetime.timedelta(days=self._pace.days)
        return f"{first:%Y%m%d}-"

    def _is_waiting(self) -> bool:
        """Whether there is a study that only has to be left alone for a while."""
        return bool(self._state.due(0.0))

    def work(self) -> None:
        """Work on every study that is due, until the PACS is away."""
        for entry in self._state.due(self._pace.quiet_s):
            try:
                self._study(entry)
            except PacsAwayError:
                return

    def _study(self, entry: Entry) -> None:
        """Take a study as far as it goes, and enter how far that was.

        Raises:
            PacsAwayError: if the PACS is away: for the others there is no use in trying.
        """
        uid = entry.study_uid
        if entry.begun >= MOST_DEATHS:
            self._refuse(uid, f"the program ended {entry.begun} times over this study; screen it by hand to see why")
            return
        self._state.begin(uid)
        try:
            with unlogged():
                self._take(uid)
        except PacsError as error:
            self._fail(uid, str(error))
            if isinstance(error, PacsAwayError):
                raise
        except StateError:
            raise
        except ModelError as error:
            self._fail(uid, str(error))
        except PneumoScreenError as error:
            self._refuse(uid, str(error))
        except OSError as error:
            self._fail(uid, f"the folder of the state cannot be used ({error.strerror or type(error).__name__})")
        except Exception as error:
            # A fault of the program with one study must not cost the others theirs; its text may quote a header.
            reason = f"a fault of the program ({type(error).__name__}); please report it"
            (self._refuse if entry.attempts + 1 >= _MOST_FAULTS else self._fail)(uid, reason)

    def _take(self, uid: str) -> None:
        if not self._outbox.holds(uid):
            written = self._screened(uid)
            self._outbox.put(uid, written.case, written.objects)
        document = self._outbox.document(uid)
        found = document.get("verdict") or {}
        verdict = found.get("label", "") if found.get("decided", True) else "undecided"
        self._state.screened(uid, document["image"].get("series_uid") or "", verdict)
        self._outbox.send(uid, self._pacs)
        self._state.stored(uid)
        self._outbox.remove(uid)
        self._tell(f"study {uid}: {verdict}, results stored")

    def _screened(self, uid: str) -> Written:
        """Screen the best series of a study that can be screened.

        Raises:
            PacsError: if its images do not come.
            PneumoScreenError: if none can be screened; the reason is that of the best.
        """
        first: PneumoScreenError | None = None
        found = candidates(self._pacs, uid)
        for candidate in found[:_MOST_SERIES]:
            folder = self._cache.fetch(self._pacs, uid, candidate)
            try:
                return self._screen(folder, choice_note(found, candidate))
            except ModelError:
                raise
            except PneumoScreenError as error:
                # Sentences on files name their place here, which says nothing to anybody.
                first = first or PneumoScreenError(str(error).replace(str(folder), "the series"))
        raise first or ImageError(NOTHING)

    def _fail(self, uid: str, reason: str) -> None:
        self._state.failed(uid, reason)
        self._tell(f"study {uid}: failed and is tried again: {reason}")

    def _refuse(self, uid: str, reason: str) -> None:
        self._state.refused(uid, reason)
        self._tell(f"study {uid}: not screened: {reason}")

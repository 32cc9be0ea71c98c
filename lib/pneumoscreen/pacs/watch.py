"""The loop: look for new studies, screen each once, store what was found; a kill loses and doubles nothing.

A study goes through ``seen`` (complete when it has not grown for a while), ``screened`` (its results lie in the outbox,
whole) and ``stored`` (all are in the PACS). After a kill it goes on from the last of these. Storing again what was
stored already changes nothing: the UIDs follow from the study and the document.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from ..errors import ImageError, ModelError, PneumoScreenError
from .client import PacsAwayError, PacsError
from .origin import Destination, Origin
from .outbox import Outbox
from .priority import Rule, priority_of
from .privacy import unlogged
from .screening import Written
from .selection import MOST_SERIES, NOTHING, any_header, candidates, choice_note
from .state import MOST_DEATHS, Entry, State, StateError

_MOST_FAULTS = 5
"""Ours: so often is a study tried over which the program fails."""


@dataclass(frozen=True)
class Pace:
    """How the origin is asked.

    Attributes:
        interval_s: seconds between two looks for new studies.
        quiet_s: seconds after which a study that no longer grows is complete.
    """

    interval_s: float = 30.0
    quiet_s: float = 60.0


class Watcher:
    """Screens what an origin has, and stores the results.

    Args:
        origin: where the studies are.
        destination: where the results go.
        state: what was done so far.
        folder: for the outbox.
        screen: screens a folder or file and writes the objects about it; takes a note for the document, too.
        pace: how the origin is asked.
        tell: takes a line for each study, and for an origin that is away.
        rules: which studies come first.
    """

    def __init__(
        self,
        origin: Origin,
        destination: Destination,
        state: State,
        folder: Path,
        screen: Callable[[Path, str | None], Written],
        pace: Pace,
        tell: Callable[[str], None],
        rules: Sequence[Rule] = (),
    ) -> None:
        self._origin, self._destination, self._rules = origin, destination, rules
        self._state, self._screen, self._pace, self._tell = state, screen, pace, tell
        self._outbox = Outbox(folder / "outbox")
        self._is_away = self._is_refused = False
        self._next_look = 0.0
        self._pause = threading.Event()

    def run(self, *, once: bool = False) -> None:
        """Watch for ever; or until no study is left that can be worked on now.

        Raises:
            PacsError: with ``once``, where the origin cannot be asked.
        """
        while True:
            is_asked = self._look(once)
            self._next_look = time.monotonic() + self._pace.interval_s
            self.work(look_again=True)
            if once and is_asked and not self._is_waiting():
                return
            self._pause.wait(max(0.0, self._next_look - time.monotonic()))

    def _look(self, once: bool) -> bool:
        """Ask for studies; an origin that is away is told of once, and its coming back too."""
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
            self._tell(f"{self._origin.name}: the PACS answers again")
            self._state.hurry()
        self._is_away = False
        return True

    def look(self) -> None:
        """Enter the studies that the origin has now, and which of them come first.

        Raises:
            PacsError: if it cannot be asked.
        """
        with unlogged():
            self._state.see(list(self._origin.studies()))
            for entry in self._state.unranked() if self._rules else ():
                self._rank(entry.study_uid)
            for study_uid, late in self._origin.tidy(self._state.ended()):
                self._state.grown(study_uid, late)
                self._tell(f"study {study_uid}: {late} images came after it was screened; it is not screened again")

    def _rank(self, study_uid: str) -> None:
        """Enter how early a study comes; one whose header cannot be had now is asked for at the next look."""
        try:
            header = any_header(self._origin, study_uid)
        except PacsAwayError:
            raise
        except PacsError:
            return
        except PneumoScreenError:
            header = Dataset()  # its screening will say what is wrong with it
        if header is not None:
            self._state.ranked(study_uid, priority_of(header, self._rules))

    def _is_waiting(self) -> bool:
        """Whether there is a study that only has to be left alone for a while."""
        return bool(self._state.due(0.0))

    def work(self, *, look_again: bool = False) -> None:
        """Work on every study that is due, the first of them at each time, until the PACS is away.

        Args:
            look_again: whether it ends when it is time for the next look: what comes then may be more urgent.
        """
        while (entry := self._next()) is not None:
            try:
                self._study(entry)
            except PacsAwayError:
                return
            if look_again and time.monotonic() >= self._next_look:
                return

    def _next(self) -> Entry | None:
        due = self._state.due(self._pace.quiet_s)
        growing = self._origin.growing() if due else ()
        return next((entry for entry in due if entry.study_uid not in growing), None)

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
        self._send(uid)
        self._state.stored(uid)
        self._outbox.remove(uid)
        self._tell(f"study {uid}: {verdict}, results stored")

    def _send(self, uid: str) -> None:
        try:
            self._outbox.send(uid, self._destination)
        except PacsAwayError:
            self._is_refused = True
            raise
        if self._is_refused:
            self._state.hurry()
        self._is_refused = False

    def _screened(self, uid: str) -> Written:
        """Screen the best series of a study that can be screened.

        Raises:
            PacsError: if its images do not come.
            PneumoScreenError: if none can be screened; the reason is that of the best.
        """
        first: PneumoScreenError | None = None
        found = candidates(self._origin, uid)
        for candidate in found[:MOST_SERIES]:
            path = self._origin.files(uid, candidate)
            try:
                return self._screen(path, choice_note(found, candidate))
            except ModelError:
                raise
            except PneumoScreenError as error:
                # Sentences on files name their place here, which says nothing to anybody.
                first = first or PneumoScreenError(str(error).replace(str(path), "the series"))
        raise first or ImageError(NOTHING)

    def _fail(self, uid: str, reason: str) -> None:
        self._state.failed(uid, reason)
        self._tell(f"study {uid}: failed and is tried again: {reason}")

    def _refuse(self, uid: str, reason: str) -> None:
        self._state.refused(uid, reason)
        self._tell(f"study {uid}: not screened: {reason}")

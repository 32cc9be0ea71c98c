"""How the work on a case goes: its steps, undo and redo, the selected region, what is not submitted yet.

No word of what a reader says is here; that is ``reading.py``.
"""

from typing import Any, Callable, Dict, List, Optional, Tuple

from ..contract import Case, Classes, Region
from ..signal import Signal
from .arrangement import Arrangement, numbers_of
from .history import History
from .progress import open_ids
from .region_changes import touched_between, with_region
from .selection import Selection


class Course:
    """The steps from the case that was opened to the one that stands.

    Args:
        case: what it begins with.
        base: annotation version that this work builds on; 0 where there is none.
        classes: of the site.

    Attributes:
        base: version that the next submission builds on.
        changed: emitted after every change of the case.
        selection_changed: emitted when another region, or none, is selected.
        arrangement: in which order the regions stand.
    """

    def __init__(self, case: Case, base: int, classes: Classes) -> None:
        self.base, self.classes, self.arrangement = base, classes, Arrangement()
        self.changed, self._selection = Signal(), Selection(self._ids, self.shown)
        self.selection_changed = self._selection.selection_changed
        first = self._judged(case)
        self._opened = self._saved = self._handed_out = first
        self._history: History[Case] = History(first)
        self._numbered: Optional[Tuple[Case, Case, Dict[str, int]]] = None

    @property
    def case(self) -> Case:
        """The case as it stands, its verdict by the rules of ``verdict.py``."""
        return self._history.now

    @property
    def is_modified(self) -> bool:
        """Whether something stands here that was neither opened nor submitted."""
        return self.case != self._saved

    @property
    def can_undo(self) -> bool:
        """Whether there is something to undo."""
        return self._history.can_undo

    @property
    def can_redo(self) -> bool:
        """Whether there is something to redo."""
        return self._history.can_redo

    def region(self, region_id: str) -> Region:
        """A region by its id.

        Raises:
            KeyError: if there is none.
        """
        for region in self.case.regions:
            if region.id == region_id:
                return region
        raise KeyError(region_id)

    @property
    def numbers(self) -> Dict[str, int]:
        """The number of each region in the table, by id; see ``numbers_of``."""
        opened, now, known = self._numbered or (None, None, {})
        if opened is not self._opened or now is not self.case:
            known = numbers_of(self._opened.regions, self.case.regions, self.classes)
            self._numbered = self._opened, self.case, known
        return known

    def shown(self) -> List[str]:
        """Ids of the regions as the table has them: in its order, without those that it leaves out."""
        ids = self.arrangement.ids(self.case.regions, self.numbers)
        unread = set(open_ids(self.case.regions))
        return [key for key in ids if key in unread] if self.arrangement.only_open else ids

    def next_open(self, region_id: str) -> Optional[str]:
        """The first region after this one, round the end, that no reader has spoken on; None where there is none."""
        ids = self.arrangement.ids(self.case.regions, self.numbers)
        at, unread = ids.index(region_id), set(open_ids(self.case.regions))
        return next((key for key in (*ids[at + 1 :], *ids[:at]) if key in unread), None)

    # Undo, redo, selection --------------------------------------------------------------------------------------------

    def undo(self) -> None:
        """Take the last step back, where there is one."""
        self._step(self._history.undo)

    def redo(self) -> None:
        """Do again what was undone last, where something was."""
        self._step(self._history.redo)

    @property
    def selected(self) -> Optional[str]:
        """Id of the region that the reader looks at."""
        return self._selection.selected

    def select(self, region_id: Optional[str]) -> None:
        """Look at a region; None: at none.

        Raises:
            KeyError: if there is no such region.
        """
        self._selection.select(region_id)

    def select_next(self) -> None:
        """Look at the region after the selected one; after the last comes the first."""
        self._selection.step(1)

    def select_previous(self) -> None:
        """Look at the region before the selected one; before the first comes the last."""
        self._selection.step(-1)

    # Submitting -------------------------------------------------------------------------------------------------------

    def document(self) -> Dict[str, Any]:
        """The case document as it is submitted."""
        self._handed_out = self.case
        return self.case.to_dict()

    def submitted(self, version: int) -> None:
        """The document that was handed out last is on the server; what was changed since is still to be submitted."""
        self.base, self._saved = version, self._handed_out
        self._history.pause()
        self.changed.emit()

    # For the reading --------------------------------------------------------------------------------------------------

    def _judged(self, case: Case) -> Case:
        # The rules are those of the CT method; a radiograph's verdict is its network's.
        return case.with_verdict(self.classes) if case.modality == "CT" else case

    def _put(self, changed: Region) -> None:
        self._record(with_region(self.case, changed))

    def _record(self, case: Case, topic: Optional[str] = None) -> None:
        self._history.record(self._judged(case), topic)
        self.changed.emit()

    def _rewrite(self, change: Callable[[Case], Case]) -> None:
        """Change every state alike: no step of the reader, so undo passes over it."""

        def changed(case: Case) -> Case:
            return self._judged(change(case))

        self._history.rewrite(changed)
        self._opened, self._saved, self._handed_out = map(changed, (self._opened, self._saved, self._handed_out))
        self.changed.emit()

    def _step(self, step: Callable[[], None]) -> None:
        before = self.case
        step()
        if self.case is not before:
            self._selection.follow(touched_between(before, self.case))
            self.changed.emit()

    def _ids(self) -> List[str]:
        return [region.id for region in self.case.regions]

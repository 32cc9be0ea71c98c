"""The case that is open: how its reading is shown and kept, and how it goes. No widgets.

Whatever fails leaves the reading as it is; every correction is in a local draft and in the scene before anything else
happens to it.
"""

import json
from dataclasses import replace
from typing import Any, Dict, Optional

from ..connection.asking import Asking, Message
from ..connection.connection import Connection
from ..contract import DEFAULT_CLASSES, Case, Classes, Region
from ..reading.arrangement import Arrangement
from ..reading.drafts import Drafts
from ..reading.reading import Reading
from ..scene.volumes import SceneError
from ..signal import Signal
from ..translation import _
from .case_view import CaseView
from .lending import Lending
from .stopwatch import Stopwatch
from .study import Study
from .typed_note import TypedNote


class OpenCase:
    """One case at a time, with its volume in the scene.

    Args:
        asking: asks the server.
        connection: to it.
        view: shows the open case in the scene.
        drafts: keeps unsubmitted work on this computer.
        folder: where downloaded volumes are kept.
        classes: of the site.
    """

    def __init__(
        self,
        asking: Asking,
        connection: Connection,
        view: CaseView,
        drafts: Drafts,
        folder: str,
        classes: Classes = DEFAULT_CLASSES,
    ) -> None:
        self.asking, self.connection, self.view, self.drafts = asking, connection, view, drafts
        self.folder, self.classes = folder, classes
        self.case_id: Optional[str] = None
        self.draft_name = ""
        self.is_on_server = False
        self.base = 0
        self.reading: Optional[Reading] = None
        self.is_read_only, self.is_submitted = False, False
        self.strategy = "combined"
        # From the first findings on the screen to the last submission: waiting for a screening is no reading.
        self.watch = Stopwatch()
        self.note = TypedNote(self._write_note)
        self.case_changed, self.reading_changed = Signal(), Signal()
        self.selection_changed, self.masks_changed = Signal(), Signal()
        self.study, self.arrangement = Study(), Arrangement()
        self.lending = Lending(asking, connection)

    # Which case -------------------------------------------------------------------------------------------------------

    def leave(self) -> None:
        """No case is open any more: the scene goes, or the panel. Unsubmitted work stays in its draft."""
        self.lending.give_back()
        if self.case_id is None:
            return
        self.note.settle()
        case_id, is_kept = self.case_id, self.reading is not None and self.reading.is_modified
        self._leave_reading()
        self.view.leave()
        self._begin(None, False)
        text = _("Your unsubmitted work on {case_id} is kept: open the case again to go on.").format(case_id=case_id)
        self.asking.say(Message(text) if is_kept else None)

    def _begin(self, case_id: Optional[str], on_server: bool) -> None:
        self.watch.reset()
        self.case_id, self.is_on_server, self.base = case_id, on_server, 0
        self.is_submitted = self.is_read_only = False
        address = (self.connection.server or {}).get("address", "")
        self.draft_name = "" if case_id is None else "\n".join((case_id, self.connection.reader, address))
        self.case_changed.emit()
        self.reading_changed.emit()

    def _ask_for_masks(self) -> None:
        case_id = self.case_id
        if self.study.is_hidden:
            return

        def here(path: str) -> None:
            if case_id != self.case_id:
                return
            try:
                self.view.show_masks(path)
            except SceneError as error:
                self.asking.say(Message(str(error), None, True))
            self.masks_changed.emit()

        # A screening by an older server left no masks: the case is read without them.
        args = {"case_id": case_id, "folder": self.folder}
        self.asking.ask("masks", args, here, None, lambda failure: failure.kind == "missing")

    # Keeping ----------------------------------------------------------------------------------------------------------

    def submitted(self, version: int, reading: Optional[Reading] = None, draft_name: str = "") -> None:
        """A reading is on the server: its local draft has done its work.

        Args:
            version: that it became there.
            reading: default: the open one; another where the case was left while the answer was on its way.
            draft_name: of that reading.
        """
        if reading is not None and reading is not self.reading:
            reading.submitted(version)
            if not reading.is_modified:
                self.drafts.remove(draft_name)
        elif self.reading is not None and self.case_id is not None:
            self.base = version
            self.is_submitted = True
            self.lending.submitted()
            # What was corrected while the answer was on its way stays a draft.
            self.reading.submitted(version)

    def _reading_of(self, document: Dict[str, Any]) -> Reading:
        return Reading(Case.from_dict(document, self.classes), self.base, self.connection.reader, self.classes)

    def show(self, reading: Reading, read_only: bool = False) -> None:
        """Show a reading in the place of the one that was shown; another reader's takes no corrections."""
        self._leave_reading()
        self.reading, self.is_submitted, self.is_read_only = reading, False, read_only
        reading.arrangement = self.arrangement
        self.study.begin(reading, read_only)
        self.watch.start()
        reading.changed.connect(self._changed)
        reading.selection_changed.connect(self._selected)
        self._draw(reading)
        if reading.selected is None and not self.study.is_hidden:
            reading.select_next()

    def _changed(self) -> None:
        reading = self.reading
        if reading is not None and self.case_id is not None:
            # Once for both places: with hundreds of regions it is the longest part of a correction.
            draft = json.dumps(reading.to_draft(), allow_nan=False) if reading.is_modified else None
            self.view.keep(draft)
            self._keep(draft)
            self.is_submitted = self.is_submitted and not reading.is_modified
            is_shown_now = self.study.follow(reading, self.watch.seconds)
            self._draw(reading)
            if is_shown_now:
                reading.select_next()
                if self.is_on_server:
                    self._ask_for_masks()

    def _draw(self, reading: Reading) -> None:
        is_hidden = self.study.is_hidden
        self.view.show(replace(reading.case, regions=()) if is_hidden else reading.case, reading.selected)
        self.reading_changed.emit()

    def _write_note(self, text: str) -> None:
        if self.reading is not None and not self.is_read_only:
            self.reading.set_note(text)

    def _keep(self, draft: Optional[str]) -> None:
        try:
            if draft is None:
                self.drafts.remove(self.draft_name)
            else:
                self.drafts.store(self.draft_name, draft)
        except OSError as error:
            text = _("Your work cannot be kept in {folder} ({reason}): free space or submit now.")
            text = text.format(folder=self.drafts.folder, reason=error.strerror)
            self.asking.say(Message(text, None, True))

    def selected_region(self) -> Optional[Region]:
        """The region that the reader looks at."""
        reading = self.reading
        return None if reading is None or reading.selected is None else reading.region(reading.selected)

    def _selected(self) -> None:
        region = self.selected_region()
        if region is not None:
            self.view.look_at(region)
        self.selection_changed.emit()

    def _leave_reading(self) -> None:
        self.note.settle()
        if self.reading is not None:
            self.reading.changed.disconnect(self._changed)
            self.reading.selection_changed.disconnect(self._selected)
        self.reading = None

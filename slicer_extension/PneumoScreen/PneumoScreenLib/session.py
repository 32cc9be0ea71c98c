"""A reader's session: the open case, its reading and the scene joined. No widgets: the panels show what stands here.

Whatever fails leaves the reading as it is; every correction is in a local draft and in the scene before anything else
happens to it.
"""

import os
from typing import Any, Callable, Dict, List, Optional, Sequence

from .asking import Asking, Message
from .case_view import CaseView
from .connection import NOT_CONNECTED, Connection
from .contract import DEFAULT_CLASSES, Case, CaseError, Classes, Region
from .drafts import Drafts
from .opening import Opened, Opening
from .reading import NOBODY, Reading
from .scene.volumes import SceneError
from .signal import Signal
from .stopwatch import Stopwatch


class Session:
    """What a reader does with a case, one method each.

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
        self._draft_name = ""
        self.is_on_server = False
        self.base = 0
        self.reading: Optional[Reading] = None
        self.is_read_only, self.is_submitted = False, False
        self.strategy = "combined"
        # From the first findings on the screen to the last submission: waiting for a screening is no reading.
        self.watch = Stopwatch()
        self.case_changed, self.reading_changed, self.selection_changed = Signal(), Signal(), Signal()
        self.masks_changed = Signal()
        view.connect(self._moved, self.select, self._placed)

    # Which case -------------------------------------------------------------------------------------------------------

    def open(self, case_id: str) -> None:
        """Download and show a case; the one that is open stays until the other is here."""

        def begin(done: Callable[[Any], None], failed: Callable[[Any], None]) -> Opening:
            progress = self.asking.progressed.emit
            return Opening(self.asking.calls, case_id, self.folder, self.connection.reader, done, failed, progress)

        self.asking.follow(begin, self._opened, lambda: self.open(case_id), f"Opening {case_id} …")

    def next_case(self, skip: Optional[bool] = None) -> None:
        """Open the case that the chosen strategy names; an open one that is not submitted is passed over."""
        skips = self.is_on_server and self.reading is not None and not self.is_submitted if skip is None else skip
        args = {"strategy": self.strategy, "skip": skips}
        self.asking.run("next_case", args, self._chosen, lambda: self.next_case(skips), "Asking for the next case …")

    def open_sample(self, path: str) -> None:
        """Show the synthetic case that comes with the extension; nothing is sent."""
        if self._show(os.path.basename(path).split(".")[0], path, on_server=False):
            self.asking.say(Message("This is a synthetic CT. To screen it, press “Send to server”."))

    def send(self, path: str, case_id: str) -> None:
        """Send a volume file to the server as a new case, and open it there."""

        def sent(answer: Any) -> None:
            self.connection.refresh()
            self.open(case_id)

        args = {"path": path, "case_id": case_id}
        self.asking.run("upload", args, sent, lambda: self.send(path, case_id), f"Sending {case_id} …")

    def _chosen(self, found: Dict[str, Any]) -> None:
        case_id = found.get("id") or found.get("case_id")
        if case_id:
            self.open(str(case_id))
        else:
            self.asking.say(Message("Every case has been read; there is no next one."))

    def _opened(self, opened: Opened) -> None:
        if not self._show(opened.case_id, opened.path, on_server=True):
            return
        self.base = opened.base
        draft = self.drafts.restore(self._draft_name) or self._kept_in_scene(opened.case_id)
        try:
            if draft is not None:
                self._read(Reading.from_draft(draft))
                self.asking.say(Message("Your unsubmitted work on this case was restored."))
            elif opened.document is not None:
                self._read(self._reading_of(opened.document))
        except (CaseError, KeyError, TypeError, ValueError) as error:
            self.asking.say(Message(f"This case cannot be shown ({error}); screen it again.", None, True))
        if opened.has_screening:
            self._ask_for_masks()

    def _kept_in_scene(self, case_id: str) -> Optional[Dict[str, Any]]:
        draft = self.view.kept(case_id)
        # A scene can come from a colleague.
        return draft if draft is not None and draft.get("reader") in (self.connection.reader, NOBODY) else None

    def _show(self, case_id: str, path: str, on_server: bool) -> bool:
        if not self._try(lambda: self.view.open(path, case_id)):
            return False
        self._leave_reading()
        self.watch.reset()
        self.case_id, self.is_on_server, self.base, self.is_submitted = case_id, on_server, 0, False
        address = (self.connection.server or {}).get("address", "")
        self._draft_name = "\n".join((case_id, self.connection.reader, address))
        self.case_changed.emit()
        self.reading_changed.emit()
        return True

    # Screening --------------------------------------------------------------------------------------------------------

    def why_not_screen(self) -> Optional[str]:
        """Why the open case cannot be screened now; None where it can."""
        if self.connection.server is None:
            return NOT_CONNECTED
        if self.case_id is None:
            return "Open a case first."
        if not self.is_on_server:
            return "This volume is not on the server: press “Send to server” first."
        if self.asking.is_busy:
            return "Wait for what is running, or cancel it."
        if self.reading is not None and self.reading.is_modified:
            return "Submit or undo your corrections first: screening starts from the model's regions again."
        return None

    def screen(self) -> None:
        """Let the server screen the open case."""
        case_id = self.case_id

        def screened(document: Dict[str, Any]) -> None:
            if case_id == self.case_id:
                self._read(self._reading_of(document))
                self._ask_for_masks()

        if self.why_not_screen() is None:
            call = "screen_xray" if self.view.is_radiograph else "screen"
            self.asking.run(call, {"case_id": case_id}, screened, self.screen, "Screening …")

    def boxes_to_classify(self) -> List[Region]:
        """New and moved regions that the server has not seen."""
        regions = () if self.reading is None else self.reading.case.regions
        return [region for region in regions if not region.patches]

    def classify(self) -> None:
        """Ask the server for patches and votes of new and moved regions."""
        reading = self.reading
        wanted = {region.id for region in self.boxes_to_classify()}

        def classified(regions: Sequence[Dict[str, Any]]) -> None:
            if reading is not None and reading is self.reading:
                reading.classified(regions)

        if reading is not None and wanted:
            regions = [region for region in reading.case.to_dict()["regions"] if region["id"] in wanted]
            args = {"case_id": self.case_id, "regions": regions}
            self.asking.run("classify", args, classified, self.classify, "Classifying …")

    def _try(self, action: Callable[[], None]) -> bool:
        try:
            action()
        except SceneError as error:
            self.asking.say(Message(str(error), None, True))
            return False
        return True

    def _ask_for_masks(self) -> None:
        case_id = self.case_id

        def here(path: str) -> None:
            if case_id == self.case_id:
                self._try(lambda: self.view.show_masks(path))
                self.masks_changed.emit()

        # A screening by an older server left no masks: the case is read without them.
        args = {"case_id": case_id, "folder": self.folder}
        self.asking.ask("masks", args, here, None, lambda failure: failure.kind == "missing")

    # Correcting -------------------------------------------------------------------------------------------------------

    def selected_region(self) -> Optional[Region]:
        """The region that the reader looks at."""
        reading = self.reading
        return None if reading is None or reading.selected is None else reading.region(reading.selected)

    def select(self, region_id: str) -> None:
        """Look at a region: table, boxes and views follow."""
        if self.reading is not None:
            self.reading.select(region_id)

    def correct(self, action: str) -> None:
        """Do to the selected region what a key or a button says; ``action`` is a label or a method of the reading."""
        reading = self.reading
        if reading is None or (self.is_read_only and not action.startswith("select_")):
            return
        selected = reading.selected
        if action in self.classes.patch_labels and selected is not None:
            reading.mark(selected, action)
        elif action == "accept" and selected is not None:
            reading.accept(selected)
        elif action == "delete" and selected is not None:
            reading.delete(selected)
        elif action in ("undo", "redo", "select_next", "select_previous"):
            getattr(reading, action)()

    def place_box(self) -> None:
        """Let the reader place a new box in a slice view; an X-ray has no regions."""
        if self.reading is not None and self.reading.case.modality == "CT" and not self.is_read_only:
            self.view.place()

    def _placed(self, center_mm: Sequence[float], size_mm: Sequence[float]) -> None:
        if self.reading is not None and not self.is_read_only:
            side = self.view.side_of(center_mm, size_mm)
            self.reading.select(self.reading.add(center_mm, size_mm, side=side))

    def _moved(self, region_id: str, center_mm: Sequence[float], size_mm: Sequence[float]) -> None:
        if self.reading is not None and not self.is_read_only:
            self.reading.move(region_id, center_mm, size_mm, self.view.side_of(center_mm, size_mm))

    # Keeping ----------------------------------------------------------------------------------------------------------

    def show(self, reading: Reading, read_only: bool = False) -> None:
        """Show a reading in the place of the one that was shown; another reader's takes no corrections."""
        self._read(reading, read_only)

    def submitted(self, version: int) -> None:
        """The reading is on the server: the local draft has done its work."""
        if self.reading is not None and self.case_id is not None:
            self.base = version
            self.is_submitted = True
            # What was corrected while the answer was on its way stays a draft.
            self.reading.submitted(version)

    def _reading_of(self, document: Dict[str, Any]) -> Reading:
        case = Case.from_dict(document, self.classes)
        return Reading(case, self.base, self.connection.reader, self.classes)

    def _read(self, reading: Reading, read_only: bool = False) -> None:
        self._leave_reading()
        self.reading, self.is_submitted, self.is_read_only = reading, False, read_only
        self.watch.start()
        reading.changed.connect(self._changed)
        reading.selection_changed.connect(self._selected)
        self.view.show(reading.case, reading.selected)
        self.reading_changed.emit()
        if reading.selected is None:
            reading.select_next()

    def _changed(self) -> None:
        reading = self.reading
        if reading is not None and self.case_id is not None:
            draft = reading.to_draft() if reading.is_modified else None
            self.view.keep(draft)
            self._keep(draft)
            self.is_submitted = self.is_submitted and not reading.is_modified
            self.view.show(reading.case, reading.selected)
            self.reading_changed.emit()

    def _keep(self, draft: Optional[Dict[str, Any]]) -> None:
        try:
            if draft is None:
                self.drafts.remove(self._draft_name)
            else:
                self.drafts.store(self._draft_name, draft)
        except OSError as error:
            text = f"Your work cannot be kept in {self.drafts.folder} ({error.strerror}): free space or submit now."
            self.asking.say(Message(text, None, True))

    def _selected(self) -> None:
        region = self.selected_region()
        if region is not None:
            self.view.look_at(region)
        self.selection_changed.emit()

    def _leave_reading(self) -> None:
        if self.reading is not None:
            self.reading.changed.disconnect(self._changed)
            self.reading.selection_changed.disconnect(self._selected)
        self.reading = None

"""How a case comes in the place of the one before, in turns of the event loop that are short. No widgets."""

from typing import Any, Callable, Dict, Optional

from ..background import Parts, Turns
from ..connection.asking import Message
from ..contract import CaseError
from ..reading.reading import NOBODY, Reading
from ..scene.volumes import SceneError
from ..translation import _
from .download import Opened, Opening
from .open_case import OpenCase


class Arrival(OpenCase):
    """Opens cases; the reader may press keys between any two turns, close the scene, or take another case."""

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        self._turns, self._scenes = Turns(), 0

    def open(self, case_id: str) -> None:
        """Download and show a case; the one that is open stays until the other is here."""

        scenes = self._scenes

        def begin(done: Callable[[Any], None], failed: Callable[[Any], None]) -> Opening:
            def found(opened: Opened) -> None:
                # What was on its way when the scene was closed was meant for that scene.
                if scenes == self._scenes:
                    self.arrive(opened, lambda: done(None))
                else:
                    done(None)

            progress = self.asking.progressed.emit
            return Opening(self.asking.calls, case_id, self.folder, self.connection.reader, found, failed, progress)

        text = _("Opening {case_id} …").format(case_id=case_id)
        self.asking.follow(begin, lambda nothing: None, lambda: self.open(case_id), text)

    def arrive(self, opened: Opened, ended: Optional[Callable[[], None]] = None) -> None:
        """Show what the server has of a case, in several turns of the event loop; ``ended`` follows the last one."""
        self._turns.start(self._arrival(opened), ended)

    @property
    def is_arriving(self) -> bool:
        """Whether a case is coming that is not all there."""
        return self._turns.is_at_work

    def _arrival(self, opened: Opened) -> Parts:
        if not (yield from self._show(opened.case_id, opened.path, on_server=True)):
            return
        self.base = opened.base
        yield
        reading = self._found_in(opened)
        yield
        if reading is not None:
            self.show(reading)
        if opened.has_screening:
            self._ask_for_masks()

    def _found_in(self, opened: Opened) -> Optional[Reading]:
        draft = self.drafts.restore(self.draft_name) or self._kept_in_scene(opened.case_id)
        try:
            if draft is not None:
                reading = Reading.from_draft(draft)
                self.asking.say(Message(_("Your unsubmitted work on this case was restored.")))
                return reading
            return None if opened.document is None else self._reading_of(opened.document)
        except (CaseError, KeyError, TypeError, ValueError) as error:
            text = _("This case cannot be shown ({error}); screen it again.").format(error=error)
            self.asking.say(Message(text, None, True))
            return None

    def _kept_in_scene(self, case_id: str) -> Optional[Dict[str, Any]]:
        draft = self.view.kept(case_id)
        # A scene can come from a colleague.
        return draft if draft is not None and draft.get("reader") in (self.connection.reader, NOBODY) else None

    def _show(self, case_id: str, path: str, on_server: bool) -> Parts:
        """Whether the volume of a case could be shown; the one before is left."""
        try:
            yield from arriving(self.view, path, case_id, self._leave_reading)
        except SceneError as error:
            self.asking.say(Message(str(error), None, True))
            return False
        self.lending.give_back(but=case_id)
        self._begin(case_id, on_server)
        return True

    def leave(self) -> None:
        """No case is open any more, and none comes: the scene goes, or the panel."""
        self._scenes += 1
        self._turns.stop()
        super().leave()


def arriving(view: Any, path: str, case_id: str, leave: Callable[[], None]) -> Parts:
    """Read a volume, leave the case before, show the volume: a turn each.

    Until the second turn the case before is read on; what is given up meanwhile leaves no volume behind.

    Args:
        view: ``CaseView``.
        path: file of the volume.
        case_id: name of the case.
        leave: ends the reading of the case before.

    Raises:
        SceneError: in the first turn, if Slicer cannot read the file; the case before stays.
    """
    volume, is_shown = view.bring(path, case_id), False
    try:
        yield
        leave()
        yield from view.boxes.withdraw()
        view.clear()
        yield
        view.show_volume(volume, case_id)
        is_shown = True
    finally:
        if not is_shown:
            view.send_back(volume)

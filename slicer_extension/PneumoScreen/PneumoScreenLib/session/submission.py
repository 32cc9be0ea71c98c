"""Submitting a reading, and what happens when another reader was faster: shown, never overwritten."""

from typing import Any, Dict, Optional

from ..client.sentences import in_words
from ..connection.asking import Message
from ..connection.calls import Failure
from ..connection.connection import NOT_CONNECTED
from ..contract import Case, CaseError
from ..reading.progress import unread_in_words
from ..reading.reading import Reading
from ..signal import Signal
from ..translation import _
from .session import HIDDEN, Session


class Submission:
    """Submits the session's reading.

    Args:
        session: whose reading is submitted.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.conflict: Optional[Dict[str, Any]] = None
        self.conflict_changed = Signal()
        self._mine: Optional[Reading] = None
        self._asked: Optional[Reading] = None
        self.is_stored = False
        session.case_changed.connect(self._forget)

    @property
    def is_looking_at_theirs(self) -> bool:
        """Whether the other reader's work is on the screen; the reader's own is kept aside."""
        return self._mine is not None

    @property
    def may_look_at_theirs(self) -> bool:
        """Whether the other reader's work may be seen: once the own is stored, so that neither knew the other."""
        return self.is_stored or self.is_looking_at_theirs

    def why_not(self) -> Optional[str]:
        """Why the reading cannot be submitted now; None where it can."""
        session = self.session
        if session.reading is None:
            return _("Screen the case first.")
        if session.connection.server is None:
            return NOT_CONNECTED
        if not session.is_on_server:
            return _("This case is not on the server, so nothing of it can be submitted.")
        if self.is_looking_at_theirs:
            return _("Go back to your own reading first.")
        if session.study.is_hidden:
            return HIDDEN
        if session.asking.is_busy:
            return _("Wait for what is running, or cancel it.")
        return session.reading.problem()

    def submit(self, and_next: bool = False, base: Optional[int] = None) -> None:
        """Store the reading on the server as a new version, then open the next case where wanted."""
        self.session.note.settle()
        reason = self.why_not()
        if reason is not None:
            self.session.asking.say(Message(reason))
            return
        session, reading, draft_name = self.session, self.session.reading, self.session.draft_name
        assert reading is not None
        if self._asks_about_unread(reading, and_next, base):
            return
        on = reading.base if base is None else base
        how = session.study.told(reading, session.watch.seconds)
        args = {"case_id": session.case_id, "document": {**reading.document(), "reading": how}, "base": on}

        def is_open() -> bool:
            # The scene may be closed while the answer is on its way.
            return reading is session.reading

        def submitted(answer: Dict[str, Any]) -> None:
            if is_open():
                self.is_stored = True
                self.conflict_changed.emit()
            session.submitted(int(answer["version"]), reading, draft_name)
            session.connection.refresh()
            if and_next and is_open():
                session.next_case(skip=False)
            else:
                said = [
                    _("Submitted as version {version}.").format(version=answer["version"]),
                    *map(in_words, answer.get("changes") or ()),
                ]
                session.asking.say(Message(" ".join(said)))

        def again() -> None:
            if is_open():
                self.submit(and_next, base)

        def is_conflict(failure: Failure) -> bool:
            return is_open() and self._is_conflict(failure)

        session.asking.run("submit", args, submitted, again, _("Submitting …"), is_conflict)

    def _asks_about_unread(self, reading: Reading, and_next: bool, base: Optional[int]) -> bool:
        """Whether the reader is asked about unread regions now: once for a reading, by key or by button."""
        question = unread_in_words(reading.case.regions)
        if not question or self._asked is reading:
            return False
        self._asked = reading
        button = _("Submit anyway")
        self.session.asking.say(Message(question, lambda: self.submit(and_next, base), button=button))
        return True

    def submit_and_next(self) -> None:
        """Store the reading and open the next case."""
        self.submit(and_next=True)

    def submit_on_top(self) -> None:
        """Store the reading as the version after the other reader's; both stay."""
        if self.conflict is not None:
            self.submit(base=int(self.conflict["version"]))

    def look_at_theirs_or_mine(self) -> None:
        """Show the other reader's work, or the own again."""
        session = self.session
        if self._mine is not None:
            mine, self._mine = self._mine, None
            session.show(mine)
            self.conflict_changed.emit()
            return
        case_id, conflict = session.case_id, self.conflict
        if conflict is None or not self.may_look_at_theirs:
            return

        def found(version: Dict[str, Any]) -> None:
            if case_id != session.case_id or session.reading is None:
                return
            try:
                case = Case.from_dict(version["document"], session.classes)
            except (CaseError, KeyError) as error:
                session.asking.say(
                    Message(_("The other reading cannot be shown: {error}.").format(error=error), None, True)
                )
                return
            self._mine = session.reading
            session.show(Reading(case, int(version["version"]), session.connection.reader, session.classes), True)
            self.conflict_changed.emit()

        args = {"case_id": case_id, "version": conflict["version"]}
        session.asking.run("annotation", args, found, self.look_at_theirs_or_mine, _("Fetching the other reading …"))

    def conflict_in_words(self) -> str:
        """Who submitted what and when."""
        other = self.conflict or {}
        at = str(other.get("at", "")).replace("T", " ").replace("Z", _(" UTC"))
        who = other.get("reader", _("Another reader"))
        values = {"who": who, "version": other.get("version"), "at": at}
        if self.is_stored:
            return _("{who} submitted version {version} ({at}). Yours is stored as well.").format(**values)
        return _("{who} submitted version {version} ({at}). It is shown once yours is submitted.").format(**values)

    def _is_conflict(self, failure: Failure) -> bool:
        other = failure.detail.get("other")
        if failure.kind != "conflict" or not isinstance(other, dict):
            return False
        self._set_conflict(other)
        return True

    def _set_conflict(self, other: Optional[Dict[str, Any]]) -> None:
        self.conflict = other
        self.conflict_changed.emit()

    def _forget(self) -> None:
        self._mine = self._asked = None
        self.is_stored = False
        self._set_conflict(None)

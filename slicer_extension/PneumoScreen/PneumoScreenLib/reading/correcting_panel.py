"""Correcting: labels by button and key, boxes, undo and redo, diagnosis, note, submitting, and a conflict."""

from functools import partial
from typing import Any, Dict, Sequence, Tuple

import qt

from ..translation import _
from ..widgets import style
from ..widgets.buttons import Rows, with_key
from ..wording import display_name
from .progress import open_ids

UNKNOWN = _("not known")


class CorrectingPanel:
    """What the reader says of the case.

    Args:
        ui: widgets of the ``.ui`` file.
        session: takes every correction.
        submission: takes the reading in the end.
    """

    def __init__(self, ui: Any, session: Any, submission: Any) -> None:
        self.ui, self.session, self.submission = ui, session, submission
        self._labels: Dict[str, Any] = {}
        self._is_showing = False
        self._offered: Tuple[str, ...] = ()
        self._make_labels()
        self._fill_diagnoses(session.classes.case_labels)
        steps = (
            (ui.previousButton, "select_previous"),
            (ui.nextRegionButton, "select_next"),
            (ui.acceptRestButton, "accept_rest"),
            (ui.addButton, "add_box"),
            (ui.deleteButton, "delete"),
            (ui.undoButton, "undo"),
            (ui.redoButton, "redo"),
        )
        for button, name in (*steps, (ui.classifyButton, "classify"), (ui.submitButton, "submit")):
            with_key(button, name)
        with_key(ui.submitNextButton, "submit_and_next")
        style.as_primary(ui.submitNextButton)
        self._rows = [
            Rows(ui.labelFrame, list(self._labels.values()), are_alike=True),
            Rows(ui.boxFrame, [button for button, _ in steps]),
            Rows(ui.submitFrame, [ui.submitButton, ui.submitNextButton], are_alike=True),
        ]
        for check in (ui.lungsCheck, ui.infectionCheck):
            style.as_box(check)
        style.as_card(ui.conflictFrame)
        style.as_quiet(ui.savedLabel)
        for button, action in (
            (ui.acceptRestButton, lambda: session.correct("accept_rest")),
            (ui.addButton, session.place_box),
            (ui.deleteButton, lambda: session.correct("delete")),
            (ui.undoButton, lambda: session.correct("undo")),
            (ui.redoButton, lambda: session.correct("redo")),
            (ui.classifyButton, session.classify),
            (ui.submitButton, lambda: submission.submit()),
            (ui.submitNextButton, submission.submit_and_next),
            (ui.onTopButton, submission.submit_on_top),
            (ui.theirsButton, submission.look_at_theirs_or_mine),
        ):
            button.connect("clicked()", action)
        ui.diagnosisCombo.connect("activated(int)", self._diagnose)
        ui.noteEdit.connect("textChanged()", self._note)
        ui.lungsCheck.connect("toggled(bool)", lambda on: session.view.set_masks_visible(lungs=on))
        ui.infectionCheck.connect("toggled(bool)", lambda on: session.view.set_masks_visible(infection=on))
        for signal in (session.reading_changed, session.selection_changed, submission.conflict_changed):
            signal.connect(self.update)
        session.asking.busy_changed.connect(self.update)
        session.connection.server_changed.connect(self.update)
        self.update()

    def update(self) -> None:
        """Show what can be done now, and why not where it cannot."""
        ui, session, reading = self.ui, self.session, self.session.reading
        self._show_conflict()
        if reading is None:
            return
        is_mine = not session.is_read_only
        self._show_labels(is_mine)
        ui.acceptRestButton.enabled = is_mine and bool(open_ids(reading.case.regions))
        ui.undoButton.enabled = is_mine and reading.can_undo
        ui.redoButton.enabled = is_mine and reading.can_redo
        ui.classifyButton.visible = bool(session.boxes_to_classify())
        ui.classifyButton.enabled = is_mine and session.is_on_server and not session.asking.is_busy
        self._show_submitting()
        self._is_showing = True
        self._fill_diagnoses(reading.diagnoses)
        names = [None, *reading.diagnoses]
        ui.diagnosisCombo.currentIndex = names.index(reading.case.diagnosis)
        ui.diagnosisCombo.enabled = ui.noteEdit.enabled = is_mine
        # A note that is being typed is newer than the reading's.
        if session.note.text is None and ui.noteEdit.plainText != reading.note:
            ui.noteEdit.setPlainText(reading.note)
        self._is_showing = False

    def close(self) -> None:
        """The panel goes: its rows follow its width no longer."""
        for rows in self._rows:
            rows.close()

    def _show_labels(self, is_mine: bool) -> None:
        ui, session = self.ui, self.session
        region = session.selected_region()
        mark = region.reader.label if region is not None and region.reader is not None else None
        for label, button in self._labels.items():
            button.enabled = is_mine and region is not None
            # A button that was clicked toggled itself; the reading alone says which label holds.
            if button.checkable:
                button.checked = label == mark
                style.as_chosen(button, label == mark)
        ui.deleteButton.enabled = ui.editBoxButton.enabled = is_mine and region is not None
        ui.addButton.enabled = is_mine and session.reading.case.modality == "CT"

    def _show_submitting(self) -> None:
        ui, session = self.ui, self.session
        reason = self.submission.why_not()
        for button in (ui.submitButton, ui.submitNextButton):
            button.enabled = reason is None
            button.toolTip = reason or _("Store this reading on the server.")
        if session.is_read_only:
            ui.savedLabel.text = _("You look at another reader's work; yours is kept.")
        elif session.reading.is_modified:
            ui.savedLabel.text = reason or _("Kept on this computer; not submitted yet.")
        else:
            ui.savedLabel.text = _("Submitted.") if session.is_submitted else ""

    def _show_conflict(self) -> None:
        ui, submission = self.ui, self.submission
        ui.conflictFrame.visible = submission.conflict is not None
        if submission.conflict is not None:
            ui.conflictLabel.text = submission.conflict_in_words()
            ui.theirsButton.text = _("Back to mine") if submission.is_looking_at_theirs else _("Look at theirs")
            ui.theirsButton.enabled = submission.may_look_at_theirs
            ui.onTopButton.enabled = submission.why_not() is None and not submission.is_stored

    def _make_labels(self) -> None:
        for label in self.session.classes.patch_labels:
            tip = _("This region is {label}; the next open one is selected.").format(label=display_name(label))
            button = self._button(display_name(label), label, tip)
            button.checkable = True
            button.icon = style.dot(style.colour_of(label, button, self.session.classes))
            button.connect("clicked()", partial(self.session.correct, label))
            self._labels[label] = button
        accept = self._button(
            _("Accept"), "accept", _("The label of the model is right; the next open region is selected.")
        )
        accept.connect("clicked()", partial(self.session.correct, "accept"))
        self._labels["accept"] = accept

    def _button(self, text: str, action: str, tip: str) -> Any:
        button = qt.QPushButton(text)
        with_key(button, action)
        button.toolTip = tip
        return button

    def _fill_diagnoses(self, diagnoses: Sequence[str]) -> None:
        if self._offered != tuple(diagnoses):
            self._offered = tuple(diagnoses)
            self.ui.diagnosisCombo.clear()
            self.ui.diagnosisCombo.addItems([UNKNOWN, *map(display_name, diagnoses)])

    def _diagnose(self, index: int) -> None:
        reading = self.session.reading
        if reading is not None:
            reading.set_diagnosis([None, *reading.diagnoses][index])

    def _note(self) -> None:
        if not self._is_showing and self.session.reading is not None and not self.session.is_read_only:
            self.session.note.type(self.ui.noteEdit.plainText)

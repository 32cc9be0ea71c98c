"""How the case is looked at: windows, slab, handles, overlays hidden while a key is held, the report, the keys."""

import os
import time
from functools import partial
from typing import Any, Callable, Dict

import qt

from ..connection.asking import Message
from ..keys import meanings
from ..scene.hanging import BONE, LUNG, MEDIASTINUM
from ..session.prior import Prior, day_of
from ..session.session import HIDDEN
from ..translation import _
from ..verdict.report_file import ReportError, filters, write_report
from ..verdict.report_page import page
from ..verdict.report_sentence import sentence
from ..widgets import style
from ..widgets.buttons import Rows, with_key

FIRST_MS, REPEAT_MS = 900, 250
"""How long overlays stay away after a key's first press, and after each press that repeats it; ours: the system waits
up to .7 s before it repeats a held key, and repeats it every 30 ms or so. Qt tells no shortcut of a release."""


class ViewingPanel:
    """Buttons and actions that change what is seen, never what is said.

    Args:
        ui: widgets of the ``.ui`` file.
        session: has the view of the case.
    """

    def __init__(self, ui: Any, session: Any) -> None:
        self.ui, self.session, self.prior = ui, session, Prior(session)
        view = session.view
        self.actions: Dict[str, Callable[[], None]] = {
            "edit_box": session.edit_box,
            "hide_overlays": self.hide_overlays,
            "lung": partial(view.set_window, LUNG),
            "mediastinum": partial(view.set_window, MEDIASTINUM),
            "bone": partial(view.set_window, BONE),
            "slab": view.toggle_slab,
            "ground_glass": self.toggle_ground_glass,
            "ruler": view.rulers.place,
            "lung_surface": lambda: ui.surfaceCheck.toggle(),
            "prior": self.prior.toggle,
            "report": self.copy_report,
            "save_report": self.save_report,
            "show_keys": self.show_keys,
        }
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.connect("timeout()", lambda: view.hide_overlays(False))
        buttons = {
            "lung": ui.lungButton,
            "mediastinum": ui.mediastinumButton,
            "bone": ui.boneButton,
            "slab": ui.slabButton,
            "ground_glass": ui.glassButton,
            "ruler": ui.rulerButton,
            "prior": ui.priorButton,
            "edit_box": ui.editBoxButton,
            "hide_overlays": ui.hideButton,
        }
        ui.glassButton.checkable = ui.priorButton.checkable = True
        for action, button in {
            **buttons,
            "report": ui.reportButton,
            "save_report": ui.saveReportButton,
            "show_keys": ui.keysButton,
        }.items():
            with_key(button, action)
            button.connect("clicked()", self.actions[action])
        self._rows = [
            Rows(ui.viewFrame, list(buttons.values())),
            Rows(ui.reportFrame, [ui.reportButton, ui.saveReportButton, ui.keysButton]),
        ]
        style.as_card(ui.keysFrame)
        ui.keysLabel.text = _map_of_keys(session.classes)
        ui.keysFrame.visible = False
        with_key(ui.surfaceCheck, "lung_surface")
        style.as_box(ui.surfaceCheck)
        ui.surfaceCheck.connect("toggled(bool)", view.masks.surface.set_visible)
        self.prior.changed.connect(self.update)
        self.update()

    def update(self) -> None:
        """Show what is switched on, and whether there is a prior."""
        glass, prior = self.ui.glassButton, self.ui.priorButton
        for button, is_on in ((glass, self.session.view.glass.is_on), (prior, self.prior.is_shown)):
            button.checked = is_on
            style.as_chosen(button, is_on)
        case = self.prior.case
        prior.enabled = case is not None or self.prior.is_shown
        day = "" if case is None else day_of(case)
        prior.toolTip = (
            _("Show the scan of {day} beside this one.").format(day=day)
            if day
            else _("The server knows of no earlier scan.")
        )

    def toggle_ground_glass(self) -> None:
        """Colour what has the grey values of ground glass, or no more."""
        is_in_lungs = self.session.view.toggle_ground_glass()
        if self.session.view.glass.node is not None and not is_in_lungs:
            self.session.asking.say(Message(_("The lungs of this case are not known: all of the scan is coloured.")))
        self.update()

    def hide_overlays(self) -> None:
        """Show the pictures alone while the key repeats, or for a moment after a click."""
        is_repeated = self.session.view.boxes.is_hidden
        self.session.view.hide_overlays(True)
        self._timer.start(REPEAT_MS if is_repeated else FIRST_MS)

    def copy_report(self) -> None:
        """Put the sentence for the report on the clipboard, and show it."""
        reading = self._reading_to_report()
        if reading is None:
            return
        text = sentence(reading.case, self.session.classes)
        qt.QApplication.clipboard().setText(text)
        self.session.asking.say(Message(_("Copied: {text}").format(text=text)))

    def save_report(self) -> None:
        """Write the report of the case as it stands, corrections included, to a file that the reader names."""
        session, reading = self.session, self._reading_to_report()
        if reading is None:
            return
        name = f"{reading.case.case_id}.html"
        path = qt.QFileDialog.getSaveFileName(self.ui.saveReportButton, _("Save report"), name, filters())
        if not path:
            return
        day = time.strftime("%Y-%m-%d")
        html = page(reading.case, reading.numbers, reading.reader, day, session.classes, reading.note)
        try:
            write_report(html, path if "." in os.path.basename(path) else f"{path}.html")
        except ReportError as error:
            session.asking.say(Message(str(error), self.save_report, True))
            return
        session.asking.say(Message(_("The report is in {path}.").format(path=path)))

    def _reading_to_report(self) -> Any:
        """The reading, where there is one and nothing of the model is hidden; else the reader is told."""
        reading, is_hidden = self.session.reading, self.session.study.is_hidden
        if reading is None or is_hidden:
            self.session.asking.say(Message(HIDDEN if is_hidden else _("Screen the case first.")))
            return None
        return reading

    def show_keys(self) -> None:
        """Show the map of all keys, or put it away."""
        self.ui.keysFrame.visible = not self.ui.keysFrame.visible

    def close(self) -> None:
        """The panel goes: nothing is left hidden."""
        self._timer.stop()
        for rows in self._rows:
            rows.close()
        self.session.view.hide_overlays(False)


def _map_of_keys(classes: Any) -> str:
    # No key is broken in two; where several long ones do the same, a line each.
    found = meanings(classes).items()
    texts = {keys.replace(", Ctrl", ",<br>Ctrl").replace(" ", "&nbsp;"): text for keys, text in found}
    rows = [f"<tr><td><b>{keys}</b>&nbsp;&nbsp;</td><td>{text}</td></tr>" for keys, text in texts.items()]
    return f"<table>{''.join(rows)}</table>"

"""How the case is looked at: windows, slab, handles, overlays hidden while a key is held, the report, the keys."""

from functools import partial
from typing import Any, Callable, Dict

import qt

from ..connection.asking import Message
from ..keys import meanings
from ..scene.hanging import BONE, LUNG, MEDIASTINUM
from ..verdict.report_sentence import sentence
from ..widgets import style
from ..widgets.buttons import flow, with_key

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
        self.ui, self.session = ui, session
        view = session.view
        self.actions: Dict[str, Callable[[], None]] = {
            "edit_box": session.edit_box,
            "hide_overlays": self.hide_overlays,
            "lung": partial(view.set_window, LUNG),
            "mediastinum": partial(view.set_window, MEDIASTINUM),
            "bone": partial(view.set_window, BONE),
            "slab": view.toggle_slab,
            "report": self.copy_report,
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
            "edit_box": ui.editBoxButton,
            "hide_overlays": ui.hideButton,
        }
        for action, button in {**buttons, "report": ui.reportButton, "show_keys": ui.keysButton}.items():
            with_key(button, action)
            button.connect("clicked()", self.actions[action])
        flow(ui.viewFrame, list(buttons.values()))
        flow(ui.reportFrame, [ui.reportButton, ui.keysButton])
        style.as_card(ui.keysFrame)
        ui.keysLabel.text = _map_of_keys(session.classes)
        ui.keysFrame.visible = False

    def hide_overlays(self) -> None:
        """Show the pictures alone while the key repeats, or for a moment after a click."""
        is_repeated = self.session.view.boxes.is_hidden
        self.session.view.hide_overlays(True)
        self._timer.start(REPEAT_MS if is_repeated else FIRST_MS)

    def copy_report(self) -> None:
        """Put the sentence for the report on the clipboard, and show it."""
        reading = self.session.reading
        if reading is None:
            self.session.asking.say(Message("Screen the case first."))
            return
        text = sentence(reading.case, self.session.classes)
        qt.QApplication.clipboard().setText(text)
        self.session.asking.say(Message(f"Copied: {text}"))

    def show_keys(self) -> None:
        """Show the map of all keys, or put it away."""
        self.ui.keysFrame.visible = not self.ui.keysFrame.visible

    def close(self) -> None:
        """The panel goes: nothing is left hidden."""
        self._timer.stop()
        self.session.view.hide_overlays(False)


def _map_of_keys(classes: Any) -> str:
    rows = [f"<tr><td><b>{keys}</b>&nbsp;&nbsp;</td><td>{text}</td></tr>" for keys, text in meanings(classes).items()]
    return f"<table>{''.join(rows)}</table>"

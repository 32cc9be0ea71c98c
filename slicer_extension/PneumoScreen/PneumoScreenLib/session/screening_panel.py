"""Screening the open case: the button, stage and progress, and cancelling."""

from typing import Any, Optional

from ..translation import _
from ..widgets import style
from ..widgets.buttons import with_key

MOVING = 0
"""Maximum of a progress bar that only says that something goes on."""


class ScreeningPanel:
    """Shows which case is open and what the server does with it.

    Args:
        ui: widgets of the ``.ui`` file.
        session: opens and screens.
    """

    def __init__(self, ui: Any, session: Any) -> None:
        self.ui, self.session = ui, session
        style.as_title(ui.caseLabel, 1.1)
        style.as_primary(ui.screenButton)
        style.as_quiet(ui.progressLabel)
        style.as_bar(ui.progressBar, style.PROGRESS)
        ui.screenButton.connect("clicked()", session.screen)
        ui.cancelButton.connect("clicked()", session.asking.cancel)
        session.asking.progressed.connect(self.show_progress)
        session.case_changed.connect(self.update)
        session.connection.server_changed.connect(self.update)
        session.reading_changed.connect(self.update)
        self.show_progress(None, None)
        self.update()

    def show_progress(self, text: Optional[str], fraction: Optional[float]) -> None:
        """A stage and how far it is; no text: nothing runs."""
        ui = self.ui
        ui.progressFrame.visible = text is not None
        if text is not None:
            ui.progressLabel.text = text
            ui.progressBar.maximum = MOVING if fraction is None else 1000
            ui.progressBar.value = int(1000 * (fraction or 0.0))
        self.update()

    def update(self) -> None:
        """Name the case; a button that cannot be pressed says why."""
        ui, session = self.ui, self.session
        ui.caseLabel.text = session.case_id or _("No case is open")
        reason = session.why_not_screen()
        ui.screenButton.enabled = reason is None
        ui.screenButton.text = _("Screen again") if session.reading is not None else _("Screen")
        with_key(ui.screenButton, "screen")
        ui.screenButton.toolTip = reason or _("Let the server look for regions and label them (Ctrl+R).")

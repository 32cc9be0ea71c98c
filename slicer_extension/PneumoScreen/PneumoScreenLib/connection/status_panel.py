"""The line on top: what happened, in one sentence, and ``Retry`` where that makes sense."""

from typing import Any

from ..widgets import style


class StatusPanel:
    """Shows the message of the session.

    Args:
        ui: widgets of the ``.ui`` file.
        asking: has the message.
    """

    def __init__(self, ui: Any, asking: Any) -> None:
        self.ui, self.asking = ui, asking
        style.as_card(ui.statusFrame)
        ui.retryButton.connect("clicked()", self._retry)
        ui.dismissButton.connect("clicked()", lambda: asking.say(None))
        asking.said.connect(self.update)
        self.update()

    def update(self) -> None:
        """Show the message, or nothing."""
        ui, message = self.ui, self.asking.message
        ui.statusFrame.visible = message is not None
        if message is not None:
            ui.statusLabel.text = message.text
            trouble = style.TROUBLE[int(style.is_dark(ui.statusFrame))]
            ui.statusLabel.setStyleSheet(f"color: {trouble};" if message.is_trouble else "")
            ui.retryButton.visible = message.retry is not None
            ui.retryButton.text = message.button

    def _retry(self) -> None:
        message = self.asking.message
        if message is not None and message.retry is not None:
            self.asking.say(None)
            message.retry()

"""The section Connect: address, token, name and certificate, remembered; a test with a plain answer."""

from typing import Any, Dict

from ..translation import _
from ..widgets import style
from ..wording import server_in_words

SETTINGS = "PneumoScreen/"
DEFAULT_ADDRESS = "http://127.0.0.1:8000"


def connection_of(settings: Any, token: str) -> Dict[str, Any]:
    """What the settings say of the server, as ``Calls`` takes it; the token stands elsewhere."""

    def text(name: str, default: str = "") -> str:
        return str(settings.value(SETTINGS + name) or default).strip()

    return {
        "address": text("address", DEFAULT_ADDRESS),
        "token": token or None,
        "ca_file": text("certificate") or None,
        "reader": text("reader"),
    }


class ConnectPanel:
    """Writes the settings as they are typed and shows what the server answered.

    Args:
        ui: widgets of the ``.ui`` file.
        connection: to the server.
        settings: ``QSettings``; they stay when Slicer is closed.
        token: file of the token, which stays, too.
        study: switched here.
    """

    def __init__(self, ui: Any, connection: Any, settings: Any, token: Any, study: Any) -> None:
        self.ui, self.connection, self.settings, self._token = ui, connection, settings, token
        self._study = study
        known = connection_of(settings, token.read())
        ui.addressEdit.text = known["address"]
        ui.tokenEdit.text = known["token"] or ""
        ui.readerEdit.text = known["reader"]
        ui.certificatePath.currentPath = known["ca_file"] or ""
        style.as_quiet(ui.connectionLabel)
        style.as_box(ui.blindCheck)
        ui.addressEdit.connect("textChanged(QString)", lambda text: self._keep("address", text))
        ui.tokenEdit.connect("textChanged(QString)", self._keep_token)
        ui.readerEdit.connect("textChanged(QString)", lambda text: self._keep("reader", text))
        ui.certificatePath.connect("currentPathChanged(QString)", lambda text: self._keep("certificate", text))
        ui.connectButton.connect("clicked()", connection.connect)
        ui.addressEdit.connect("returnPressed()", connection.connect)
        ui.blindCheck.checked = study.is_on = str(settings.value(SETTINGS + "blind")) == "true"
        ui.blindCheck.connect("toggled(bool)", self._switch_study)
        connection.server_changed.connect(self.update)
        self.update()

    def update(self) -> None:
        """Show how the connection stands."""
        server, is_connecting = self.connection.server, self.connection.is_connecting
        self.ui.connectButton.enabled = not is_connecting
        self.ui.readerEdit.enabled = not self.ui.tokenEdit.text.strip()
        if is_connecting:
            self.ui.connectionLabel.text = _("Connecting …")
        elif server is None:
            self.ui.connectionLabel.text = _("Not connected")
        else:
            self.ui.connectionLabel.text = server_in_words(server)

    def _switch_study(self, is_on: bool) -> None:
        self._study.switch(is_on)
        self.settings.setValue(SETTINGS + "blind", "true" if is_on else "false")

    def _keep_token(self, text: str) -> None:
        try:
            self._token.write(text.strip())
        except OSError as error:
            self.ui.connectionLabel.text = _("The token cannot be kept in {path} ({strerror}).").format(
                path=self._token.path, strerror=error.strerror
            )
            return
        self.connection.forget()

    def _keep(self, name: str, text: str) -> None:
        self.settings.setValue(SETTINGS + name, text.strip())
        self.connection.forget()

"""The module's panel, running on the doubles: made, clicked, waited for, and closed."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.slicer_extension.doubles import pythonqt_adapter, scripted_module
from tests.slicer_extension.doubles.main_window import MainWindow
from tests.slicer_extension.doubles.slicer_double import SlicerDouble

sys.path.insert(0, str(scripted_module.MODULE))


LONGEST_TURN_S = 0.1
"""Of processor time, in which an interface answers at once: .06 was seen on a machine with six other programs."""


class Panel:
    """A panel in a window of its own.

    Args:
        double: the application around it.
        folder: for settings, downloads and drafts.
        address: of the server; none: one where nobody listens.
        reader: who types a name.
        token: API token.
        certificate: file of the authority of the server's certificate.
    """

    def __init__(
        self,
        double: SlicerDouble,
        folder: Path,
        address: str = "http://127.0.0.1:9",
        reader: str = "dr-a",
        token: str = "",
        certificate: str = "",
    ) -> None:
        self.application = pythonqt_adapter.install()
        scripted_module.install()
        import qt
        import slicer

        import PneumoScreen

        self.main_window = double.main_window = MainWindow()
        settings = qt.QSettings(str(folder / "settings.ini"), qt.QSettings.IniFormat)
        typed = {"address": address, "reader": reader, "token": token, "certificate": certificate}
        for name, value in typed.items():
            settings.setValue(f"PneumoScreen/{name}", value)

        class PneumoScreenWidget(PneumoScreen.PneumoScreenWidget):
            def makeLogic(self) -> Any:
                return PneumoScreen.PneumoScreenLogic(settings, str(folder), sys.executable)

        self.double, self._widget_class = double, PneumoScreenWidget
        self.window = slicer.qMRMLWidget()
        self.main_window.setCentralWidget(self.window)
        self.window.setLayout(qt.QVBoxLayout())
        self.window.layout().setContentsMargins(0, 0, 0, 0)
        self._set_up()
        self.widget.enter()

    def _set_up(self) -> None:
        self.widget = self._widget_class(self.window)
        self.widget.setup()
        self.ui, self.logic, self.session = self.widget.ui, self.widget.logic, self.widget.logic.session

    def reload(self) -> None:
        """As ``slicer.util.reloadScriptedModule``: hide what is there, clean up, set a new one up in its place."""
        from PySide6.QtWidgets import QWidget

        for child in self.window.findChildren(QWidget):
            child.hide()
        self.widget.cleanup()
        while self.window.layout().count():
            self.window.layout().takeAt(0)
        self._set_up()

    def show(self, width: int = 380) -> None:
        """Show the window in a width of Slicer's panel, active as a window with the focus is."""
        self.window.setFixedWidth(width)
        self.main_window.show()
        self.main_window.activateWindow()
        self.settle()

    def settle(self, times: int = 3) -> None:
        """Let what is due happen."""
        for _ in range(times):
            self.application.processEvents()

    def wait(self, condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
        """Let the event loop turn until something is so.

        Raises:
            TimeoutError: if it is not in time; says what the panel tells its reader meanwhile.
        """
        end = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(f"still not so; the panel says {self.said!r}")
            self.application.processEvents()
            time.sleep(0.002)
        self.settle()

    @property
    def said(self) -> str:
        """The sentence of the status line; empty where it is hidden."""
        message = self.logic.asking.message
        return "" if message is None else message.text

    @property
    def kept(self) -> list[str]:
        """The cases that have a draft on this computer."""
        files = Path(self.session.drafts.folder).glob("*.json")
        return sorted(json.loads(file.read_text(encoding="utf-8"))["work"].split("\n")[0] for file in files)

    def connect(self) -> None:
        """Press "Test connection" and wait for the worklist."""
        self.ui.connectButton.click()
        connection = self.logic.connection
        self.wait(lambda: connection.server is not None and bool(connection.cases))

    def open(self, case_id: str) -> None:
        """Open a case and wait until it is there."""
        self.session.open(case_id)
        self.wait(lambda: self.session.case_id == case_id and not self.logic.asking.is_busy)

    def screen(self) -> None:
        """Press "Screen" and wait for the reading."""
        before = self.session.reading
        self.ui.screenButton.click()
        self.wait(lambda: not self.logic.asking.is_busy and self.session.reading is not before, 120)

    def submit_partly_read(self) -> None:
        """Press "Submit" and, asked about the regions that are not read, "Submit anyway"."""
        self.ui.submitButton.click()
        assert "regions are not read" in self.said and self.ui.retryButton.text == "Submit anyway"
        self.ui.retryButton.click()

    def close(self) -> None:
        """End the helper process and the window."""
        self.widget.cleanup()
        self.window.setMRMLScene(None)
        self.main_window.close()


@contextmanager
def running_panel(folder: Path, **settings: str) -> Iterator[Panel]:
    """A panel over an empty scene."""
    double = SlicerDouble()
    panel = Panel(double, folder, **settings)
    try:
        yield panel
    finally:
        panel.close()
        double.close()

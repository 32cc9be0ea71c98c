"""The trainings of the server: started, watched every two seconds while they run, stopped, rolled back."""

from typing import Any, Dict, List, Optional

import qt

from ..connection.asking import Asking, Message
from ..connection.connection import NOT_CONNECTED, Connection
from ..signal import Signal
from ..translation import _
from .records import RUNNING

WATCH_MS = 2000


class Trainings:
    """What the panel shows of training.

    Args:
        asking: asks the server.
        connection: says what the reader may do.
    """

    def __init__(self, asking: Asking, connection: Connection) -> None:
        self._asking, self._connection = asking, connection
        self.status: Optional[Dict[str, Any]] = None
        self.models: Dict[str, Any] = {}
        self.changed = Signal()
        self._timer = qt.QTimer()
        self._timer.setInterval(WATCH_MS)
        self._timer.connect("timeout()", self._watch)
        self._is_asking = False
        connection.server_changed.connect(self._server_changed)

    @property
    def is_running(self) -> bool:
        """Whether a training runs or waits on the server."""
        return self.status is not None and str(self.status.get("status")) in RUNNING

    @property
    def tasks(self) -> List[str]:
        """Networks that can be trained here: as the server names its trainings, also of models that it has not yet."""
        named = (self._connection.server or {}).get("trainers")
        return sorted(named or self.models)

    def why_not_start(self) -> Optional[str]:
        """Why no training can be started now; None where one can."""
        if self.is_running:
            return _("A training is running; wait for its end or stop it.")
        return self._connection.why_not("train")

    def why_not_stop(self) -> Optional[str]:
        """Why nothing can be stopped now; None where it can."""
        return self._connection.why_not("train") if self.is_running else _("No training is running.")

    def why_not_roll_back(self) -> Optional[str]:
        """Why the models cannot be rolled back now; None where they can."""
        return self._connection.why_not("rollback")

    def start(self, task: str) -> None:
        """Train a network on the labelled cases."""
        self._do(
            "train",
            {"task": task},
            lambda: self.start(task),
            _("The training of {task} has started.").format(task=task),
        )

    def stop(self) -> None:
        """Stop the training that runs."""
        self._do("stop_training", {}, self.stop, _("The training was stopped; its checkpoints stay."))

    def roll_back(self, name: str, version: Optional[int] = None) -> None:
        """Put the version before, or a named one, into use."""
        self._do(
            "rollback", {"name": name, "version": version}, lambda: self.roll_back(name, version), _("Rolled back.")
        )

    def refresh(self) -> None:
        """Ask where the training stands, and which versions there are: others train and publish on this server too."""
        if self._connection.server is None:
            return
        self._watch()
        self._ask_models()

    def _watch(self) -> None:
        """Ask where the training stands."""
        if self._connection.server is None or self._is_asking:
            return
        self._is_asking = True
        # A server that does not answer while a training is watched is asked again; the reader is told once, elsewhere.
        self._asking.ask("training", {}, self._found, None, self._not_found)

    def close(self) -> None:
        """Watch no longer."""
        self._timer.stop()

    def _do(self, call: str, args: Dict[str, Any], retry: Any, text: str) -> None:
        def done(answer: Any) -> None:
            self._asking.say(Message(text))
            self.refresh()

        if self._connection.server is None:
            self._asking.say(Message(NOT_CONNECTED))
        else:
            self._asking.ask(call, args, done, retry)

    def _found(self, status: Optional[Dict[str, Any]]) -> None:
        was_running = self.is_running
        self._is_asking, self.status = False, status
        if self.is_running:
            self._timer.start()
        else:
            self._timer.stop()
            if was_running:
                self._ask_models()
        self.changed.emit()

    def _not_found(self, failure: Any) -> bool:
        self._is_asking = False
        return True

    def _ask_models(self) -> None:
        self._asking.ask("models", {}, self._listed, None, lambda failure: True)

    def _listed(self, models: Dict[str, Any]) -> None:
        self.models = models.get("models", models)
        self.changed.emit()

    def _server_changed(self) -> None:
        if self._connection.server is None:
            self.status, self.models = None, {}
            self._timer.stop()
        else:
            self.refresh()
        self.changed.emit()

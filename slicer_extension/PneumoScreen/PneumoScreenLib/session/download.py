"""Opening a case: its volume, its last screening and its annotations are asked for at once and put together."""

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional

from ..connection.calls import CANCELLED, Call, Calls, Failure
from ..translation import _


@dataclass(frozen=True)
class Opened:
    """What the server has of a case.

    Attributes:
        case_id: name of the case.
        path: file of its volume on this computer.
        document: what is read on: this reader's last submission, else the screening, else what counts; None: nothing.
        base: newest annotation version when the case was opened.
        has_screening: whether the masks of a screening can be asked for.
    """

    case_id: str
    path: str
    document: Optional[Dict[str, Any]]
    base: int
    has_screening: bool


class Opening:
    """Three questions, one answer; the first failure ends the others.

    Args:
        calls: asks the server.
        case_id: name of the case on the server.
        folder: where volumes are kept.
        reader: whose submission is preferred.
        done: takes what was found.
        failed: takes the first failure.
        progress: of the download.
    """

    def __init__(
        self,
        calls: Calls,
        case_id: str,
        folder: str,
        reader: str,
        done: Callable[[Opened], None],
        failed: Callable[[Failure], None],
        progress: Callable[[str, Optional[float]], None],
    ) -> None:
        self._calls, self._case_id, self._reader = calls, case_id, reader
        self._done, self._failed = done, failed
        self._found: Dict[str, Any] = {}
        self._running: List[Call] = []
        about = {"case_id": case_id}
        self._ask("download", {"case_id": case_id, "folder": folder}, progress)
        self._ask("screening_of", about)
        self._ask("annotations", about)

    def cancel(self) -> None:
        """Give up at once."""
        self._fail(Failure(CANCELLED, _("Cancelled.")))

    def _ask(self, call: str, args: Dict[str, Any], progress: Any = None) -> None:
        def done(result: Any) -> None:
            self._found[call] = result
            self._join()

        self._running.append(self._calls.start(call, args, done, self._fail, progress))

    def _fail(self, failure: Failure) -> None:
        failed, self._failed, self._done = self._failed, _nobody, _nobody
        running, self._running = self._running, []
        for call in running:
            call.cancel()
        failed(failure)

    def _join(self) -> None:
        if not {"download", "screening_of", "annotations"} <= set(self._found):
            return
        annotations = self._found["annotations"] or {}
        numbers = [version["version"] for version in annotations.get("versions", ())]
        wanted = annotations.get("current", {}).get(self._reader)
        screening = self._found["screening_of"]
        if wanted is not None and "annotation" not in self._found:
            self._ask("annotation", {"case_id": self._case_id, "version": wanted})
            return
        document = self._found["annotation"]["document"] if wanted is not None else screening
        done, self._done, self._failed = self._done, _nobody, _nobody
        base = max(numbers, default=0)
        done(Opened(self._case_id, self._found["download"], document, base, screening is not None))


def _nobody(answer: Any) -> None:
    """Listens when the others have been told."""

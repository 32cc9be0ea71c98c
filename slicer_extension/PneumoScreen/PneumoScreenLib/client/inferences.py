"""Inferences on the server: asked for in one thread, watched and cancelled from another.

Thread contract: the thread that asks is left to itself when the reader cancels; what it brings then is dropped.
"""

import json
import queue
import threading
import time
from typing import Any, Dict, Mapping, Optional, Set
from urllib.parse import quote

from . import failures
from .failures import ServerError
from .sentences import said, stage
from .transport import Cancelled, Progress, Transport

_POLL_S = 0.25
_UNKNOWN_JOB_S = 2.0
"""How long a cancelled inference is looked for on the server's board."""

_ENDED = ("done", "failed", "cancelled")


def run(
    transport: Transport,
    task: str,
    case_id: str,
    params: Mapping[str, Any],
    progress: Optional[Progress] = None,
    cancelled: Optional[Cancelled] = None,
) -> Dict[str, Any]:
    """Let the server infer; waits as long as it says that it works.

    Args:
        transport: to the server.
        task: name of the inference.
        case_id: the case.
        params: of the inference.
        progress: told of stages.
        cancelled: asked whether to stop; a stopped inference is stopped on the server, too.

    Returns:
        The case document.

    Raises:
        ServerError: if it fails, the server falls silent, or it was cancelled.
    """
    job = _Job(transport, task, case_id)
    asked: "queue.Queue[Any]" = queue.Queue()
    threading.Thread(target=_ask, args=(transport, task, case_id, params, asked), daemon=True).start()
    silent_since = time.monotonic()
    while True:
        try:
            answer = asked.get(timeout=_POLL_S)
        except queue.Empty:
            pass
        else:
            return _document(answer, transport.address)
        if cancelled is not None and cancelled():
            job.cancel()
            raise failures.cancelled("screening_cancelled" if task.endswith("screening") else "cancelled")
        try:
            view = job.look()
        except ServerError as error:
            view = None
            if time.monotonic() - silent_since > transport.answer_s:
                raise error
        if view is None or view.get("state") in _ENDED:
            # Ended, or not on the board yet: its answer is on its way, or something is wrong.
            if time.monotonic() - silent_since > transport.answer_s:
                raise failures.late(transport.address, transport.answer_s)
            continue
        silent_since = time.monotonic()
        if progress is not None:
            progress(stage(view), _fraction(view))


class _Job:
    """An inference of ours on the server's board; others may be asked for the same case."""

    def __init__(self, transport: Transport, task: str, case_id: str) -> None:
        self._transport, self._task, self._case_id = transport, task, case_id
        self._earlier: Set[str] = {str(view["id"]) for view in self._all()}
        self._id: Optional[str] = None

    def look(self) -> Optional[Dict[str, Any]]:
        """Where it stands; None where it is not on the board."""
        views = self._all()
        if self._id is None:
            self._id = next((str(view["id"]) for view in views if str(view["id"]) not in self._earlier), None)
        return next((view for view in views if str(view["id"]) == self._id), None)

    def cancel(self) -> None:
        """Stop it on the server as well as that can be done."""
        end = time.monotonic() + _UNKNOWN_JOB_S
        try:
            while self._id is None and time.monotonic() < end:
                self.look()
                if self._id is None:
                    time.sleep(0.1)
            if self._id is not None:
                self._transport.json("POST", f"/pneumoscreen/cancel/{quote(self._id, safe='')}")
        except ServerError:
            # The reader wanted it gone, and here it is gone.
            return

    def _all(self) -> Any:
        answer = self._transport.json("GET", "/pneumoscreen/progress")
        jobs = answer.get("jobs") if isinstance(answer, dict) else None
        if not isinstance(jobs, list) or not all(isinstance(job, dict) and "id" in job for job in jobs):
            raise failures.rubbish(self._transport.address)
        return [job for job in jobs if job.get("image") == self._case_id and job.get("task") == self._task]


def _ask(transport: Transport, task: str, case_id: str, params: Mapping[str, Any], answers: "queue.Queue[Any]") -> None:
    query, form = {"image": case_id, "output": "json"}, {"params": json.dumps(dict(params))}
    try:
        path = f"/infer/{quote(task, safe='')}"
        answers.put(transport.json("POST", path, float("inf"), params=query, data=form))
    except ServerError as error:
        answers.put(error)
    except Exception as error:
        answers.put(ServerError(failures.FAULT, said("request_failed", error=str(error))))


def _document(answer: Any, address: str) -> Dict[str, Any]:
    if isinstance(answer, ServerError):
        if answer.detail.get("cancelled") is True:
            # By somebody else, so it is told: what the reader stops here does not come this far.
            raise ServerError(failures.CONFLICT, said("stopped"), 409)
        raise answer
    if not isinstance(answer, dict) or "schema" not in answer or not isinstance(answer.get("regions", []), list):
        raise failures.rubbish(address)
    return answer


def _fraction(view: Mapping[str, Any]) -> Optional[float]:
    fraction = view.get("fraction")
    if view.get("state") != "running" or not isinstance(fraction, (int, float)):
        return None
    return min(max(float(fraction), 0.0), 1.0)

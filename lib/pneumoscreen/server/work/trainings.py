"""The trainings of a server: one runs, others wait, the last one is remembered across restarts.

MONAI Label's own runner is not used: it cannot say how a training goes, leaves the processes of several GPUs behind
when it cancels, keeps a training alive that has lost its server, and forgets everything at a restart. What it answers
stays as it is - ``id``, ``status``, ``request``, ``start_ts``, ``end_ts``, ``details`` - with ``progress`` beside it.

Thread contract: one thread, ``TRAINING``, starts the processes one after the other and waits for each; requests are
served by other threads. ``_lock`` guards the list of trainings and every field of them; nobody waits for a process
while holding it.
"""

import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from ...models.atomic_files import replace_durably
from ...studies.audit import utc_text
from ...subprocesses.parent import child_environment
from ...training.status import ENDED, TrainingState, TrainStatus, read_status, write_status
from .train_tasks import training_folder
from .training_process import MENDABLE

LAST_FILE = "last.json"
_LINES = 20
_KEPT = 50
_KILL_S = 2.0
_STATUS_OF = {TrainingState.DONE: "DONE", TrainingState.FAILED: "ERROR", TrainingState.CANCELLED: "STOPPED"}
_ABSOLUTE = re.compile(r"(?<![\w.])/(?:[^\s/:;,'\"()]+/)*([^\s/:;,'\"()]+)")

logger = logging.getLogger(__name__)


@dataclass
class Training:
    """One training that was asked for. ``status`` is MONAI Label's: SUBMITTED, RUNNING, DONE, ERROR or STOPPED."""

    model: str
    request: dict[str, Any]
    reader: str
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "SUBMITTED"
    start_ts: str = field(default_factory=lambda: stamp())
    end_ts: str | None = None
    details: deque[str] = field(default_factory=lambda: deque(maxlen=_LINES))
    progress: TrainStatus | None = None

    @property
    def is_active(self) -> bool:
        """Whether it waits or runs."""
        return self.status in ("SUBMITTED", "RUNNING")


class Trainings:
    """Starts, watches and ends the training processes of one studies folder.

    Args:
        studies: the studies folder.
        models: root of the model store.
        when_finished: called with the publication of every training that came to its end.
    """

    def __init__(self, studies: Path, models: Path, when_finished: Callable[[dict[str, Any]], None]) -> None:
        self._studies, self._models, self._when_finished = studies, models, when_finished
        self._lock = threading.Lock()
        self._wake = threading.Condition(self._lock)
        self._trainings: list[Training] = []
        self._process: subprocess.Popen[str] | None = None
        self._thread: threading.Thread | None = None
        last = self._recall()
        if last is not None:
            self._trainings.append(last)

    def submit(
        self, model: str, request: Mapping[str, Any], reader: str, enqueue: bool = False
    ) -> dict[str, Any] | None:
        """Start a training, or let it wait for its turn; returns at once.

        Args:
            model: the task.
            request: its parameters, checked.
            reader: who asks for it.
            enqueue: wait for the end of one that runs.

        Returns:
            Its state as a client sees it; None if one runs and it shall not wait.
        """
        with self._lock:
            if self._active() and not enqueue:
                return None
            training = Training(model, dict(request), reader)
            self._trainings.append(training)
            del self._trainings[:-_KEPT]
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="TRAINING", daemon=True)
                self._thread.start()
            self._wake.notify_all()
            return self._view(training)

    def listing(self) -> list[dict[str, Any]]:
        """All trainings that are known, oldest first."""
        with self._lock:
            return [self._view(training) for training in self._trainings]

    def running(self) -> dict[str, Any] | None:
        """The one that runs or is about to."""
        with self._lock:
            active = self._active()
            return self._view(active[0]) if active else None

    def wait(self, training_id: str) -> dict[str, Any]:
        """The state of a training once it has ended."""
        with self._lock:
            training = next(t for t in self._trainings if t.id == training_id)
            self._wake.wait_for(lambda: not training.is_active)
            return self._view(training)

    def cancel(self) -> list[dict[str, Any]]:
        """End the training that runs, and those that wait; returns them, the running one first.

        Its checkpoints stay: the same request resumes it.
        """
        with self._lock:
            active = self._active()
            running = [training for training in active if training.status == "RUNNING"]
            for training in active:
                training.status, training.end_ts = "STOPPED", stamp()
            process = self._process
            if process is not None:
                _kill_group(process)
        if process is not None:
            try:
                process.wait(_KILL_S)
            except subprocess.TimeoutExpired:
                logger.error("the training process %d does not end", process.pid)
        with self._lock:
            for training in active:
                if training in running:
                    self._close(training, TrainingState.CANCELLED, "cancelled; the same request resumes it")
                else:
                    message = "cancelled before it began"
                    training.progress = TrainStatus(training.model, TrainingState.CANCELLED, message=message)
            self._wake.notify_all()
            return [self._view(training) for training in active]

    def _work(self) -> None:
        while True:
            with self._lock:
                self._wake.wait_for(lambda: any(t.status == "SUBMITTED" for t in self._trainings))
                training = next(t for t in self._trainings if t.status == "SUBMITTED")
                try:
                    process = self._start(training)
                except OSError as error:
                    training.status, training.end_ts = "ERROR", stamp()
                    self._close(training, TrainingState.FAILED, f"the process could not be started ({error.strerror})")
                    self._wake.notify_all()
                    continue
            reader = threading.Thread(target=self._read, args=(training, process), name="TRAINING-LOG", daemon=True)
            reader.start()
            status = process.wait()
            _kill_group(process)  # what it may have left behind, which would keep its output open
            reader.join(_KILL_S)
            self._finish(training, status)

    def _read(self, training: Training, process: "subprocess.Popen[str]") -> None:
        """Keep the last lines that a training says."""
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                with self._lock:
                    training.details.append(self._shown(line))

    def _start(self, training: Training) -> "subprocess.Popen[str]":
        """Start the process of a training; called with the lock held."""
        folder = training_folder(self._studies, training.model)
        folder.mkdir(parents=True, exist_ok=True)
        training.status = "RUNNING"
        earlier = read_status(folder) or TrainStatus(training.model)
        write_status(
            folder,
            replace(
                TrainStatus(training.model, started=_now(), updated=_now(), message="the training process starts"),
                metrics=earlier.metrics,
                metric=earlier.metric,
                metric_name=earlier.metric_name,
            ),
        )
        self._remember(training)
        environment = child_environment()
        gpus = training.request.get("gpus", "all")
        if gpus != "all":
            environment["CUDA_VISIBLE_DEVICES"] = gpus
        request = json.dumps({**training.request, "gpus": "all"})
        words = [
            "-m",
            "pneumoscreen.server.work.training_process",
            training.model,
            str(self._studies),
            str(self._models),
        ]
        self._process = subprocess.Popen(
            [sys.executable, *words, request],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            errors="replace",
            process_group=0,  # ends as a whole; no session, in which the kernel's autogroups would undo its priority
        )
        logger.info("training %s of %s started as process %d", training.id, training.model, self._process.pid)
        return self._process

    def _finish(self, training: Training, status: int) -> None:
        publication = None
        with self._lock:
            self._process = None
            if training.status == "RUNNING":
                training.status, training.end_ts = "DONE" if status == 0 else "ERROR", stamp()
                self._close(training, TrainingState.FAILED, _how_it_ended(status, training.details))
                publication = training.progress.publication if training.progress is not None else None
            self._wake.notify_all()
        logger.info("training %s of %s ended: %s", training.id, training.model, training.status)
        if training.status == "DONE" and publication is not None:
            try:
                self._when_finished(publication)
            except Exception:
                logger.exception("what follows a training failed")

    def _close(self, training: Training, state: TrainingState, message: str) -> None:
        """Keep how a training ended, and say so where it could not do that itself; called with the lock held."""
        folder = training_folder(self._studies, training.model)
        found = read_status(folder)
        if training.progress is None and (found is None or found.state not in ENDED):
            found = replace(found or TrainStatus(training.model), state=state, message=message, updated=_now())
            found = replace(found, time_left_s=None)
            _keep(partial(write_status, folder, found))
        training.progress = training.progress or found
        self._remember(training)

    def _active(self) -> list[Training]:
        return [training for training in self._trainings if training.is_active]

    def _view(self, training: Training) -> dict[str, Any]:
        """A training as JSON values; called with the lock held."""
        progress = training.progress
        if training.status == "RUNNING":
            progress = read_status(training_folder(self._studies, training.model))
        elif training.status == "SUBMITTED":
            ahead = sum(other.is_active for other in self._trainings[: self._trainings.index(training)])
            message = f"waits for {ahead} training{'s' if ahead != 1 else ''} before it" if ahead else "about to start"
            progress = TrainStatus(training.model, message=message)
        shown = progress.to_dict() if progress is not None else None
        if shown is not None:
            shown["message"] = self._shown(shown["message"])
            shown["notes"] = [self._shown(note) for note in shown["notes"]]
        view = {
            "id": training.id,
            "model": training.model,
            "status": training.status,
            "request": {**training.request, "model": training.model},
            "reader": training.reader,
            "start_ts": training.start_ts,
            "details": list(training.details),
            "progress": shown,
        }
        return view if training.end_ts is None else {**view, "end_ts": training.end_ts}

    def _shown(self, line: str) -> str:
        """A line without line breaks and without paths outside the studies folder."""
        text = " ".join(line.split()).replace(f"{self._studies}/", "")
        return _ABSOLUTE.sub(r"\1", text)

    def _remember(self, training: Training) -> None:
        """Keep the newest training on disk, so that a restarted server can tell of it."""
        path = training_folder(self._studies, training.model).parent / LAST_FILE
        names = ("id", "model", "request", "reader", "status", "start_ts", "end_ts")
        content = {**{name: getattr(training, name) for name in names}, "details": list(training.details)}
        _keep(partial(replace_durably, path, (json.dumps(content, indent=1) + "\n").encode()))

    def _recall(self) -> Training | None:
        """The newest training before this server; one that was not finished ended with its server."""
        path = training_folder(self._studies, "any").parent / LAST_FILE
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            details = deque(content.pop("details"), maxlen=_LINES)
            training = Training(**content, details=details)
        except (OSError, ValueError, TypeError, KeyError):
            return None
        if training.is_active:
            training.end_ts = stamp()
            self._close(training, TrainingState.CANCELLED, "interrupted with its server; the same request resumes it")
            assert training.progress is not None
            training.status = _STATUS_OF[training.progress.state]
        training.progress = read_status(training_folder(self._studies, training.model))
        return training


def _keep(write: Callable[[], None]) -> None:
    """Write what the next server is to know; on a full disk this one goes on without, and starts what comes later."""
    try:
        write()
    except OSError as error:
        logger.warning("how a training goes cannot be kept (%s)", error.strerror)


def _kill_group(process: "subprocess.Popen[str]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _how_it_ended(status: int, said: Sequence[str]) -> str:
    if status == MENDABLE and said:
        return said[-1]
    if status < 0:
        return f"the training process was ended by signal {-status}; the same request resumes it"
    return f"the training process ended with status {status}; the server's log has the reason"


def _now() -> str:
    return utc_text(datetime.now(UTC))


def stamp() -> str:
    """A time as MONAI Label's clients read it."""
    return datetime.now().strftime("%Y-%m-%d %H:%M:%S")

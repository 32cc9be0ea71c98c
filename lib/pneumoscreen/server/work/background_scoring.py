"""MONAI Label's scoring method, and the process that does the scoring in the background.

MONAI Label's own runner is not used: the process that it starts builds a whole second app on the same folder, tells
nothing of its progress and outlives a server that was killed. What it answers stays as it is: ``id``, ``status``,
``request``, ``start_ts``, ``end_ts`` and ``details``, with ``progress`` beside it.

Thread contract: ``_lock`` guards the tasks; a thread a process waits for its end, without the lock.
"""

import subprocess
import sys
import threading
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from monailabel.interfaces.datastore import Datastore
from monailabel.interfaces.tasks.scoring import ScoringMethod

from ...active_learning.score_file import ScoreStore
from ...subprocesses.parent import child_environment
from ..inference.engine import Engine
from ..store.datastore import StudiesDatastore
from .scoring import METHOD, read_progress, score_cases
from .worklist import Worklist

_KEPT = 20
_LINES = 20


class CaseScoring(ScoringMethod):
    """MONAI Label's scoring method; called by itself (``run_sync``) it scores between the inferences of readers.

    Args:
        engine: what it scores with.
        scores: where the scores are kept.
        worklist: tells which cases are finished.
        progress_file: where it tells its progress.
        work: where screenings are kept; None where none are.
    """

    def __init__(
        self, engine: Engine, scores: ScoreStore, worklist: Worklist, progress_file: Path, work: Path | None
    ) -> None:
        super().__init__("How much each case would teach: uncertainty, Monte-Carlo dropout and features")
        self._engine, self._scores, self._worklist = engine, scores, worklist
        self._progress_file, self._work = progress_file, work

    def __call__(self, request: Mapping[str, Any], datastore: Datastore) -> dict[str, Any]:
        """Score every case that has no fresh score.

        Raises:
            ModelError: if there are no models to score with.
        """

        def images() -> dict[str, Path]:
            return {name: Path(datastore.get_image_uri(name)) for name in datastore.list_images()}

        place = datastore.images if isinstance(datastore, StudiesDatastore) else None
        finished = self._worklist.finished()
        return asdict(score_cases(self._engine, images, self._scores, finished, self._progress_file, self._work, place))


class BackgroundScoring:
    """At most one scoring process.

    Args:
        studies: the studies folder.
        models: root of the model store.
        progress_file: where the process tells its progress.
    """

    def __init__(self, studies: Path, models: Path, progress_file: Path) -> None:
        self.progress_file = progress_file
        self._studies, self._models = studies, models
        self._lock = threading.Lock()
        self._tasks: list[dict[str, Any]] = []
        self._process: subprocess.Popen[str] | None = None
        self._wanted_again = False

    def start(self, again: bool = False) -> dict[str, Any] | None:
        """Start one; None where one runs already, which is followed by another one if ``again``."""
        with self._lock:
            if self._process is not None:
                self._wanted_again = self._wanted_again or again
                return None
            return self._run()

    def stop(self) -> dict[str, Any] | None:
        """End the process; returns its task, None where none runs. Scores that were made stay."""
        with self._lock:
            if self._process is None:
                return None
            self._process.kill()
            self._process, self._wanted_again = None, False
            self._tasks[-1] |= {"status": "STOPPED", "end_ts": _stamp()}
            return self._view(self._tasks[-1])

    def listing(self) -> list[dict[str, Any]]:
        """The scorings of this server, oldest first."""
        with self._lock:
            return [self._view(task) for task in self._tasks]

    def _run(self) -> dict[str, Any]:
        self._wanted_again = False
        self.progress_file.unlink(missing_ok=True)  # that of the last one
        process = subprocess.Popen(
            [sys.executable, "-m", "pneumoscreen.server.work.scoring_process", str(self._studies), str(self._models)],
            env=child_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            errors="replace",
            # An interrupt at the terminal is the server's. No session of its own: the kernel's autogroups would give
            # that one as much of the processor as all of the server gets, whatever its priority.
            process_group=0,
        )
        task: dict[str, Any] = {
            "id": str(uuid.uuid4()),
            "status": "RUNNING",
            "request": {"method": METHOD},
            "start_ts": _stamp(),
            "details": deque(maxlen=_LINES),
        }
        self._process = process
        self._tasks = [*self._tasks[1 - _KEPT :], task]
        threading.Thread(target=self._wait, args=(process, task), name="SCORING", daemon=True).start()
        return self._view(task)

    def _wait(self, process: "subprocess.Popen[str]", task: dict[str, Any]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                task["details"].append(line.rstrip())
        status = process.wait()
        with self._lock:
            if self._process is not process:
                return  # it was stopped
            self._process = None
            task |= {"status": "DONE" if status == 0 else "ERROR", "end_ts": _stamp()}
            if self._wanted_again:
                self._run()

    def _view(self, task: dict[str, Any]) -> dict[str, Any]:
        view = {**task, "details": list(task["details"])}
        return {**view, "progress": read_progress(self.progress_file)} if task is self._tasks[-1] else view


def _stamp() -> str:
    return datetime.now().strftime("%Y-%m-%d %H:%M:%S")

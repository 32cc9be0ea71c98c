"""The model in use, as page and figures: what the studies folder of a server holds, computed in the background.

Thread contract: ``figures`` never waits for the folder. A computation runs in one thread of its own at a time; what it
found last is replaced as a whole.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ...errors import PneumoScreenError
from ...monitoring.readings import Reading, readings_of
from ...monitoring.records import Screening, records_of
from ...monitoring.summary import Monitoring, MonitoringOptions, monitoring_of
from ...verdict import Classes
from .. import WORK_FOLDER
from ..inference.engine import Engine
from ..store.screenings import all_screenings, screened_images
from .worklist import Worklist

FRESH_S = 900.0
"""Ours: age from which the figures are computed anew at the next scrape; agreement changes in days."""

SOURCE = "the studies of this server"

logger = logging.getLogger(__name__)


def monitoring_of_folder(
    studies: Path, classes: Classes, patients: Mapping[str, str], options: MonitoringOptions, source: str
) -> Monitoring:
    """The model in use by what a studies folder holds; nothing in it is changed and no image is read.

    Args:
        studies: the folder.
        classes: the site's class list.
        patients: by case, where they are known.
        options: what is compared with what.
        source: what the folder is called.

    Raises:
        PneumoScreenError: if the list of patients is wrong.
    """
    work = studies / WORK_FOLDER

    def screenings_of(case_id: str) -> Sequence[Screening]:
        return [Screening(document, at) for document, at in all_screenings(work, case_id, classes)]

    records = records_of(studies, classes, patients, screened_images(work), screenings_of)
    return monitoring_of(records, source, options)


class Monitored:
    """The model in use of one server.

    Args:
        compute: everything, as the folder is now.
        clock: seconds that only grow.
    """

    def __init__(self, compute: Callable[[], Monitoring], clock: Callable[[], float] = time.monotonic) -> None:
        self.compute = compute
        self._clock = clock
        self._lock = threading.Lock()
        self._found: tuple[Reading, ...] = ()
        self._at: float | None = None
        self._running: threading.Thread | None = None

    @classmethod
    def of(cls, studies: Path, engine: Engine, worklist: Worklist) -> "Monitored":
        """That of a server whose studies are a folder; its patients are those of the worklist."""

        def compute() -> Monitoring:
            patients = {row["id"]: row["patient"] for row in worklist.rows() if row["patient"]}
            return monitoring_of_folder(studies, engine.classes(), patients, MonitoringOptions(), SOURCE)

        return cls(compute)

    def figures(self) -> tuple[Reading, ...]:
        """The figures that were computed last; where they are old they are computed anew, for the next call."""
        with self._lock:
            is_old = self._at is None or self._clock() - self._at >= FRESH_S
            if is_old and self._running is None:
                self._running = threading.Thread(target=self._refresh, name="MONITORING", daemon=True)
                self._running.start()
            return self._found

    def _refresh(self) -> None:
        found: tuple[Reading, ...] | None = None
        try:
            found = tuple(readings_of(self.compute()))
        except (PneumoScreenError, OSError) as error:
            logger.warning("the figures of the model in use cannot be computed: %s", error)
        finally:
            with self._lock:
                self._found = self._found if found is None else found
                self._at, self._running = self._clock(), None

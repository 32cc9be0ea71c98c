"""Scoring in a process of its own: ``python -m pneumoscreen.server.work.scoring_process STUDIES MODELS``.

Standard output holds a sentence for whoever asks why it could not score; standard error is the server's log.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ...errors import PneumoScreenError
from ...models.atomic_files import is_full_disk
from ...models.store import ModelStore
from ...subprocesses.parent import end_with_parent
from .. import WORK_FOLDER
from ..failures import may_not_write
from ..inference.engine import Engine
from ..logs import set_up_log_of_child
from ..store.reading import LimitedReading
from ..store.studies_source import images_of
from .scoring import PROGRESS_FILE, finished_cases, score_cases, score_store

_LOWEST_PRIORITY = 19


def main(studies: Path, models: Path) -> int:
    """Score; returns the exit status: 0 done, 2 a mistake that its user can mend, which is printed."""
    end_with_parent(lambda: os._exit(1))  # every score is whole or absent: there is nothing to bring to an end
    step_back()
    set_up_log_of_child()
    reading = LimitedReading()
    files, work = images_of(studies, reading), studies / WORK_FOLDER

    def images() -> dict[str, Path]:
        return {image_id: studies / place for image_id, place in files.search().items()}

    try:
        engine = Engine(ModelStore(models), studies, reading)
        progress_file, finished = work / PROGRESS_FILE, finished_cases(studies)
        score_cases(engine, images, score_store(work), finished, progress_file, work, files)
    except PneumoScreenError as error:
        print(" ".join(str(error).split()), flush=True)
        return 2
    except OSError as error:
        if not is_full_disk(error) and not may_not_write(error, str(studies)):
            raise
        print("the scores cannot be kept: the disk is full or may not be written to", flush=True)
        return 2
    return 0


def step_back() -> None:
    """Run when nobody else wants the processor; threads started later inherit it."""
    try:
        threads: Sequence[int] = [int(name) for name in os.listdir("/proc/self/task")]
    except OSError:
        threads = [0]
    for thread in threads:
        try:
            os.setpriority(os.PRIO_PROCESS, thread, _LOWEST_PRIORITY)
            if hasattr(os, "SCHED_IDLE"):
                os.sched_setscheduler(thread, os.SCHED_IDLE, os.sched_param(0))
        except OSError:
            continue


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))

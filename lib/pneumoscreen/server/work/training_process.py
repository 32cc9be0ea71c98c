"""A training in a process: ``python -m pneumoscreen.server.work.training_process TASK STUDIES MODELS REQUEST``.

It runs at a lower priority than the server, so that readers' inferences come first, and it ends with the server,
however that one ends: a thread looks whether the parent is still there and otherwise kills the whole process group,
the processes of several GPUs and of the data included.

Standard output holds one sentence a line for whoever asks how the training goes; standard error is the server's log.
"""

import json
import os
import signal
import sys
from pathlib import Path

from ...subprocesses.parent import end_with_parent

LOWER_PRIORITY = 10
"""Nice steps below the server."""
MENDABLE = 2
"""Exit status of a training that failed for a reason which its user can mend; the last line says which."""
FULL_DISK = "the disk is full or may not be written to; make room, and the same request resumes the training"


def main(task: str, studies: Path, models: Path, request: str) -> int:
    """Train; returns the exit status: 0 or ``MENDABLE``."""
    end_with_parent(lambda: os.killpg(os.getpgrp(), signal.SIGKILL))
    os.nice(LOWER_PRIORITY)
    # Only now, because they take seconds.
    from ...errors import PneumoScreenError
    from ...methods import recipe_for
    from ...models.atomic_files import is_full_disk
    from ...models.store import ModelStore
    from ..failures import has_no_room
    from ..monailabel_settings import apply_defaults
    from ..store.studies_source import labelled_at_hand
    from .train_tasks import train_tasks

    apply_defaults()
    try:
        with labelled_at_hand(studies, recipe_for(task).modality, lambda line: print(line, flush=True)):
            train_tasks(studies, ModelStore(models))[task](json.loads(request))
    except PneumoScreenError as error:
        print(" ".join(str(error).split()), flush=True)
        return MENDABLE
    except Exception as error:
        if not is_full_disk(error) and not has_no_room(str(studies)):
            raise
        print(FULL_DISK, flush=True)
        return MENDABLE
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]))

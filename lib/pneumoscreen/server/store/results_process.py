"""Makes the objects of one result: ``python -m pneumoscreen.server.store.results_process STATE RESULT``.

The images' headers were made by others: this process may take only so much memory and time, and ends with its server.
Standard output holds a sentence for whoever asks why nothing was made.
"""

import logging
import os
import sys
from pathlib import Path

from ...case import Case
from ...errors import PneumoScreenError
from ...limits import Limits
from ...pacs.cases import PacsCases
from ...pacs.corrected import objects_about, read_marked
from ...pacs.faults import CacheFullError, PacsAwayError
from ...pacs.outbox import Outbox
from ...pacs.privacy import silence
from ...pacs.results_queue import ResultsQueue
from ...pacs.settings import FOLDER, settings_of
from ...subprocesses.parent import end_with_parent
from ...subprocesses.serving import is_out_of_memory, limit_memory, limit_time
from .results import MARKED, MENDABLE, OUTBOX, PASSING

_TIMES_READING = 5
"""Ours: seconds of the processor for each that reading an image may take."""


def main(state: Path, number: int) -> int:
    """Make them; returns the exit status."""
    end_with_parent(lambda: os._exit(1))
    silence()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    limits = Limits.of_environment()
    limit_memory(limits.read_memory_mb)
    limit_time(_TIMES_READING * limits.read_seconds)
    try:
        _make(state, number)
    except (PacsAwayError, CacheFullError) as error:
        return _ended(str(error), PASSING)
    except PneumoScreenError as error:
        return _ended(str(error), MENDABLE)
    except OSError as error:
        return _ended(f"the state folder cannot be used ({error.strerror or type(error).__name__})", PASSING)
    except BaseException as error:
        if is_out_of_memory(error):
            return _ended("the results take more memory than PNEUMOSCREEN_READ_MEMORY_MB; raise it", MENDABLE)
        # Its text may quote a header.
        return _ended(f"a fault of the program ({type(error).__name__}); please report it", 1)
    return 0


def _make(state: Path, number: int) -> None:
    settings, queue = settings_of(state), ResultsQueue(state / FOLDER)
    result = queue.result(number)
    assert settings is not None
    assert result is not None
    case = Case.from_json(result.document, result.classes)
    marked = read_marked(state / MARKED / f"{result.case_id}.npz")
    with PacsCases(state, settings).held(result.case_id) as folder:
        objects = objects_about(case, folder, marked, result.classes, result.reader, queue.before(result))
    queue.made(result, str(objects["sr"].SOPInstanceUID))
    Outbox(state / OUTBOX).put(result.key, case, objects)


def _ended(reason: str, status: int) -> int:
    print(" ".join(reason.split()), flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))

"""What an inference needs before its turn: the files of its image, where they come from elsewhere.

Thread contract: any number of threads; nobody waits in the thread of the inferences.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

from monailabel.interfaces.datastore import Datastore

from ...case import Case
from ...errors import ImageError, PneumoScreenError
from ..store.datastore import StudiesDatastore
from .engine import Engine
from .jobs import JobBoard
from .tasks import Inference, TaskRequest

Failed = Callable[[str, Path, PneumoScreenError, str | None], object]


class Fetching:
    """Has the files of images fetched for the inferences of a server.

    Args:
        datastore: whose images they are.
        engine: by whose class list results are made.
        board: of the jobs.
        failed: called with image, path, error and reader where the files do not come.
    """

    def __init__(self, datastore: Datastore, engine: Engine, board: JobBoard, failed: Failed) -> None:
        self._store, self._engine, self._board, self._failed = datastore, engine, board, failed

    def is_needed(self, inference: Inference) -> bool:
        """Whether the files of its image come from elsewhere."""
        datastore = self._datastore(inference)
        return datastore is not None and datastore.are_elsewhere

    def fetch(self, inference: Inference) -> None:
        """Have the files of an inference's image come, as part of its job.

        Raises:
            PneumoScreenError: if they do not come.
            Cancelled: if the job was cancelled.
        """
        if not self.is_needed(inference):
            return
        try:
            with self._board.preparing(inference.job), self.held(inference):
                pass
        except ImageError as error:
            assert inference.image_id is not None
            self._failed(inference.image_id, inference.path, error, inference.job.reader or None)
            raise

    def held(self, inference: Inference) -> AbstractContextManager[None]:
        """While it lasts, the files of its image are on this disk."""
        datastore = self._datastore(inference)
        if datastore is None or inference.image_id is None:
            return nullcontext()
        return datastore.held(inference.image_id, partial(inference.job.report, "fetch"))

    def request(self, inference: Inference, report: Path | None, masks: Path | None) -> TaskRequest:
        """What its task is asked, once the files are here; ``report`` and ``masks`` are where these go."""
        request = TaskRequest(inference.path, inference.parameters, inference.job.report, report, masks)
        datastore = self._datastore(inference)
        if datastore is None or inference.image_id is None:
            return request
        note, marked = datastore.images.note(inference.image_id), datastore.images.marked_file(inference.image_id)
        return replace(request, note=note, marked=marked)

    def screened(self, inference: Inference, case: Case) -> None:
        """Its screening is done."""
        datastore = self._datastore(inference)
        if datastore is not None:
            datastore.images.screened(case, self._engine.classes())

    def _datastore(self, inference: Inference) -> StudiesDatastore | None:
        datastore = self._store
        return datastore if inference.image_id is not None and isinstance(datastore, StudiesDatastore) else None


def with_note(case: Case, note: str) -> Case:
    """A document that says how its image was chosen, where there is something to say."""
    return case if not note or note in case.notes else replace(case, notes=(*case.notes, note))

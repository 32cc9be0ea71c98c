"""Looks at the studies folder again and again: what was copied into it is offered once it is complete.

A file that was written anew in its place is another image: it is offered again once it rests, and what was screened of
the old one is dropped. Annotations stay; they are readers' words.

MONAI Label's own watch is not used: it hears of files in the folder itself, while they are still being written, and of
nothing on a network drive but by reading all of it. Here the lists of the folders are asked, once a second.

Thread contract: one thread, ``WATCH``; it takes the locks of those whom it tells.
"""

import logging
import threading

from ..active_learning.score_file import ScoreStore
from ..studies.audit import case_digest
from .datastore import StudiesDatastore
from .hand_labels import HandLabels
from .rewritten import RewrittenImages
from .screenings import drop_screening

_EVERY_S = 1.0

logger = logging.getLogger(__name__)


class FolderWatch:
    """Watches one studies folder until the process ends.

    Args:
        datastore: told of new and gone images.
        labels: told of label maps that somebody put there.
        scores: of the images.
    """

    def __init__(self, datastore: StudiesDatastore, labels: HandLabels, scores: ScoreStore) -> None:
        self._datastore, self._labels, self._scores = datastore, labels, scores
        self._rewritten = RewrittenImages(scores)

    def start(self) -> None:
        """Begin to watch, in a thread of its own."""
        self._datastore.wait_for_copies()
        threading.Thread(target=self._watch, name="WATCH", daemon=True).start()

    def _watch(self) -> None:
        pause = threading.Event()
        while True:
            try:
                self.look()
            except Exception:  # whatever it is, the next look may find it mended
                logger.exception("the studies folder could not be looked at")
            pause.wait(_EVERY_S)

    def look(self) -> None:
        """Look once."""
        rewritten = self._rewritten.look(self._datastore.image_places(), self._datastore.more_of)
        if rewritten or self._datastore.has_changed():
            self._datastore.refresh()
        for name in rewritten if not self._datastore.is_read_only else ():
            self._scores.drop(name)
            drop_screening(self._datastore.work_folder, name)
            logger.info("the files of case %s are others: what was screened of it is dropped", case_digest(name))
        self._labels.take_in()

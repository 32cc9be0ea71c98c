"""Looks at the studies folder again and again: what was copied into it is offered once it is complete.

MONAI Label's own watch is not used: it hears of files in the folder itself, while they are still being written, and of
nothing on a network drive but by reading all of it. Here the lists of the folders are asked, once a second.

Thread contract: one thread, ``WATCH``; it takes the locks of those whom it tells.
"""

import logging
import threading

from .datastore import StudiesDatastore
from .hand_labels import HandLabels

_EVERY_S = 1.0

logger = logging.getLogger(__name__)


class FolderWatch:
    """Watches one studies folder until the process ends.

    Args:
        datastore: told of new and gone images.
        labels: told of label maps that somebody put there.
    """

    def __init__(self, datastore: StudiesDatastore, labels: HandLabels) -> None:
        self._datastore, self._labels = datastore, labels

    def start(self) -> None:
        """Begin to watch, in a thread of its own."""
        self._datastore.wait_for_copies()
        threading.Thread(target=self._watch, name="WATCH", daemon=True).start()

    def _watch(self) -> None:
        pause = threading.Event()
        while True:
            try:
                if self._datastore.has_changed():
                    self._datastore.refresh()
                self._labels.take_in()
            except Exception:  # whatever it is, the next look may find it mended
                logger.exception("the studies folder could not be looked at")
            pause.wait(_EVERY_S)

"""Looks at the studies folder again and again: what was copied into it is offered once it is complete.

A file that was written anew in its place is another image: it is offered again once it rests, and what was screened of
the old one is dropped. Annotations stay; they are readers' words.

MONAI Label's own watch is not used: it hears of files in the folder itself, while they are still being written, and of
nothing on a network drive but by reading all of it. Here the lists of the folders are asked, once a second.

Thread contract: one thread, ``WATCH``; it takes the locks of those whom it tells.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from ...active_learning.score_file import ScoreStore
from ...studies.audit import case_digest
from ..inference.engine import fingerprint, named_state
from ..store.datastore import StudiesDatastore
from ..store.hand_labels import HandLabels
from ..store.screenings import drop_screening

FILES_A_LOOK = 200
"""Ours: a hundredth of a processor where one looks every second; twenty thousand files are seen in two minutes."""


class RewrittenImages:
    """Finds them, some files at a time.

    Args:
        scores: what a score was made of is known in it, also of a time before this process.
        files_a_look: how many files are asked at a time; an image is asked as a whole.
    """

    def __init__(self, scores: ScoreStore, files_a_look: int = FILES_A_LOOK) -> None:
        self._scores, self._most = scores, files_a_look
        self._states: dict[str, str] = {}
        self._left: list[str] = []

    def look(self, places: Mapping[str, Path], more_of: Callable[[Path], tuple[Path, ...]]) -> list[str]:
        """The ids of images whose files are others than before; goes on where the last look ended.

        Args:
            places: file or folder of every image, by id.
            more_of: the further folders of a series.
        """
        self._left = [name for name in self._left if name in places] or sorted(places)
        self._states = {name: state for name, state in self._states.items() if name in places}
        asked, changed = 0, []
        while self._left and asked < self._most:
            name = self._left.pop(0)
            path = places[name]
            own = fingerprint(path)
            files = own + fingerprint(*more_of(path))
            asked += len(files) + 1
            if not files:
                continue  # it is gone; the next search says so
            if self._is_other(name, repr(files), named_state(path, own)):
                changed.append(name)
        return changed

    def _is_other(self, name: str, state: str, scan: str) -> bool:
        known, self._states[name] = self._states.get(name, state), state
        stored = self._scores.get(name)
        return known != state or (stored is not None and stored.scan != scan)


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

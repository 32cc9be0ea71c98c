"""Images that were written anew in their place: the list of no folder tells that, so their files are asked.

Thread contract: one thread calls ``look``.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from ..active_learning.score_file import ScoreStore
from .engine import fingerprint, named_state

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

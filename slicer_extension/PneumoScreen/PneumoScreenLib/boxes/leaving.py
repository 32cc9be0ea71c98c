"""Boxes that go: out of all views at once, out of the scene piece by piece."""

from typing import Any, Iterable, List, Tuple

from ..background import MOST, Later, Pieces
from ..scene.data_tree import Folder
from .node import forsake


class Leaving:
    """Takes the boxes of regions that are deleted, or of a case that is left, out of the scene.

    Each takes milliseconds, in every view anew. What waits for it is seen no more and belongs to no case.

    Args:
        later: starts a piece of work in the background.
    """

    def __init__(self, later: Later) -> None:
        self._pieces = Pieces(self._step, later)
        self._queue: List[Tuple[Folder, Any]] = []

    @property
    def is_waiting(self) -> bool:
        """Whether boxes are still to go."""
        return bool(self._queue)

    def add(self, folder: Folder, nodes: Iterable[Any]) -> None:
        """Take boxes out: a few at once, many while nothing else happens.

        Args:
            folder: in which they stand in the Data tree.
            nodes: the boxes.
        """
        gone = [node for node in nodes if node.GetScene() is not None]
        for node in gone:
            forsake(node)
        self._queue += [(folder, node) for node in gone]
        if len(gone) > MOST:
            # To hide so many takes the time that a turn has.
            self._pieces.start()
        elif gone:
            self._pieces.work_now()

    def finish(self) -> None:
        """Take all out that waits, in one turn."""
        while self._step():
            pass

    def _step(self) -> bool:
        if self._queue:
            folder, node = self._queue.pop(0)
            if node.GetScene() is not None:
                folder.take_out(node)
            if not any(other is folder for other, _node in self._queue):
                folder.remove_empty()
        return bool(self._queue)

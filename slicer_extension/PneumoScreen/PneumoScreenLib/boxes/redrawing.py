"""Boxes whose regions have changed, drawn anew: a few at once, many of them piece by piece."""

from typing import Callable, Dict, Iterable

from ..background import Later, Pieces


class Redrawing:
    """The boxes that do not look yet as their regions stand. The selected one never waits.

    Args:
        draw: draws the box of a region, where there is one.
        later: starts work in the background.
    """

    def __init__(self, draw: Callable[[str], None], later: Later) -> None:
        self._draw, self._pieces = draw, Pieces(self._step, later)
        # In the order in which they came, each once.
        self._queue: Dict[str, None] = {}

    @property
    def is_waiting(self) -> bool:
        """Whether boxes are still to be drawn."""
        return bool(self._queue)

    def add(self, region_ids: Iterable[str]) -> None:
        """Draw these boxes: the first ones now, the others while nothing else happens."""
        self._queue.update(dict.fromkeys(region_ids))
        if self._queue:
            self._pieces.work_now()

    def drawn(self, region_id: str) -> None:
        """This one looks as its region stands: to draw it later would take a reader's drag of it back."""
        self._queue.pop(region_id, None)

    def clear(self) -> None:
        """Forget what waits: it belongs to no case any more."""
        self._queue.clear()

    def _step(self) -> bool:
        if self._queue:
            region_id = next(iter(self._queue))
            del self._queue[region_id]
            self._draw(region_id)
        return bool(self._queue)

"""Which region the reader looks at."""

from typing import Callable, List, Optional

from ..signal import Signal


class Selection:
    """One region or none, and the way to the next.

    Args:
        ids: gives the ids of all regions.
        order: gives the ids to step through, in their order; default: all of them.

    Attributes:
        selected: id of the region.
        selection_changed: emitted when it is another one.
    """

    def __init__(self, ids: Callable[[], List[str]], order: Optional[Callable[[], List[str]]] = None) -> None:
        self._ids, self._order = ids, order or ids
        self.selected: Optional[str] = None
        self.selection_changed = Signal()

    def select(self, region_id: Optional[str]) -> None:
        """Look at a region; None: at none.

        Raises:
            KeyError: if there is no such region.
        """
        if region_id is not None and region_id not in self._ids():
            raise KeyError(region_id)
        if region_id != self.selected:
            self.selected = region_id
            self.selection_changed.emit()

    def step(self, by: int) -> None:
        """Look at the region so many places on; after the last comes the first."""
        ids = self._order()
        if ids and self.selected in ids:
            self.select(ids[(ids.index(self.selected) + by) % len(ids)])
        elif ids:
            self.select(ids[0 if by > 0 else -1])

    def follow(self, touched: Optional[str]) -> None:
        """After an undo or redo: look at the region that it touched, or away from one that is gone."""
        ids = self._ids()
        if touched in ids:
            self.select(touched)
        elif self.selected not in ids:
            self.select(ids[0] if ids else None)

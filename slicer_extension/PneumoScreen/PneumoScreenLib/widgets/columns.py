"""Columns of a table that are never cut: each as wide as its widest text; the less needed ones give way."""

from dataclasses import dataclass
from typing import Any, List, Sequence, Set, Tuple

import qt

RIGHT = qt.Qt.AlignRight | qt.Qt.AlignVCenter
LEFT = qt.Qt.AlignLeft | qt.Qt.AlignVCenter
CENTRE = qt.Qt.AlignCenter

AROUND, ARROW = 10, 14
"""Pixels beside a text, and for the arrow of the column that the table is sorted by."""


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        heading: its name.
        tip: what it says, in a sentence.
        widest: the widest texts that it may hold.
        alignment: of its cells.
        gives_way: columns of larger numbers are left out first where there is no room; 0: never.
    """

    heading: str
    tip: str
    widest: Tuple[str, ...]
    alignment: Any = CENTRE
    gives_way: int = 0


class Columns:
    """The columns of a table, fitted again whenever its width changes.

    Args:
        table: ``QTableWidget``.
        columns: of it.
        stretched: the column that takes the rest.
    """

    def __init__(self, table: Any, columns: Sequence[Column], stretched: int) -> None:
        self._table, self._columns, self._stretched = table, list(columns), stretched
        self._sorted = -1
        self._left_out: Set[int] = set()
        # Not at once: a header that is amid a resize takes no other.
        self._later = qt.QTimer()
        self._later.setSingleShot(True)
        self._later.setInterval(0)
        self._later.connect("timeout()", self.fit)
        self._headings: List[Any] = []
        header = table.horizontalHeader()
        for index, column in enumerate(columns):
            item = qt.QTableWidgetItem(column.heading)
            item.setToolTip(column.tip)
            table.setHorizontalHeaderItem(index, item)
            self._headings.append(item)
            header.setSectionResizeMode(index, qt.QHeaderView.Fixed)
        header.setSectionResizeMode(stretched, qt.QHeaderView.Stretch)
        header.connect("sectionResized(int,int,int)", self._resized)
        self.fit()

    @property
    def alignments(self) -> List[Any]:
        """Of the cells, by column."""
        return [column.alignment for column in self._columns]

    def show_order(self, column: int, is_descending: bool) -> None:
        """Put the arrow on the column that the table is sorted by."""
        header = self._table.horizontalHeader()
        header.setSortIndicatorShown(True)
        header.setSortIndicator(column, qt.Qt.DescendingOrder if is_descending else qt.Qt.AscendingOrder)
        self._sorted = column
        self.fit()

    def leave_out(self, columns: Sequence[int]) -> None:
        """Hide columns that say nothing now, whatever room there is; all others are shown again."""
        if self._left_out != set(columns):
            self._left_out = set(columns)
            self.fit()

    def fit(self) -> None:
        """Show the columns that have room, each as wide as it must be."""
        # Made, not asked for: PythonQt hands out no QFontMetrics by value.
        metrics = qt.QFontMetrics(self._table.font)
        widths = [self._width(metrics, index) for index in range(len(self._columns))]
        wanted = [0 if index in self._left_out else width for index, width in enumerate(widths)]
        fitting = visible_columns(wanted, [each.gives_way for each in self._columns], self._table.viewport().width)
        shown = set(fitting) - self._left_out
        for index, width in enumerate(widths):
            # A hidden column keeps the width that it is told, and has it when it is shown.
            if index != self._stretched and self._table.columnWidth(index) != width:
                self._table.setColumnWidth(index, width)
            if self._table.isColumnHidden(index) == (index in shown):
                self._table.setColumnHidden(index, index not in shown)

    def _width(self, metrics: Any, index: int) -> int:
        column = self._columns[index]
        arrow = ARROW if index == self._sorted else 0
        widest = max(metrics.horizontalAdvance(text) for text in column.widest)
        return int(max(widest, metrics.horizontalAdvance(column.heading) + arrow)) + AROUND

    def _resized(self, column: int) -> None:
        if column == self._stretched:
            self._later.start()


def visible_columns(widths: Sequence[int], give_way: Sequence[int], room: int) -> List[int]:
    """Indices of the columns that fit side by side: those that give way are left out one by one."""
    shown = list(range(len(widths)))
    for index in sorted(shown, key=lambda index: -give_way[index]):
        if sum(widths[each] for each in shown) <= room or not give_way[index]:
            break
        shown.remove(index)
    return shown

"""The table of regions: choosing a row moves all views to it, choosing a box chooses the row."""

from typing import Any, List

import qt

from ..contract import Region
from ..wording import display_name, overruled_in_words, percent, state_of_region, votes_in_words
from . import style

RIGHT = qt.Qt.AlignRight | qt.Qt.AlignVCenter
LEFT = qt.Qt.AlignLeft | qt.Qt.AlignVCenter
CENTRE = qt.Qt.AlignCenter
ALIGNMENTS = (RIGHT, CENTRE, LEFT, RIGHT, CENTRE, RIGHT, RIGHT, LEFT)
WIDTHS = {0: 2, 1: 4, 3: 5, 4: 4, 5: 4, 6: 3, 7: 8}
TYPE = 2


class RegionsPanel:
    """Lists the regions of the open case.

    Args:
        ui: widgets of the ``.ui`` file.
        session: gives the reading; takes the choice.
    """

    def __init__(self, ui: Any, session: Any) -> None:
        self.ui, self.session = ui, session
        self._ids: List[str] = []
        self._is_filling = False
        self._cells = style.Cells(ui.regionTable, ALIGNMENTS)
        style.prepare_table(ui.regionTable, WIDTHS, TYPE)
        style.as_quiet(ui.positionLabel)
        ui.regionTable.connect("itemSelectionChanged()", self._choose)
        ui.previousButton.connect("clicked()", lambda: session.correct("select_previous"))
        ui.nextRegionButton.connect("clicked()", lambda: session.correct("select_next"))
        session.reading_changed.connect(self.update)
        session.selection_changed.connect(self.update_selection)
        self.update()

    def update(self) -> None:
        """Write all rows anew; cells that did not change are left alone."""
        reading = self.session.reading
        regions = reading.case.regions if reading is not None else ()
        self._is_filling = True
        self._ids = [region.id for region in regions]
        self._cells.resize(len(regions))
        for row, region in enumerate(regions):
            self._cells.write(row, self._texts(row, region))
            self._decorate(row, region)
        self._is_filling = False
        self.update_selection()

    def update_selection(self) -> None:
        """Mark the row of the selected region."""
        reading, table = self.session.reading, self.ui.regionTable
        selected = reading.selected if reading is not None else None
        row = self._ids.index(selected) if selected in self._ids else -1
        self._is_filling = True
        if row < 0:
            table.clearSelection()
        elif table.currentRow() != row or not table.selectedItems():
            table.selectRow(row)
        self._is_filling = False
        count = len(self._ids)
        self.ui.positionLabel.text = f"{row + 1} of {count}" if row >= 0 else f"{count} region{'s' * (count != 1)}"
        self.ui.previousButton.enabled = self.ui.nextRegionButton.enabled = count > 0

    def _texts(self, row: int, region: Region) -> List[str]:
        opinion = region.opinion
        edges = [patch.distance_from_edge for patch in region.patches]
        return [
            str(row + 1),
            region.side[:1].upper(),
            display_name(opinion[0]) if opinion else "not seen yet",
            percent(opinion[1]) if opinion else "–",
            votes_in_words(region).replace(" of ", "/"),
            f"{edges[len(edges) // 2]:.2f}" if edges else "–",
            f"{max(region.size_mm):.0f}",
            state_of_region(self.session.reading.state(region.id)),
        ]

    def _decorate(self, row: int, region: Region) -> None:
        table, opinion = self.ui.regionTable, region.opinion
        label = opinion[0] if opinion else None
        item = self._cells.item(row, TYPE)
        if item.data(qt.Qt.UserRole) != (label or ""):
            item.setData(qt.Qt.UserRole, label or "")
            item.setForeground(qt.QBrush(qt.QColor(style.colour_of(label, table, self.session.classes))))
        size = " × ".join(f"{value:.0f}" for value in region.size_mm)
        tip = f"{region.id}: {region.side} lung, {size} mm, candidate score {percent(region.score)}"
        overruled = overruled_in_words(region, self.session.classes)
        item.setToolTip(f"{tip}\n{overruled}" if overruled else tip)

    def _choose(self) -> None:
        row = self.ui.regionTable.currentRow()
        if not self._is_filling and 0 <= row < len(self._ids):
            self.session.select(self._ids[row])

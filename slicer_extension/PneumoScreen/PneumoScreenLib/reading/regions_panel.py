"""The table of regions: choosing a row moves all views to it, choosing a box chooses the row."""

from typing import Any, Iterable, List, Tuple

import qt

from ..background import Later, Pieces, when_idle
from ..contract import Region
from ..translation import _
from ..widgets import style
from ..widgets.columns import CENTRE, LEFT, RIGHT, Column, Columns
from ..wording import (
    STATES_OF_REGIONS,
    display_name,
    overruled_in_words,
    percent,
    side_name,
    state_of_region,
    votes_in_words,
)
from .arrangement import STATE, TYPE, edge_of
from .progress import is_open, progress_in_words

UNSEEN = _("not seen yet")
LEAST_ROWS, MOST_ROWS = 4, 9
"""Of the table's height, ours: no blank below a few regions, and many of them leave room for the rest."""
NEW_ROWS = 60
"""Ours: more than a screen shows, and the cells of so many are made in a tenth of the time that a reader notices."""


def columns_of(classes: Any) -> List[Column]:
    """The columns, in the order of ``arrangement``."""
    labels = (*map(display_name, classes.patch_labels), UNSEEN)
    return [
        Column(
            "#", _("What matters first: regions that count, the larger infected volume before the smaller."), ("88",)
        ),
        Column(_("Side"), _("The patient's side: R right lung, L left lung."), ("R",), CENTRE, 1),
        Column(_("Type"), _("What the region is taken for, by you or else by the model."), labels, LEFT),
        Column(_("Sure"), _("How sure the model is of the type; 100 % where you have spoken."), ("100 %",), RIGHT),
        Column("ml", _("Infected volume inside the box, in millilitres."), ("888.8",), RIGHT, 2),
        Column("mm", _("Longest side of the box, in millimetres."), ("888",), RIGHT, 3),
        Column(_("Votes"), _("How many of its patches stand behind the type."), ("3 of 3",), CENTRE, 4),
        Column(_("Edge"), _("Relative distance from the edge of the lung: 0 at the pleura."), ("0.88",), RIGHT, 5),
        Column(_("State"), _("What you did to it; open: nobody has looked at it."), STATES_OF_REGIONS),
    ]


class RegionsPanel:
    """Lists the regions of the open case.

    Args:
        ui: widgets of the ``.ui`` file.
        session: gives the reading; takes the choice.
        later: starts work in the background.
    """

    def __init__(self, ui: Any, session: Any, later: Later = when_idle) -> None:
        self.ui, self.session = ui, session
        self._ids: List[str] = []
        self._written: List[Tuple[Any, int, Region]] = []
        self._is_filling = False
        self._rest = Pieces(self._write_next, later)
        style.prepare_table(ui.regionTable)
        self._columns = Columns(ui.regionTable, columns_of(session.classes), TYPE)
        self._cells = style.Cells(ui.regionTable, self._columns.alignments)
        style.as_quiet(ui.positionLabel)
        style.as_box(ui.openOnlyCheck)
        ui.regionTable.connect("itemSelectionChanged()", self._choose)
        ui.regionTable.horizontalHeader().setSectionsClickable(True)
        ui.regionTable.horizontalHeader().connect("sectionClicked(int)", self._sort)
        ui.previousButton.connect("clicked()", lambda: session.correct("select_previous"))
        ui.nextRegionButton.connect("clicked()", lambda: session.correct("select_next"))
        ui.openOnlyCheck.connect("toggled(bool)", self._filter)
        session.reading_changed.connect(self.update)
        session.selection_changed.connect(self.update_selection)
        self.update()

    def update(self) -> None:
        """Write the rows whose region is another than before, or stands elsewhere: one correction changes one row."""
        arrangement = self.session.arrangement
        reading = None if self.session.study.is_hidden else self.session.reading
        self._is_filling = True
        self._ids = reading.shown() if reading is not None else []
        self._cells.resize(len(self._ids))
        del self._written[len(self._ids) :]
        if reading is not None:
            self._show_rows(reading, range(min(len(self._ids), len(self._written) + NEW_ROWS)))
        # Filtered to nothing it stays: its head says what was looked for.
        self.ui.regionTable.visible = bool(self._ids) or arrangement.only_open
        # By all regions, not by those that are listed: no button moves under the mouse while the list grows short.
        count = len(reading.case.regions) if reading is not None else 0
        style.set_height(self.ui.regionTable, min(max(count, LEAST_ROWS), MOST_ROWS))
        self._columns.show_order(arrangement.column, arrangement.is_descending)
        self._is_filling = False
        self.update_selection()

    def update_selection(self) -> None:
        """Mark the row of the selected region, and say how far the reading is."""
        reading, table = self.session.reading, self.ui.regionTable
        selected = reading.selected if reading is not None else None
        row = self._ids.index(selected) if selected in self._ids else -1
        self._is_filling = True
        if row < 0:
            table.clearSelection()
        elif table.currentRow() != row or not table.selectedItems():
            table.selectRow(row)
        self._is_filling = False
        regions = reading.case.regions if reading is not None else ()
        place = _("Region {number} · ").format(number=reading.numbers[selected]) if selected is not None else ""
        text = place + progress_in_words(regions)
        self.ui.positionLabel.text = text[:1].upper() + text[1:]
        self.ui.previousButton.enabled = self.ui.nextRegionButton.enabled = bool(self._ids)

    def _show_rows(self, reading: Any, rows: Iterable[int]) -> None:
        """Write some rows; those that have no cells yet and are not among them follow while nothing else happens."""
        regions = {region.id: region for region in reading.case.regions}
        for row in rows:
            self._show_row(row, reading.numbers[self._ids[row]], regions[self._ids[row]])
        if len(self._written) < len(self._ids):
            self._rest.start()

    def _write_next(self) -> bool:
        row, reading = len(self._written), self.session.reading
        if reading is None or row >= len(self._ids):
            return False
        self._show_rows(reading, (row,))
        return len(self._written) < len(self._ids)

    def _show_row(self, row: int, number: int, region: Region) -> None:
        """Write a row, where it does not say this already: a region never changes, another one takes its place."""
        said = (self.session.reading, number, region)
        if row == len(self._written):
            self._written.append((None, 0, region))
        reading, known, written = self._written[row]
        if reading is not said[0] or known != number or written is not region:
            self._written[row] = said
            self._cells.write(row, self._texts(number, region))
            self._decorate(row, region)

    def _texts(self, number: int, region: Region) -> List[str]:
        opinion, edge = region.opinion, edge_of(region)
        return [
            str(number),
            side_name(region.side)[:1].upper(),
            display_name(opinion[0]) if opinion else UNSEEN,
            percent(opinion[1]) if opinion else "–",
            "–" if region.infected_ml is None else f"{region.infected_ml:.1f}",
            f"{max(region.size_mm):.0f}",
            votes_in_words(region),
            "–" if edge is None else f"{edge:.2f}",
            state_of_region(self.session.reading.state(region.id)),
        ]

    def _decorate(self, row: int, region: Region) -> None:
        table, opinion = self.ui.regionTable, region.opinion
        label = opinion[0] if opinion else None
        item, state = self._cells.item(row, TYPE), self._cells.item(row, STATE)
        if item.data(qt.Qt.UserRole) != (label or ""):
            item.setData(qt.Qt.UserRole, label or "")
            item.setForeground(qt.QBrush(qt.QColor(style.colour_of(label, table, self.session.classes))))
        style.set_bold(state, is_open(region))
        size = " × ".join(f"{value:.0f}" for value in region.size_mm)
        tip = _("{id}: {side} lung, {size} mm, candidate score {percent}").format(
            id=region.id, side=side_name(region.side), size=size, percent=percent(region.score)
        )
        overruled = overruled_in_words(region, self.session.classes)
        tip = f"{tip}\n{overruled}" if overruled else tip
        if item.toolTip() != tip:
            item.setToolTip(tip)

    def _sort(self, column: int) -> None:
        self.session.arrangement.sort_by(column)
        self.update()

    def _filter(self, is_on: bool) -> None:
        self.session.arrangement.only_open = is_on
        self.update()

    def _choose(self) -> None:
        row = self.ui.regionTable.currentRow()
        if not self._is_filling and 0 <= row < len(self._ids):
            self.session.select(self._ids[row])

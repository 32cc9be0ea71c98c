"""The worklist: search, state, sorting, opening a case, and the next case by a strategy.

Thousands of rows are written in pieces between which the interface answers; cells are made once and used again.
"""

from typing import Any, List, Optional

import qt

from ..wording import display_name
from ..worklist import COLUMNS, STATES, Row, arranged, counts_in_words, rows_of
from . import style

ROWS_A_TURN = 150
RIGHT = qt.Qt.AlignRight | qt.Qt.AlignVCenter
LEFT = qt.Qt.AlignLeft | qt.Qt.AlignVCenter
ALIGNMENTS = (LEFT, LEFT, LEFT, RIGHT)
WIDTHS = {1: 10, 2: 13, 3: 7}
DEFAULT_STRATEGIES = ("combined", "uncertainty", "epistemic", "diverse", "random", "first")


class WorklistPanel:
    """Lists the cases of the server.

    Args:
        ui: widgets of the ``.ui`` file.
        session: opens what is chosen.
    """

    def __init__(self, ui: Any, session: Any) -> None:
        self.ui, self.session, self.connection = ui, session, session.connection
        self._rows: List[Row] = []
        self._shown: List[Row] = []
        self._written = 0
        self._column, self._descending = "id", False
        self._timer = qt.QTimer()
        self._timer.setInterval(0)
        self._timer.connect("timeout()", self._write_some)
        self._prepare()
        ui.searchEdit.connect("textChanged(QString)", self.arrange)
        ui.stateCombo.connect("currentIndexChanged(int)", self.arrange)
        ui.strategyCombo.connect("activated(int)", self._choose_strategy)
        ui.refreshButton.connect("clicked()", self.connection.refresh)
        ui.openButton.connect("clicked()", self._open)
        ui.nextButton.connect("clicked()", lambda: session.next_case())
        ui.worklistTable.connect("cellDoubleClicked(int,int)", self._open)
        ui.worklistTable.connect("itemSelectionChanged()", self.update)
        ui.worklistTable.horizontalHeader().connect("sectionClicked(int)", self._sort)
        self.connection.cases_changed.connect(self._listed)
        self.connection.server_changed.connect(self._server_changed)
        session.asking.busy_changed.connect(self.update)
        session.case_changed.connect(self.update)
        self._server_changed()

    def update(self) -> None:
        """Switch the buttons by what can be done."""
        ui = self.ui
        is_free = self.connection.server is not None and not self.session.asking.is_busy
        ui.nextButton.enabled = is_free
        ui.refreshButton.enabled = self.connection.server is not None
        ui.openButton.enabled = is_free and self._chosen() is not None

    def arrange(self) -> None:
        """Show the cases that fit search and state, in the chosen order."""
        state = STATES[max(self.ui.stateCombo.currentIndex, 0)]
        self._shown = arranged(self._rows, self.ui.searchEdit.text, state, self._column, self._descending)
        self._written = 0
        self.ui.worklistTable.clearSelection()
        self._cells.resize(len(self._shown))
        self.ui.worklistCountLabel.text = counts_in_words(self._rows, self._shown)
        self._write_some()

    @property
    def is_writing(self) -> bool:
        """Whether rows are still to be written."""
        return self._written < len(self._shown)

    def _write_some(self) -> None:
        until = min(self._written + ROWS_A_TURN, len(self._shown))
        for row in range(self._written, until):
            self._cells.write(row, self._shown[row].texts)
            # What does not fit into the cells: who reads it, why it could not be screened.
            item, tip = self._cells.item(row, 0), self._shown[row].explanation
            if item.toolTip() != tip:
                item.setToolTip(tip)
        self._written = until
        if self.is_writing:
            self._timer.start()
        else:
            self._timer.stop()

    def _prepare(self) -> None:
        ui = self.ui
        self._cells = style.Cells(ui.worklistTable, ALIGNMENTS)
        style.prepare_table(ui.worklistTable, WIDTHS, 0)
        style.as_quiet(ui.worklistCountLabel)
        style.as_primary(ui.nextButton)
        ui.sendLine.setStyleSheet(f"color: {style.line_colour(ui.sendLine)};")
        ui.worklistTable.horizontalHeader().setSectionsClickable(True)
        ui.stateCombo.clear()
        for state in STATES:
            ui.stateCombo.addItem(state or "All states")

    def _listed(self) -> None:
        self._rows = rows_of(self.connection.cases)
        self.arrange()

    def _server_changed(self) -> None:
        ui, server = self.ui, self.connection.server
        strategies = list((server or {}).get("strategies") or DEFAULT_STRATEGIES)
        ui.strategyCombo.clear()
        ui.strategyCombo.addItems([display_name(name) for name in strategies])
        self._strategies = strategies
        if self.session.strategy in strategies:
            ui.strategyCombo.currentIndex = strategies.index(self.session.strategy)
        if server is None:
            self._rows = []
            self.arrange()
        self.update()

    def _choose_strategy(self, index: int) -> None:
        self.session.strategy = self._strategies[index]

    def _sort(self, index: int) -> None:
        column = COLUMNS[index]
        self._descending = not self._descending if column == self._column else False
        self._column = column
        header = self.ui.worklistTable.horizontalHeader()
        header.setSortIndicatorShown(True)
        header.setSortIndicator(index, qt.Qt.DescendingOrder if self._descending else qt.Qt.AscendingOrder)
        self.arrange()

    def _chosen(self) -> Optional[Row]:
        row = self.ui.worklistTable.currentRow()
        has_choice = bool(self.ui.worklistTable.selectedItems())
        return self._shown[row] if has_choice and 0 <= row < len(self._shown) else None

    def _open(self) -> None:
        row = self._chosen()
        if row is not None:
            self.session.open(row.case_id)

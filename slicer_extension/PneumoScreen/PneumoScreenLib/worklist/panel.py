"""The worklist: search, state, sorting, opening a case, and the next case by a strategy.

Thousands of rows are written in pieces between which the interface answers; cells are made once and used again.
"""

from typing import Any, List, Optional

import qt

from ..translation import _
from ..widgets import style
from ..widgets.buttons import with_key
from ..widgets.columns import LEFT, RIGHT, Column, Columns
from ..wording import display_name
from .rows import COLUMNS, FINDINGS, STATES, Row, arranged, counts_in_words, rows_of, unknown_columns

ROWS_A_TURN = 150
FOLLOW_MS = 30_000
"""How often the list follows the server by itself."""
CASE, UNSURE = 0, 3
TABLE = (
    Column(_("Case"), _("Name of the case."), ("ct-0000",), LEFT),
    Column(_("State"), _("Where it stands; who has it stands below where you choose it."), STATES, LEFT),
    Column(_("Verdict"), _("Of the last screening."), FINDINGS, LEFT),
    Column(_("Unsure"), _("How unsure the model is: 0 sure, 1 not at all."), ("0.88",), RIGHT, 4),
    Column(_("Urgent"), _("1 is to be read first: the likeliest infection of the open cases."), ("8888",), RIGHT, 2),
    Column(_("Taken"), _("The day on which the image was taken."), ("8888-88-88",), LEFT, 3),
    Column(_("Age"), _("Of the patient on that day, in years."), ("888",), RIGHT, 1),
    Column(_("Patient"), _("A hash: all images of one patient have the same."), ("dddddddddddd",), LEFT, 5),
)
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
        self._follow = qt.QTimer()
        self._follow.setInterval(FOLLOW_MS)
        self._follow.connect("timeout()", self.connection.follow)
        self._follow.start()
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
        session.study.switched.connect(self._listed)
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
        row = self._chosen()
        ui.openButton.enabled = is_free and row is not None
        ui.worklistDetailLabel.text = row.in_full if row is not None and row.explanation else ""
        ui.worklistDetailLabel.visible = bool(ui.worklistDetailLabel.text)

    def close(self) -> None:
        """The panel goes: nothing is asked for any more."""
        self._follow.stop()
        self._timer.stop()

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
            # What does not fit into the cells: all of its name, who reads it, why it could not be screened.
            item, tip = self._cells.item(row, 0), self._shown[row].in_full
            if item.toolTip() != tip:
                item.setToolTip(tip)
        self._written = until
        if self.is_writing:
            self._timer.start()
        else:
            self._timer.stop()

    def _prepare(self) -> None:
        ui = self.ui
        style.prepare_table(ui.worklistTable)
        self._columns = Columns(ui.worklistTable, TABLE, CASE)
        self._cells = style.Cells(ui.worklistTable, self._columns.alignments)
        style.as_quiet(ui.worklistCountLabel)
        style.as_quiet(ui.worklistDetailLabel)
        with_key(ui.nextButton, "next_case")
        style.as_primary(ui.nextButton)
        ui.sendLine.setStyleSheet(f"color: {style.line_colour(ui.sendLine)};")
        ui.worklistTable.horizontalHeader().setSectionsClickable(True)
        ui.stateCombo.clear()
        for state in STATES:
            ui.stateCombo.addItem(state or _("All states"))

    def _listed(self) -> None:
        chosen = self._chosen()
        is_blind = self.session.study.is_on
        self._rows = rows_of(self.connection.cases, is_blind)
        self._columns.leave_out([*unknown_columns(self._rows), *([UNSURE] if is_blind else [])])
        self.arrange()
        ids = [row.case_id for row in self._shown]
        if chosen is not None and chosen.case_id in ids:
            self.ui.worklistTable.selectRow(ids.index(chosen.case_id))

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
        self._columns.show_order(index, self._descending)
        self.arrange()

    def _chosen(self) -> Optional[Row]:
        row = self.ui.worklistTable.currentRow()
        has_choice = bool(self.ui.worklistTable.selectedItems())
        return self._shown[row] if has_choice and 0 <= row < len(self._shown) else None

    def _open(self) -> None:
        row = self._chosen()
        if row is not None:
            self.session.open(row.case_id)

"""Buttons: the key stands on each, and a frame has as many of them beside each other as none is cut."""

from typing import Any, Callable, List, Sequence, Tuple

import qt

from ..keys import key_of

NARROWEST, SPACING = 364, 6
"""Pixels: inside of a section in Slicer's panel at its usual width, and between two buttons."""
AROUND, ICON = 18, 20
"""Pixels beside the text: the button's own margins, an icon."""

Row = List[int]
"""Indices of the buttons that stand beside each other."""


def with_key(button: Any, action: str) -> None:
    """Write the key of an action behind the button's text."""
    key = key_of(action)
    if key and not button.text.endswith(f"({key})"):
        button.text = f"{button.text} ({key})"


class _Resizes(qt.QObject):
    """Hears of another size of a widget by an event filter, as the application's own module SampleData has one."""

    resized: Callable[[], None]

    def eventFilter(self, watched: Any, event: Any) -> bool:  # noqa: N802 (Qt's name)
        if event.type() == qt.QEvent.Resize:
            self.resized()
        return False


class Rows:
    """Buttons in rows that share the width of a frame; laid anew when it is narrower or wider than before.

    Its maker keeps it: the rows follow the width until it is closed.

    Args:
        frame: empty widget that they fill.
        buttons: in their order.
        are_alike: whether all buttons of a row are equally wide; else by their texts.
    """

    def __init__(self, frame: Any, buttons: Sequence[Any], are_alike: bool = False) -> None:
        self._frame, self._buttons, self._are_alike = frame, list(buttons), are_alike
        self.rows: List[Row] = []
        column = qt.QVBoxLayout(frame)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACING)
        # A row without buttons takes no room.
        self._lines = [qt.QHBoxLayout() for _button in buttons]
        for line in self._lines:
            line.setSpacing(SPACING)
            column.addLayout(line)
        for button in buttons:
            button.setSizePolicy(qt.QSizePolicy.Ignored, qt.QSizePolicy.Fixed)
        # Not at once: a layout that is amid a resize takes no other.
        self._later = qt.QTimer()
        self._later.setSingleShot(True)
        self._later.setInterval(0)
        self._later.connect("timeout()", self._follow)
        self._resizes = _Resizes()
        self._resizes.resized = self._later.start
        frame.installEventFilter(self._resizes)
        self._lay(NARROWEST)

    def close(self) -> None:
        """Follow no longer: the panel goes, and no event of its widgets shall come to Python any more."""
        self._frame.removeEventFilter(self._resizes)
        self._later.stop()
        self._later.disconnect("timeout()")

    def _follow(self) -> None:
        self._lay(self._frame.width)

    def _lay(self, width: int) -> None:
        widths = [wanted_width(button) for button in self._buttons]
        rows = equal_rows(widths, width) if self._are_alike else rows_for(widths, width)
        if rows == self.rows:
            return
        for line, row in zip(self._lines, self.rows):
            for index in row:
                line.removeWidget(self._buttons[index])
        for line, row in zip(self._lines, rows):
            for index in row:
                line.addWidget(self._buttons[index], 1 if self._are_alike else widths[index])
        self.rows = rows


def equal_rows(widths: Sequence[int], width: int) -> List[Row]:
    """Rows of as many buttons as ``columns_for`` says."""
    columns = columns_for(widths, width) if widths else 1
    return [list(range(first, min(first + columns, len(widths)))) for first in range(0, len(widths), columns)]


def rows_for(widths: Sequence[int], width: int) -> List[Row]:
    """Indices of the buttons in each row, in their order: no row is wider than this, and no more rows than needed.

    Among such rows those that are filled most alike: one short button over the whole width looks like another kind.
    """
    # Of the first buttons: how many rows, how much room is left in them (squares), and the rows.
    best: List[Tuple[int, int, List[Row]]] = [(0, 0, [])]
    for end in range(1, len(widths) + 1):
        found = []
        for start in range(end):
            used = sum(widths[start:end]) + SPACING * (end - start - 1)
            if used <= width or end - start == 1:
                rows, room, before = best[start]
                found.append((rows + 1, room + max(0, width - used) ** 2, [*before, list(range(start, end))]))
        best.append(min(found))
    return best[-1][2]


def columns_for(widths: Sequence[int], width: int) -> int:
    """How many buttons stand in a row of this width, so that none is cut: at most four, and at least one."""
    for columns in (4, 3, 2):
        # Rows that are full, or nearly so: a last row of one button looks lost.
        is_even = len(widths) % columns in (0, columns - 1)
        if is_even and max(widths) <= (width - (columns - 1) * SPACING) / columns:
            return columns
    return 2 if max(widths) <= (width - SPACING) / 2 else 1


def wanted_width(button: Any) -> int:
    """Pixels that a button needs, also where its text is bold because it holds."""
    font = button.font
    font.setBold(True)
    icon = 0 if button.icon.isNull() else ICON
    return int(qt.QFontMetrics(font).horizontalAdvance(button.text)) + icon + AROUND

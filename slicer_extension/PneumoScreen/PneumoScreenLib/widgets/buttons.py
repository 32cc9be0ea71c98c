"""Buttons: the key stands on each, and a frame has as many of them beside each other as none is cut."""

from typing import Any, List, Sequence, Tuple

import qt

from ..keys import key_of

NARROWEST, SPACING = 364, 6
"""Pixels: inside of a section in Slicer's panel at its usual width, and between two buttons."""
AROUND, ICON = 18, 20
"""Pixels beside the text: the button's own margins, an icon."""


def with_key(button: Any, action: str) -> None:
    """Write the key of an action behind the button's text."""
    key = key_of(action)
    if key and not button.text.endswith(f"({key})"):
        button.text = f"{button.text} ({key})"


def lay_out(frame: Any, buttons: Sequence[Any], width: int = NARROWEST) -> None:
    """Fill a frame with buttons in rows; they share its width."""
    grid = qt.QGridLayout(frame)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setHorizontalSpacing(SPACING)
    grid.setVerticalSpacing(SPACING)
    columns = columns_for([wanted_width(button) for button in buttons], width)
    for index, button in enumerate(buttons):
        button.setSizePolicy(qt.QSizePolicy.Ignored, qt.QSizePolicy.Fixed)
        grid.addWidget(button, index // columns, index % columns)
    for column in range(columns):
        grid.setColumnStretch(column, 1)


def flow(frame: Any, buttons: Sequence[Any], width: int = NARROWEST) -> None:
    """Fill a frame with buttons of unlike lengths, row by row; each row has the frame's width."""
    column = qt.QVBoxLayout(frame)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(SPACING)
    for row in rows_for([wanted_width(button) for button in buttons], width):
        line = qt.QHBoxLayout()
        line.setSpacing(SPACING)
        column.addLayout(line)
        for index in row:
            buttons[index].setSizePolicy(qt.QSizePolicy.Ignored, qt.QSizePolicy.Fixed)
            line.addWidget(buttons[index], wanted_width(buttons[index]))


def rows_for(widths: Sequence[int], width: int) -> List[List[int]]:
    """Indices of the buttons in each row, in their order: no row is wider than this, and no more rows than needed.

    Among such rows those that are filled most alike: one short button over the whole width looks like another kind.
    """
    # Of the first buttons: how many rows, how much room is left in them (squares), and the rows.
    best: List[Tuple[int, int, List[List[int]]]] = [(0, 0, [])]
    for end in range(1, len(widths) + 1):
        found = []
        for start in range(end):
            used = sum(widths[start:end]) + SPACING * (end - start - 1)
            if used <= width or end - start == 1:
                rows, room, before = best[start]
                found.append((rows + 1, room + max(0, width - used) ** 2, [*before, list(range(start, end))]))
        best.append(min(found))
    return best[-1][2]


def columns_for(widths: List[int], width: int) -> int:
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

"""Rows of buttons of unlike lengths: none is cut, and none stands alone that need not; they follow the width."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.slicer_extension.doubles.pythonqt_adapter import install

install()

from PneumoScreenLib.widgets.buttons import SPACING, Rows, equal_rows, rows_for, wanted_width


@pytest.mark.parametrize(
    ("widths", "rows"),
    [
        ([90, 80, 150, 110, 90, 100, 90], [[0, 1], [2, 3], [4, 5, 6]]),
        ([100, 100, 100, 100], [[0, 1], [2, 3]]),
        ([100, 100, 100], [[0, 1, 2]]),
        ([500, 10], [[0], [1]]),
        ([], []),
    ],
)
def test_rows_are_filled_alike(widths: list[int], rows: list[list[int]]) -> None:
    assert rows_for(widths, 364) == rows


@given(st.lists(st.integers(20, 400), max_size=14))
def test_every_button_once_in_order_and_no_more_rows_than_needed(widths: list[int]) -> None:
    rows = rows_for(widths, 364)
    assert [index for row in rows for index in row] == list(range(len(widths)))
    assert all(len(row) == 1 or sum(widths[each] + SPACING for each in row) - SPACING <= 364 for row in rows)
    greedy = used = 0
    for each in widths:
        if greedy and used + SPACING + each <= 364:
            used += SPACING + each
        else:
            greedy, used = greedy + 1, each
    assert len(rows) == greedy


@pytest.mark.parametrize(
    ("widths", "width", "rows"),
    [
        ([80, 80, 80, 80], 364, [[0, 1, 2, 3]]),
        ([100, 100, 100, 100], 364, [[0, 1], [2, 3]]),
        ([200, 200, 200], 364, [[0], [1], [2]]),
        ([150, 150, 150], 364, [[0, 1], [2]]),
        ([], 364, []),
    ],
)
def test_equal_rows(widths: list[int], width: int, rows: list[list[int]]) -> None:
    assert equal_rows(widths, width) == rows


@pytest.mark.parametrize("are_alike", [True, False])
def test_the_rows_follow_the_width_of_their_frame(are_alike: bool) -> None:
    import qt
    from PySide6.QtWidgets import QApplication

    def settle() -> None:
        for _ in range(10):
            QApplication.processEvents()

    frame = qt.QWidget()
    buttons = [qt.QPushButton(f"a rather long text {number}") for number in range(4)]
    rows = Rows(frame, buttons, are_alike)
    needed = wanted_width(buttons[0])
    for columns in (4, 1, 2):
        frame.resize(columns * (needed + SPACING), 300)
        frame.show()
        settle()
        assert [len(row) for row in rows.rows] == [columns] * (4 // columns)
        places = {(button.x, button.y) for button in buttons}
        assert len(places) == 4 and len({y for _x, y in places}) == 4 // columns
        assert all(button.width >= needed for button in buttons), "none is cut"

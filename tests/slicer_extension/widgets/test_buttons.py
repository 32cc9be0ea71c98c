"""Rows of buttons of unlike lengths: none is cut, and none stands alone that need not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.slicer_extension.doubles.pythonqt_adapter import install

install()

from PneumoScreenLib.widgets.buttons import SPACING, rows_for


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

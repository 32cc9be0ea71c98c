"""Outlines and the way to the edge of the lung."""

import numpy as np
import pytest

from pneumoscreen.ct.location import relative_distance_from_edge
from pneumoscreen.report.outlines import edge_line, mask_contours, svg_path
from pneumoscreen.report.pictures import Frame

FRAME = Frame((0, 40), (0, 60), 2.0, 1.0)


@pytest.fixture
def lung() -> np.ndarray:
    mask = np.zeros((40, 60), bool)
    mask[10:30, 5:55] = True
    return mask


def test_the_outline_runs_along_the_mask(lung):
    contours = mask_contours(lung, FRAME)
    assert len(contours) == 1
    rows, columns = contours[0].T
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (9.5, 29.5, 4.5, 54.5)
    path = svg_path(contours, FRAME)
    assert path.startswith("M")
    assert path.endswith("Z")
    assert path.count("L") < 12


def test_a_mask_at_the_border_of_the_picture_is_closed():
    contours = mask_contours(np.ones((40, 60), bool), FRAME)
    assert np.array_equal(contours[0][0], contours[0][-1])


def test_the_line_is_as_long_as_the_distance_from_edge_says(lung):
    contours = mask_contours(lung, FRAME)
    diagonal = np.hypot(20 * 2.0, 50 * 1.0)
    for center in ((12.0, 30.0), (20.0, 8.0), (20.0, 30.0), (27.6, 51.2)):
        line = edge_line(center, lung, contours, FRAME)
        expected = relative_distance_from_edge(lung, (2.0, 1.0), center) * diagonal
        assert line.inside
        assert line.length_mm == pytest.approx(expected, abs=1.0)
        drawn = np.hypot(line.end[0] - line.start[0], line.end[1] - line.start[1])
        assert drawn == pytest.approx(line.length_mm)


def test_a_centre_outside_the_lung_lies_at_distance_0(lung):
    line = edge_line((2.0, 2.0), lung, mask_contours(lung, FRAME), FRAME)
    assert (line.inside, line.length_mm) == (False, 0.0)
    assert line.start == line.end
    assert edge_line((900.0, -5.0), lung, mask_contours(lung, FRAME), FRAME).inside is False


def test_a_slice_without_lung_has_no_line():
    empty = np.zeros((40, 60), bool)
    assert mask_contours(empty, FRAME) == []
    assert svg_path([], FRAME) == ""
    assert edge_line((5.0, 5.0), empty, [], FRAME) is None

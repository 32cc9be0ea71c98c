"""Outlines and the way to the edge of the lung."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage
from skimage.measure import approximate_polygon

from pneumoscreen.ct.location import relative_distance_from_edge
from pneumoscreen.report.outlines import edge_line, mask_contours, simplified, svg_path
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


@pytest.mark.parametrize("seed", range(5))
def test_a_simplified_outline_stays_within_the_tolerance_with_as_few_points_as_scikit_images(seed: int) -> None:
    mask = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(80, 90)), 4) > 0
    contours = mask_contours(mask, Frame((0, 80), (0, 90), 1.0, 1.0))
    assert contours
    kept = [simplified(contour, 0.4) for contour in contours]
    for contour, points in zip(contours, kept, strict=True):
        assert np.array_equal(points[[0, -1]], contour[[0, -1]])
        fine = np.concatenate([np.linspace(a, b, 50) for a, b in pairwise(points)])
        assert all(np.linalg.norm(fine - point, axis=1).min() < 0.45 for point in contour)
    theirs = sum(len(approximate_polygon(contour, 0.4)) for contour in contours)
    assert sum(map(len, kept)) <= 1.05 * theirs

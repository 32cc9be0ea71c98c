"""Lines of fewer points."""

import numpy as np
import pytest
from scipy import ndimage
from skimage.measure import approximate_polygon, find_contours

from pneumoscreen.report.polyline import simplified


@pytest.mark.parametrize("smoothness", [1.0, 4.0, 12.0])
def test_the_points_are_those_of_scikit_image(smoothness):
    noise = ndimage.gaussian_filter(np.random.default_rng(3).standard_normal((160, 160)), smoothness)
    outlines = find_contours(np.pad(noise > 0, 1).view(np.uint8), 0.5)
    assert len(outlines) > 2
    for outline in outlines:
        for tolerance in (0.4, 2.0):
            assert np.array_equal(simplified(outline, tolerance), approximate_polygon(outline, tolerance))


def test_an_open_line_keeps_its_ends_and_its_corner():
    line = np.array([[0.0, 0.0], [1.0, 0.1], [2.0, 0.0], [2.1, 1.0], [2.0, 2.0]])
    assert simplified(line, 0.5).tolist() == [[0.0, 0.0], [2.0, 0.0], [2.0, 2.0]]


@pytest.mark.parametrize("count", [1, 2])
def test_a_line_of_one_point_or_two_stays(count):
    line = np.arange(2.0 * count).reshape(count, 2)
    assert np.array_equal(simplified(line, 0.4), line)

"""The dilation by a ball is the one that a distance transform gives."""

import numpy as np
import pytest
from scipy import ndimage

from pneumoscreen.ct.lung_grid import near_by


@pytest.mark.parametrize("spacing", [(3.0, 2.1, 2.1), (5.0, 1.3, 1.4), (9.0, 2.0, 2.0), (1.0, 1.0, 1.0)])
def test_near_by_is_the_threshold_of_a_distance_transform(spacing: tuple[float, float, float]) -> None:
    mask = np.random.default_rng(4).random((14, 40, 36)) > 0.998
    assert mask.any()
    assert np.array_equal(near_by(mask, 7.0, spacing), ndimage.distance_transform_edt(~mask, sampling=spacing) <= 7.0)


def test_near_by_of_a_mask_smaller_than_the_ball_and_of_none() -> None:
    mask = np.zeros((2, 3, 3), dtype=bool)
    assert not near_by(mask, 7.0, (1.0, 1.0, 1.0)).any()
    mask[0, 0, 0] = True
    assert near_by(mask, 7.0, (1.0, 1.0, 1.0)).all()

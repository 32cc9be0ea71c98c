"""Septa and airways inside a lesion: irregular, the same in every slab, where they belong."""

import numpy as np
import pytest

from pneumoscreen.phantoms.lesion_textures import air_bronchogram, septal_net


@pytest.fixture(scope="module")
def points() -> np.ndarray:
    axis = np.arange(-15.0, 15.0, 1.0)
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)


def test_septa_are_thin_walls_between_lobules(points: np.ndarray) -> None:
    net = septal_net(points, seed=3)
    assert net.min() == 0.0 and net.max() > 0.8
    assert 0.05 < (net > 0.5).mean() < 0.5


def test_septa_of_two_slabs_meet(points: np.ndarray) -> None:
    whole = septal_net(points, seed=5)
    upper = points[:, 2] > 0
    np.testing.assert_allclose(septal_net(points[upper], seed=5), whole[upper], atol=1e-6)


def test_septa_repeat_with_no_period(points: np.ndarray) -> None:
    """A regular net, as it was once drawn, agrees with itself a period further on."""
    net = septal_net(points, seed=7).reshape(30, 30, 30)
    best = max(np.corrcoef(net[step:].ravel(), net[:-step].ravel())[0, 1] for step in range(4, 16))
    assert best < 0.3


def test_airways_run_through_the_lesion(points: np.ndarray) -> None:
    share = air_bronchogram(points, size_mm=12.0, radius_mm=1.5, seed=2)
    assert share.max() == 1.0
    assert 0.001 < (share > 0.5).mean() < 0.2
    np.testing.assert_array_equal(share, air_bronchogram(points, 12.0, 1.5, 2))

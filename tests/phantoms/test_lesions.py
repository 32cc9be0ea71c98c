"""Lesions: opaque inside, clear outside, turned and placed as asked."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscreen.phantoms.lesion_kinds import draw_lesion
from pneumoscreen.phantoms.lesions import oriented, place


@pytest.mark.parametrize("label", ["covid19", "influenza_a", "irrelevant"])
@pytest.mark.parametrize("seed", range(5))
def test_lesion_is_opaque_at_its_centre_and_clear_at_its_bounds(label: str, seed: int) -> None:
    lesion = draw_lesion(label, 0.5, np.random.default_rng(seed))
    low, high = lesion.bounds
    x, y, z = (np.arange(low[i] - 2, high[i] + 2, 1.0, dtype=np.float32) for i in range(3))
    opacity, hu = lesion.render(x, y, z)
    assert opacity.max() > 0.9
    border = np.ones(opacity.shape, bool)
    border[1:-1, 1:-1, 1:-1] = False
    assert opacity[border].max() < 0.5
    assert lesion.label == label
    assert np.isfinite(hu).all()


def test_severity_enlarges_infections() -> None:
    def size(severity: float) -> float:
        drawn = [draw_lesion("covid19", severity, np.random.default_rng(seed)) for seed in range(40)]
        return float(np.mean([lesion.blobs[0].radii.max() for lesion in drawn]))

    assert size(1.0) > 1.3 * size(0.0)


@given(st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 1e-2), st.integers(0, 1000))
def test_orientation_is_a_rotation_with_the_given_first_axis(direction: tuple[float, float, float], seed: int) -> None:
    axes = oriented(np.array(direction), np.random.default_rng(seed))
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-9)
    np.testing.assert_allclose(axes[:, 0], np.array(direction) / np.linalg.norm(direction), atol=1e-9)


def test_placing_moves_the_centre() -> None:
    lesion = draw_lesion("influenza_a", 0.2, np.random.default_rng(1))
    moved = place(lesion, np.array([10.0, -20.0, 30.0]), np.eye(3))
    np.testing.assert_allclose(moved.center, [10.0, -20.0, 30.0])
    np.testing.assert_allclose(moved.bounds[0], lesion.bounds[0] + [10.0, -20.0, 30.0])

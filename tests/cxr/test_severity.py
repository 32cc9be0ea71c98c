"""Opaque shares and zone scores: what lies where, on the right side, and nothing in a clear lung."""

import numpy as np
import pytest

from pneumoscreen.cxr.severity import DRAWN, STEPS, opaque_shares, score
from pneumoscreen.xray_findings import MOST_A_ZONE, ZONES

SICK = {"left": 0.9, "right": 0.9}


def masks(left_lower: float) -> dict[str, np.ndarray]:
    """Masks whose left lung is opaque in its lowest third alone."""
    left = np.zeros((120, 60), np.float32)
    left[80:] = left_lower
    return {"left": left, "right": np.zeros((90, 50), np.float32)}


def test_a_zone_scores_where_it_is_opaque_and_nowhere_else() -> None:
    opacity, severity = opaque_shares(masks(0.5 / DRAWN), SICK)
    assert opacity == {"left": pytest.approx(0.5 / 3), "right": 0.0}
    assert {name for name, value in severity.items() if value} == {"left_lower"}
    assert severity["left_lower"] == 2.0
    assert set(severity) == {f"{side}_{zone}" for side in ("left", "right") for zone in ZONES}


def test_a_lung_taken_for_clear_is_clear_throughout() -> None:
    opacity, severity = opaque_shares(masks(1.0), {"left": 0.49, "right": 0.9})
    assert not any(opacity.values())
    assert not any(severity.values())


def test_a_lung_at_the_threshold_is_measured_and_readers_draw_half_as_much_again_as_the_mask() -> None:
    opacity, severity = opaque_shares(masks(0.5), {"left": 0.5, "right": 0.9})
    assert opacity["left"] == pytest.approx(0.77 / 3) and severity["left_lower"] == 3.0


def test_no_share_exceeds_1() -> None:
    opacity, severity = opaque_shares({side: np.ones((9, 9), np.float32) for side in ("left", "right")}, SICK)
    assert opacity == {"left": 1.0, "right": 1.0}
    assert set(severity.values()) == {MOST_A_ZONE}


def test_scores_rise_at_the_steps() -> None:
    assert [score(step - 1e-6) for step in STEPS] == [0, 1, 2]
    assert [score(step) for step in STEPS] == [1, 2, 3]
    assert len(STEPS) == MOST_A_ZONE

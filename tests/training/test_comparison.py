"""Two X-ray networks on the same validation patients."""

import numpy as np
import pytest

from pneumoscreen.training.comparison import compare_scores

PATIENTS = [f"p{number // 2}" for number in range(60)]


def test_means_and_difference_are_those_of_the_pictures() -> None:
    rng = np.random.default_rng(0)
    candidate, current = rng.random(60), rng.random(60) * 0.5
    found = compare_scores("accuracy", PATIENTS, candidate, current)
    assert found.metric == "accuracy"
    assert found.patients == 30
    assert found.candidate.estimate == pytest.approx(candidate.mean())
    assert found.current is not None
    assert found.difference is not None
    assert found.current.estimate == pytest.approx(current.mean())
    assert found.difference.estimate == pytest.approx(candidate.mean() - current.mean())
    assert found.difference.low < found.difference.estimate < found.difference.high


def test_equal_networks_differ_by_nothing() -> None:
    scores = np.random.default_rng(1).integers(0, 2, 60).astype(float)
    found = compare_scores("accuracy", PATIENTS, scores, scores)
    assert found.difference is not None
    assert (found.difference.low, found.difference.estimate, found.difference.high) == (0.0, 0.0, 0.0)


def test_without_a_network_in_use_there_is_nothing_to_compare_with() -> None:
    found = compare_scores("accuracy", PATIENTS, np.ones(60), None)
    assert (found.current, found.difference) == (None, None)
    assert (found.candidate.low, found.candidate.estimate, found.candidate.high) == (1.0, 1.0, 1.0)


def test_patients_are_drawn_and_not_pictures() -> None:
    """A hundred pictures of two patients tell no more than two patients do."""
    scores = np.repeat([0.0, 1.0], 50)
    of_two = compare_scores("x", ["a"] * 50 + ["b"] * 50, scores, None)
    of_many = compare_scores("x", [f"p{number}" for number in range(100)], scores, None)
    assert (of_two.patients, of_many.patients) == (2, 100)
    assert of_two.candidate.high - of_two.candidate.low > 3 * (of_many.candidate.high - of_many.candidate.low)

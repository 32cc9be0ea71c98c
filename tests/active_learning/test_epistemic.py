"""Mutual information: what the draws agree on is no doubt of the weights, however unsure it is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscreen.active_learning.epistemic import DRAWS, epistemic, mutual_information
from pneumoscreen.ct.classifier import ClassifierModel, ClassifierSettings, judge
from pneumoscreen.ct.patches import PatchImage

drawn = st.tuples(st.integers(1, 6), st.integers(0, 12), st.integers(0, 2**32 - 1)).map(
    lambda shape: np.random.default_rng(shape[2]).dirichlet([0.4, 0.4, 0.4], shape[:2]).reshape(shape[0], shape[1], 3)
)


@given(drawn)
def test_it_lies_between_0_and_1_and_no_order_matters(samples: np.ndarray) -> None:
    value = epistemic(samples)
    assert 0.0 <= value <= 1.0
    assert epistemic(samples[::-1, ::-1]) == pytest.approx(value, abs=1e-12)


def test_draws_that_agree_know_and_draws_that_contradict_each_other_do_not() -> None:
    even = np.tile([0.5, 0.5, 0.0], (DRAWS, 9, 1))
    torn = np.tile([[[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]]], (DRAWS // 2, 9, 1))
    assert epistemic(even) == pytest.approx(0.0)
    assert epistemic(torn) == pytest.approx(np.log(2) / np.log(3))


def test_without_draws_nothing_is_known() -> None:
    assert epistemic(np.zeros((0, 5, 3))) == 0.0
    assert epistemic(np.zeros((DRAWS, 0, 3))) == 0.0
    assert mutual_information(np.zeros((0, 5, 3))).shape == (5,)


def test_a_real_classifiers_draws_contradict_each_other_a_little() -> None:
    rng = np.random.default_rng(0)
    model = ClassifierModel.untrained(ClassifierSettings(widths=(8, 8, 8, 8)))
    patches = [PatchImage(0, rng.random((64, 64), dtype=np.float32), 0.1) for _ in range(4)]
    information = mutual_information(judge(patches, model, samples=DRAWS).samples)
    assert information.shape == (4,)
    assert bool((information > 0.0).all())
    same = judge([patches[0], patches[0]], model, samples=DRAWS, seed=3)
    assert epistemic(same.samples) == epistemic(judge([patches[0], patches[0]], model, samples=DRAWS, seed=3).samples)

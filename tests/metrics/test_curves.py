"""Areas are scikit-learn's, with and without weights; intervals draw patients."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from pneumoscreen.metrics.curves import POINTS, areas_of_draws, draw_curves, one_against_rest


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 80), st.integers(1, 8), st.integers(0, 10**6))
def test_areas_are_those_of_scikit_learn(count, levels, seed):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, levels + 1, count) / levels  # many ties
    positive = rng.random(count) < 0.4
    positive[:2] = [True, False]
    patients = rng.integers(0, 5, count)
    weights = rng.integers(0, 4, (6, 5))
    found = areas_of_draws(scores, positive, patients, weights)
    for drawn, (auc, average) in zip(weights, found, strict=True):
        weight = drawn[patients]
        if weight[positive].sum() == 0 or weight[~positive].sum() == 0:
            assert np.isnan(auc)
            assert np.isnan(average)
            continue
        assert auc == pytest.approx(roc_auc_score(positive, scores, sample_weight=weight))
        assert average == pytest.approx(average_precision_score(positive, scores, sample_weight=weight))


def test_curves_run_from_corner_to_corner_and_are_thinned():
    rng = np.random.default_rng(2)
    positive = rng.random(5000) < 0.3
    curves = draw_curves("covid19", rng.normal(size=5000) + positive, positive, np.arange(5000) % 50)
    assert curves.roc[0].tolist() == [0.0, 0.0]
    assert curves.roc[-1].tolist() == [1.0, 1.0]
    assert (np.diff(curves.roc, axis=0) >= 0).all()
    assert len(curves.roc) <= POINTS
    assert len(curves.precision_recall) <= POINTS
    assert curves.auc.low < curves.auc.estimate < curves.auc.high
    assert curves.to_dict()["positives"] == int(positive.sum())


def test_items_of_one_patient_are_drawn_together():
    rng = np.random.default_rng(5)
    positive = np.arange(60) % 2 == 0
    scores = rng.normal(size=60) + positive
    once = draw_curves("a", scores, positive, np.arange(60)).auc
    copies = np.repeat(np.arange(60), 8)
    together = draw_curves("a", np.repeat(scores, 8), np.repeat(positive, 8), copies).auc
    apart = draw_curves("a", np.repeat(scores, 8), np.repeat(positive, 8), np.arange(480)).auc
    assert together.estimate == pytest.approx(once.estimate)
    assert together.high - together.low == pytest.approx(once.high - once.low)
    assert apart.high - apart.low < 0.5 * (together.high - together.low)


def test_one_patient_has_areas_but_no_interval():
    curves = draw_curves("a", np.array([0.1, 0.9]), np.array([False, True]), np.zeros(2, dtype=np.int64))
    assert curves.auc.estimate == 1.0
    assert np.isnan(curves.auc.low)


@pytest.mark.parametrize("positive", [np.ones(4, dtype=bool), np.zeros(4, dtype=bool), np.zeros(0, dtype=bool)])
def test_without_both_kinds_there_is_no_curve(positive):
    curves = draw_curves("a", np.zeros(len(positive)), positive, np.arange(len(positive)))
    assert not curves.defined
    assert np.isnan(curves.auc.estimate)
    assert curves.to_dict()["auc"] == {"estimate": None, "low": None, "high": None}


def test_each_class_stands_against_all_others():
    scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.1, 0.1]])
    first, second = one_against_rest(("a", "b"), scores, np.array([0, 1, 2]), np.arange(3))
    assert (first.label, first.positives, first.negatives) == ("a", 1, 2)
    assert second.auc.estimate == 1.0

"""Embeddings and the core set."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pneumoscreen.active_learning.diversity import _BLOCK, case_embedding, distances, farthest_first, stack

seeds = st.integers(0, 2**32 - 1)


def unit(rng: np.random.Generator, count: int, width: int = 6) -> np.ndarray:
    vectors = rng.normal(size=(count, width))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@given(seeds, st.integers(1, 40))
def test_an_embedding_has_unit_length_whatever_the_order_of_patches(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    features, infected = rng.random((count, 16), dtype=np.float32), rng.random(count)
    found = case_embedding(features, infected)
    assert np.linalg.norm(found) == pytest.approx(1.0, abs=1e-5)
    order = rng.permutation(count)
    assert np.allclose(case_embedding(features[order], infected[order]), found, atol=1e-6)


def test_infected_patches_speak_louder() -> None:
    features = np.eye(2, dtype=np.float32)
    assert case_embedding(features, np.array([0.9, 0.0]))[0] > 0.9
    assert not case_embedding(np.zeros((0, 4), dtype=np.float32), np.zeros(0)).any()
    assert case_embedding(np.zeros((0, 4), dtype=np.float32), np.zeros(0)).shape == (4,)


@given(seeds, st.integers(1, 20), st.sampled_from([1, 7, _BLOCK + 3]))
@settings(max_examples=20)
def test_distances_are_those_to_the_nearest(seed: int, count: int, others: int) -> None:
    rng = np.random.default_rng(seed)
    ours, theirs = unit(rng, count), unit(rng, others)
    direct = np.linalg.norm(ours[:, None].astype(float) - theirs[None].astype(float), axis=2).min(axis=1)
    assert np.allclose(distances(ours, theirs), direct, atol=1e-6)
    assert np.allclose(distances(theirs, theirs), 0.0, atol=1e-6)
    assert np.isinf(distances(ours, theirs[:0])).all()


@given(seeds, st.integers(2, 25), st.integers(0, 5))
def test_farthest_first_covers_at_least_half_as_well_as_any_choice(seed: int, count: int, read: int) -> None:
    rng = np.random.default_rng(seed)
    ours, known = unit(rng, count), unit(rng, read)
    wanted = max(count // 3, 1)
    chosen = farthest_first(ours, known, wanted)
    assert len(set(chosen)) == wanted
    if read:  # greedy k-centre is a 2-approximation: no choice of as many covers more than twice as well
        radius = distances(ours, np.concatenate([known, ours[chosen]])).max()
        for _ in range(20):
            other = rng.choice(count, wanted, replace=False)
            assert radius <= 2 * distances(ours, np.concatenate([known, ours[other]])).max() + 1e-6


def test_the_first_of_all_is_the_most_typical_and_twins_come_last() -> None:
    embeddings = np.array([[1, 0], [0.96, 0.28], [0.96, -0.28], [1, 0], [0, 1]], dtype=np.float32)
    nothing = np.zeros((0, 2), dtype=np.float32)
    assert farthest_first(embeddings, nothing, 5)[0] == 1
    assert {0, 3} & set(farthest_first(embeddings, embeddings[:1], 3)) == set()


def test_embeddings_of_two_classifiers_are_not_compared() -> None:
    with pytest.raises(ValueError, match="different classifiers"):
        stack([np.zeros(3, dtype=np.float32)], np.zeros((2, 4), dtype=np.float32))
    assert stack([], np.zeros((2, 4), dtype=np.float32)).shape == (0, 4)

"""The head of the localiser on what the trunk sees: it learns, it is repeatable, and weights count."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pneumoscreen.cxr.learning.lung_heads import HeadSettings, LungMaps, balanced, train_head
from pneumoscreen.cxr.photograph_lungs import CHANNELS, LungHead

SETTINGS = HeadSettings(mask=1.0, lung=1.0)


def lungs(count: int = 32) -> LungMaps:
    """Lungs whose infection is one channel in one place."""
    generator = np.random.default_rng(3)
    infected = generator.random(count) < 0.5
    maps = generator.normal(size=(count, CHANNELS, 4, 2)).astype(np.float16)
    opacity = np.zeros((count, 4, 2), np.float32)
    maps[infected, 5, 1, 1] += 12.0
    opacity[infected, 1, 1] = 1.0
    return LungMaps(maps, opacity, infected, np.ones(count))


@torch.no_grad()
def told(head: LungHead, given: LungMaps) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    logits, places = head(head.norm(torch.from_numpy(given.maps.astype(np.float32))))
    return logits.numpy(), places.numpy()


def test_it_learns_what_is_there_and_where() -> None:
    given = lungs()
    logits, places = told(train_head(given, SETTINGS), given)
    assert logits[given.infected].min() > logits[~given.infected].max()
    assert np.unravel_index(places[given.infected].mean(axis=0).argmax(), (4, 2)) == (1, 1)


def test_without_a_drawn_opacity_the_mask_is_nowhere() -> None:
    given = lungs()
    blank = LungMaps(given.maps, np.zeros_like(given.opacity), given.infected, given.weights)
    logits, places = told(train_head(blank, SETTINGS), blank)
    assert places.max() < -10.0
    assert logits[given.infected].min() > logits[~given.infected].max()


def test_twice_is_the_same_whatever_was_drawn_before() -> None:
    given = lungs()
    first = told(train_head(given, SETTINGS), given)[0]
    np.random.default_rng().random(5)
    np.testing.assert_array_equal(first, told(train_head(given, SETTINGS), given)[0])


def test_weights_of_nothing_teach_nothing() -> None:
    given = lungs()
    both = LungMaps(
        np.concatenate([given.maps, given.maps]),
        np.concatenate([given.opacity, given.opacity]),
        np.concatenate([given.infected, ~given.infected]),
        np.concatenate([np.ones(len(given.infected)), np.zeros(len(given.infected))]),
    )
    logits = told(train_head(both, SETTINGS), given)[0]
    assert logits[given.infected].min() > logits[~given.infected].max()


def test_both_kinds_weigh_the_same_in_sum() -> None:
    infected, weights = np.array([True, False, False, False]), np.array([1.0, 1.0, 0.5, 0.0])
    found = balanced(infected, weights)
    assert found[infected].sum() == pytest.approx(found[~infected].sum())
    assert found.mean() == pytest.approx(1.0)
    assert found[3] == 0.0
    assert found[1] == pytest.approx(2.0 * found[2])

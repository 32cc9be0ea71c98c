"""Lung masks of other conventions."""

import numpy as np
import pytest

from pneumoscreen.ct.importers.sides import lungs_in_our_convention, nearer_lung
from pneumoscreen.ct.phantoms.phantom import Phantom
from pneumoscreen.importers.found import SourceError


def test_numbers_do_not_matter(covid: Phantom) -> None:
    for values in ([0, 1, 2], [0, 2, 1], [0, 40, 7]):
        labels = np.array(values, dtype=np.uint16)[covid.lungs]
        lungs, notes = lungs_in_our_convention(labels, covid.volume)
        assert np.array_equal(lungs, covid.lungs)
        assert bool(notes) == (values == [0, 2, 1])


def test_one_number_for_both_lungs(covid: Phantom) -> None:
    lungs, notes = lungs_in_our_convention((covid.lungs > 0).astype(np.uint16), covid.volume)
    assert np.array_equal(lungs > 0, covid.lungs > 0)
    assert np.mean(lungs[covid.lungs > 0] == covid.lungs[covid.lungs > 0]) > 0.99
    assert "segmentation" in notes[0]


def test_lobes_of_one_lung_are_not_two_lungs(covid: Phantom) -> None:
    labels = (covid.lungs == 1).astype(np.uint16)
    labels[len(labels) // 2 :] *= 2
    lungs, _ = lungs_in_our_convention(labels, covid.volume)
    assert np.array_equal(lungs == 1, covid.lungs == 1) and not (lungs == 2).any()


def test_an_empty_lung_mask_is_refused(covid: Phantom) -> None:
    with pytest.raises(SourceError, match="empty"):
        lungs_in_our_convention(np.zeros(covid.lungs.shape, dtype=np.uint16), covid.volume)


def test_nearer_lung_fills_holes_with_their_own_side(covid: Phantom) -> None:
    holed = covid.lungs.copy()
    holed[:, ::3] = 0
    filled = nearer_lung(covid.lungs > 0, holed)
    assert np.mean(filled[covid.lungs > 0] == covid.lungs[covid.lungs > 0]) > 0.99

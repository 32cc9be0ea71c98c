"""The head of the localiser on kept features: it learns, it is repeatable, and no patient judges itself."""

import numpy as np
import torch

from pneumoscreen.cxr.photograph_lungs import CHANNELS
from pneumoscreen.training.lung_heads import (
    HeadSettings,
    JudgedFilms,
    KeptLungs,
    cross_validated,
    folds_of,
    logits_of,
    train_head,
)

SETTINGS = HeadSettings(mask=1.0, lung=1.0, folds=2)


def lungs(count: int = 32, told: bool = True) -> KeptLungs:
    """Lungs whose infection is one channel in one place, two lungs a film; without ``told`` the truth is chance."""
    generator = np.random.default_rng(3)
    infected = generator.random(count) < 0.5
    maps = generator.normal(size=(count, 2, CHANNELS, 4, 2)).astype(np.float16)
    opacity = np.zeros((count, 2, 4, 2), np.float16)
    if told:
        maps[infected, :, 5, 1, 1] += 12.0
        opacity[infected, :, 1, 1] = 1.0
    films = np.array([f"film-{i // 2}" for i in range(count)])
    patients = np.array([f"patient-{i // 4}" for i in range(count)])
    return KeptLungs(maps, opacity, infected, np.ones(count, bool), np.ones(count, np.float32), films, patients)


def test_it_learns_what_is_there_and_where() -> None:
    given = lungs()
    head = train_head(given, SETTINGS)
    found = logits_of(head, given)
    assert found[given.infected].min() > found[~given.infected].max()
    with torch.no_grad():
        places = head(torch.from_numpy(given.maps[given.infected, 0].astype(np.float32)))[1].mean(dim=0)
    assert np.unravel_index(int(places.argmax()), (4, 2)) == (1, 1)


def test_twice_is_the_same_whatever_was_drawn_before() -> None:
    given = lungs()
    first = logits_of(train_head(given, SETTINGS), given)
    np.random.default_rng().random(5)
    np.testing.assert_array_equal(first, logits_of(train_head(given, SETTINGS), given))


def test_no_patient_lies_in_two_folds() -> None:
    given = lungs()
    folds = folds_of(given.patients.tolist(), SETTINGS)
    assert set(folds.tolist()) == {0, 1}
    for patient in set(given.patients.tolist()):
        assert len(set(folds[given.patients == patient].tolist())) == 1


def test_what_only_the_lung_itself_could_tell_is_not_told_of_held_out_lungs() -> None:
    given = lungs(told=False)
    seen = logits_of(train_head(given, SETTINGS), given)
    held_out = cross_validated(given, SETTINGS)
    right = [float(((found > 0) == given.infected).mean()) for found in (seen, held_out)]
    assert right[0] == 1.0
    assert right[1] < 0.8


def test_a_film_is_as_infected_as_its_likelier_lung_and_clear_only_where_both_are() -> None:
    given = lungs(6)
    infected, certain = np.array([0, 1, 0, 0, 0, 0], bool), np.array([0, 1, 1, 1, 1, 0], bool)
    given = KeptLungs(**{**vars(given), "infected": infected, "certain": certain})
    films = JudgedFilms.of(np.array([1.0, -1.0, -3.0, -2.0, 0.5, 0.0]), given)
    assert films.logits.tolist() == [1.0, -2.0, 0.5]
    assert films.infected.tolist() == [True, False, False]
    assert films.certain.tolist() == [True, True, False]
    assert films.only(films.certain).patients.tolist() == ["patient-0", "patient-0"]


def test_weights_of_nothing_teach_nothing() -> None:
    given = lungs()
    wrong = KeptLungs(**{**vars(given), "infected": ~given.infected, "weights": np.zeros(len(given), np.float32)})
    found = logits_of(train_head(given.joined(wrong), SETTINGS), given)
    assert found[given.infected].min() > found[~given.infected].max()

"""Lungs kept with their surroundings: what is cut from them is what is cut from the X-ray, and sides stay right."""

from pathlib import Path

import numpy as np
import pytest
from tests.cxr.radiographs import BOXES, uneven

from pneumoscreen.cxr.learning.lung_pictures import SIZE, JudgedFilms, LungPicture, LungPictures, lung_picture
from pneumoscreen.cxr.learning.lung_variation import LungVariation
from pneumoscreen.cxr.localization import LocalizationSettings, lung_of

SETTINGS = LocalizationSettings(size=(32, 64), margin=0.1)


def kept(side: str, film: str = "film", infected: bool = True) -> LungPicture:
    radiograph = uneven()
    drawn = np.zeros_like(radiograph.pixels)
    x, y, width, height = BOXES[side]
    drawn[int(y) : int(y + height / 2), int(x) : int(x + width / 2)] = 1.0
    pixels, opacity, box = lung_picture(radiograph.pixels, drawn, BOXES[side], side)
    return LungPicture(pixels, opacity, box, infected, True, 1.0, film, "patient")


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_copy_is_what_the_network_sees_of_the_x_ray(side: str) -> None:
    lungs = LungPictures.of([kept(side)])
    assert lungs.pixels.shape == (1, SIZE[1], SIZE[0])
    copy = lungs.copy(0, SETTINGS)
    expected = lung_of(uneven(), BOXES[side], side, SETTINGS)
    assert np.abs(copy.lung - expected).mean() < 0.01
    assert np.abs(copy.lung[:, ::-1] - expected).mean() > 0.03
    # Drawn in the half of smaller x: the mirrored left lung has it on the other side.
    upper = copy.opacity[8:28]
    assert (upper[:, 4:14].mean() > 0.9) == (side == "right")
    assert (upper[:, 18:28].mean() > 0.9) == (side == "left")
    assert copy.opacity[40:].max() < 0.1


def test_a_variation_moves_it() -> None:
    lungs = LungPictures.of([kept("left")])
    plain, varied = (
        lungs.copy(0, SETTINGS),
        lungs.copy(0, SETTINGS, LungVariation(), np.random.default_rng(1)),
    )
    assert np.abs(plain.lung - varied.lung).mean() > 0.01


def test_they_come_back_from_a_file_and_are_made_once(tmp_path: Path) -> None:
    made = LungPictures.kept(tmp_path / "lungs.npz", lambda: [kept("left", "a"), kept("right", "a")])
    again = LungPictures.kept(tmp_path / "lungs.npz", lambda: pytest.fail("made twice"))
    for name, values in vars(made).items():
        np.testing.assert_array_equal(values, getattr(again, name))
    assert [path.name for path in tmp_path.iterdir()] == ["lungs.npz"]
    assert len(made.joined(again)) == 4
    assert made.only(np.array([1])).boxes.tolist() == [list(kept("right").box)]


def test_a_film_is_as_infected_as_its_likelier_lung_and_clear_only_where_both_are() -> None:
    infected, certain = np.array([0, 1, 0, 0, 0, 0], bool), np.array([0, 1, 1, 1, 1, 0], bool)
    given = LungPictures.of([kept("left", f"film-{number // 2}") for number in range(6)])
    given = LungPictures(**{**vars(given), "infected": infected, "certain": certain})
    films = JudgedFilms.of(np.array([1.0, -1.0, -3.0, -2.0, 0.5, 0.0]), given)
    assert films.logits.tolist() == [1.0, -2.0, 0.5]
    assert films.infected.tolist() == [True, False, False]
    assert films.certain.tolist() == [True, True, False]
    assert films.only(films.certain).patients.tolist() == ["patient", "patient"]

"""A picture that shows the chest mirrored is told by its heart, and a note says so."""

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.cxr.radiographs import mirrored, phantom, radiograph_of

from pneumoscreen.case import SIDES, Vector
from pneumoscreen.cxr.mirrored import NOTE, asymmetry, mirror_notes, uprightness
from pneumoscreen.images import read_radiograph_file
from pneumoscreen.images.radiograph import Radiograph

SEEDS = range(1, 9)
FILMS = 16


def turned(boxes: dict[str, Vector], width: int) -> dict[str, Vector]:
    """The boxes in the mirror image: what lies on the picture's right is still called the left lung."""
    other = dict(zip(SIDES, reversed(SIDES), strict=True))
    return {side: (width - x - w, y, w, h) for side in SIDES for x, y, w, h in [boxes[other[side]]]}


def phantom_of(seed: int) -> tuple[Radiograph, dict[str, Vector]]:
    made = phantom(seed, "healthy")
    return made.radiograph, {side: tuple(map(float, box)) for side, box in made.lung_boxes.items()}


@pytest.mark.parametrize("seed", SEEDS)
def test_the_mirror_image_is_the_opposite(seed: int) -> None:
    radiograph, boxes = phantom_of(seed)
    image = mirrored(radiograph)
    in_image = turned(boxes, radiograph.pixels.shape[1])
    # Not quite: parts of such a small picture are means of whole pixels, which lie otherwise from the other side.
    assert uprightness(image, in_image) == pytest.approx(-uprightness(radiograph, boxes), rel=0.15)


def test_mirrored_phantoms_are_noted_and_upright_ones_are_not() -> None:
    notes = [(mirror_notes(r, b), mirror_notes(mirrored(r), turned(b, r.pixels.shape[1]))) for r, b in
             map(phantom_of, SEEDS)]  # fmt: skip
    assert sum(bool(upright) for upright, _ in notes) == 0
    assert all(image == (NOTE,) for _, image in notes)


def test_only_the_lungs_rectangle_is_looked_at() -> None:
    radiograph, boxes = phantom_of(1)
    x0 = round(min(box[0] for box in boxes.values()))
    pixels = radiograph.pixels.copy()
    pixels[:, : max(x0 - 1, 0)] = 1.0
    np.testing.assert_array_equal(asymmetry(replace(radiograph, pixels=pixels), boxes), asymmetry(radiograph, boxes))


def test_an_even_picture_is_not_noted() -> None:
    boxes = {"left": (60.0, 10.0, 30.0, 70.0), "right": (10.0, 10.0, 30.0, 70.0)}
    assert mirror_notes(radiograph_of(np.full((96, 100), 0.5)), boxes) == ()


def films(folder: Path) -> Iterator[tuple[Radiograph, dict[str, Vector]]]:
    """The first films of known boxes of DarkCovidNet's set, one a patient."""
    patients = set()
    with (folder / "index.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["set"] != "darkcovidnet" or not row["left_lung_box"] or row["patient"] in patients:
                continue
            patients.add(row["patient"])
            boxes = {side: tuple(map(float, row[f"{side}_lung_box"].split())) for side in SIDES}
            yield read_radiograph_file(folder / row["path"]), boxes
            if len(patients) == FILMS:
                return


def test_mirrored_films_are_noted(shared_data: Path) -> None:
    folder = shared_data / "cxr"
    if not (folder / "index.csv").is_file():
        pytest.skip("no real X-rays here")
    found = list(films(folder))
    assert len(found) == FILMS
    assert sum(bool(mirror_notes(film, boxes)) for film, boxes in found) <= 1
    images = [(mirrored(film), turned(boxes, film.pixels.shape[1])) for film, boxes in found]
    assert sum(bool(mirror_notes(film, boxes)) for film, boxes in images) >= 0.75 * FILMS

"""Small radiographs for the tests of the X-ray trainings."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pneumoscreen.cxr.truth import LabelledRadiograph
from pneumoscreen.images.radiograph import Radiograph

BOXES = {"left": (110.0, 30.0, 60.0, 90.0), "right": (24.0, 20.0, 50.0, 96.0)}
CONTENT = (12, 8, 176, 140)


def labelled(
    label: str = "covid19", sides: dict[str, bool] | None = None, seed: int = 0, boxes: bool = True
) -> LabelledRadiograph:
    """A picture without any symmetry, 200 x 160, in a black border, and what is known of it."""
    x, y, w, h = CONTENT
    pixels = np.zeros((160, 200), np.float32)
    noise = np.kron(np.random.default_rng(seed).uniform(0.2, 0.9, (20, 25)), np.ones((8, 8)))
    pixels[y : y + h, x : x + w] = noise[y : y + h, x : x + w]
    radiograph = Radiograph(pixels, (0.5, 0.5), CONTENT, "chest", Path("chest.png"), "0" * 64)
    return LabelledRadiograph(radiograph, "p1", BOXES if boxes else {}, label, sides or {})


def quiet(line: str) -> None:
    """Says nothing."""
    del line


def bright_box(mask: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    """Centre x, centre y, w, h, as shares, of the box around what is set in [y, x]."""
    rows, columns = np.nonzero(mask)
    height, width = mask.shape
    left, right, top, bottom = columns.min(), columns.max() + 1, rows.min(), rows.max() + 1
    return (
        (left + right) / 2 / width,
        (top + bottom) / 2 / height,
        (right - left) / width,
        (bottom - top) / height,
    )

"""Whether a picture can be a frontal chest X-ray at all: no negative, no slice of a CT.

Only what is far from every real radiograph at hand is refused (1,271 of several hospitals and journals); a picture
that passes need not be a chest.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .faults import NotRadiographError

# The mean of 1,124 frontal radiographs (DarkCovidNet's set) of mean 0 and deviation 1, as 8 rows from the neck down
# and 4 columns from the side to the middle; the other half is its mirror image.
_HALF = np.array([
    [-2.28, -1.95, -1.29, 0.06],
    [-0.53, -0.27, -0.70, -0.15],
    [0.20, -0.01, -1.10, -0.19],
    [0.10, -0.09, -0.98, 0.26],
    [-0.22, -0.05, -0.34, 0.84],
    [-0.50, 0.27, 0.55, 1.33],
    [-0.76, 0.72, 1.34, 1.75],
    [-0.83, 1.04, 1.76, 2.02],
])  # fmt: skip
_USUAL = np.concatenate([_HALF, _HALF[:, ::-1]], axis=1)
# Correlation with it: -0.09 to 0.97 on the real radiographs, the least of them stored upside down; of their
# negatives 98.7 % lie below -0.3.
_LEAST_LIKENESS = -0.3
# A slice of a CT is a body with air all around. The least dark side is dark over at most 0.44 of its length in the real
# radiographs, over more than 0.55 in two thirds of CT slices.
_GRID = 32
_CORNER = 4
_DARK = 0.12
_DARK_SIDE = 0.55
_DARK_CORNER = 0.5


def check_not_negative(name: str, thumbnail: NDArray[np.float64]) -> None:
    """Refuse a negative, which is dark where the body is dense.

    Args:
        name: of the file.
        thumbnail: ``standard_thumbnail`` of what lies inside the borders.

    Raises:
        NotRadiographError: if the picture is the opposite of a frontal chest X-ray.
    """
    if thumbnail_likeness(thumbnail) < _LEAST_LIKENESS:
        raise NotRadiographError(
            f"{name} is bright where a chest X-ray is dark: a negative, upside down, or no chest; "
            "give it upright, with dark lungs"
        )


def check_no_ct_slice(name: str, content: NDArray[np.float32]) -> None:
    """Refuse a picture of one CT slice.

    Args:
        name: of the file.
        content: [y, x] inside the borders, 0 to 1.

    Raises:
        NotRadiographError: if the body has air all around.
    """
    dark = _thumbnail(content, _GRID) < _DARK
    sides = [dark[0], dark[-1], dark[:, 0], dark[:, -1]]
    first, last = slice(_CORNER), slice(-_CORNER, None)
    corners = [dark[rows, columns] for rows in (first, last) for columns in (first, last)]
    if min(side.mean() for side in sides) > _DARK_SIDE and min(c.mean() for c in corners) > _DARK_CORNER:
        raise NotRadiographError(f"{name} is dark all around, as a slice of a CT is; give the chest X-ray")


def likeness(content: NDArray[np.float32]) -> float:
    """Correlation, -1 to 1, of the coarse brightness [y, x] with that of the usual frontal chest X-ray."""
    return thumbnail_likeness(standard_thumbnail(content))


def thumbnail_likeness(thumbnail: NDArray[np.float64]) -> float:
    """The likeness of a picture by its ``standard_thumbnail``; that of a turned picture is the turned thumbnail's."""
    return float((thumbnail * standard(_USUAL)).mean())


def standard_thumbnail(content: NDArray[np.float32]) -> NDArray[np.float64]:
    """Brightness of 8 x 8 parts of the picture, of mean 0 and deviation 1; 0 where the picture is even."""
    return standard(_thumbnail(content, len(_USUAL)).astype(np.float64))


def standard(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The values less their mean, by their deviation."""
    values = values - values.mean()
    deviation = float(values.std())
    return values / deviation if deviation else values


def _thumbnail(content: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Mean brightness of side x side parts of the picture."""
    return np.asarray(Image.fromarray(np.ascontiguousarray(content)).resize((side, side), Image.Resampling.BOX))

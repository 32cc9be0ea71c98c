"""Lungs of X-rays that readers judged, kept with their surroundings so that every copy can be cut anew (ours)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...case import Vector
from ...models.atomic_files import write_arrays
from ..localization import LocalizationSettings
from ..sampling import cut
from .lung_variation import LungCopy, LungVariation, lung_copy

SIZE = (320, 640)
"""Width and height of a kept picture, in pixels."""
SURROUNDINGS = 0.3
"""What is kept around the box of a lung, on each side, as a share of it: no variation reaches further."""


class LungPicture(NamedTuple):
    """A lung with what readers said of it.

    Attributes:
        pixels: uint8 [height, width] of ``SIZE``, the left lung mirrored.
        opacity: uint8 [height, width], 255 where readers drew an opacity.
        box: of the lung, x, y, w, h in pixels of the picture.
        infected: whether it has an opacity.
        certain: whether it is infected, or was called clear by a reader.
        weight: how much it counts.
        film: whose lung it is; the lungs of a film stand beside each other.
        patient: likewise.
    """

    pixels: NDArray[np.uint8]
    opacity: NDArray[np.uint8]
    box: Vector
    infected: bool
    certain: bool
    weight: float
    film: str
    patient: str


@dataclass(frozen=True)
class LungPictures:
    """Many lungs; the attributes are those of ``LungPicture``, one row a lung."""

    pixels: NDArray[np.uint8]
    opacity: NDArray[np.uint8]
    boxes: NDArray[np.float64]
    infected: NDArray[np.bool_]
    certain: NDArray[np.bool_]
    weights: NDArray[np.float64]
    films: NDArray[np.str_]
    patients: NDArray[np.str_]

    @classmethod
    def of(cls, lungs: Iterable[LungPicture]) -> "LungPictures":
        """These lungs."""
        return cls(*(np.array(column) for column in zip(*lungs, strict=True)))

    @classmethod
    def kept(cls, path: Path, make: Callable[[], Iterable[LungPicture]]) -> "LungPictures":
        """The lungs that a file holds; they are made and written where it is not there."""
        if not path.is_file():
            write_arrays(path, vars(cls.of(make())), is_compressed=True)
        return cls.read(path)

    @classmethod
    def read(cls, path: Path) -> "LungPictures":
        """The lungs that a file holds."""
        with np.load(path) as held:
            return cls(**{name: held[name] for name in held.files})

    def __len__(self) -> int:
        """How many lungs there are."""
        return len(self.infected)

    def only(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> "LungPictures":
        """The lungs of these rows."""
        return LungPictures(**{name: values[rows] for name, values in vars(self).items()})

    def joined(self, other: "LungPictures") -> "LungPictures":
        """These lungs and others behind them."""
        both = {name: np.concatenate([values, getattr(other, name)]) for name, values in vars(self).items()}
        return LungPictures(**both)

    def copy(
        self,
        row: int,
        network: LocalizationSettings,
        variation: LungVariation | None = None,
        generator: np.random.Generator | None = None,
    ) -> LungCopy:
        """A lung as a network of these settings sees it, varied or as it is."""
        pixels, opacity = (part[row].astype(np.float32) / 255.0 for part in (self.pixels, self.opacity))
        box = tuple(self.boxes[row].tolist())
        # All are kept as right lungs: the left ones were mirrored before.
        return lung_copy(pixels, opacity, box, "right", network, variation, generator)


def lung_picture(
    pixels: NDArray[np.float32], opacity: NDArray[np.float32], box: Vector, side: str
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], Vector]:
    """Pixels, opacity and box of a ``LungPicture``.

    Args:
        pixels: float32 [y, x] of the X-ray, in 0 to 1.
        opacity: float32 [y, x], 1 inside what readers drew.
        box: of the lung, x, y, w, h in pixels of the X-ray.
        side: the patient's.
    """
    x, y, width, height = box
    rows, columns = pixels.shape
    x0, y0 = max(0.0, x - width * SURROUNDINGS), max(0.0, y - height * SURROUNDINGS)
    x1 = min(float(columns), x + width * (1.0 + SURROUNDINGS))
    y1 = min(float(rows), y + height * (1.0 + SURROUNDINGS))
    region = (x0, y0, x1 - x0, y1 - y0)
    parts = [np.round(cut(part, region, SIZE) * 255.0).astype(np.uint8) for part in (pixels, opacity)]
    across, down = SIZE[0] / region[2], SIZE[1] / region[3]
    left = (x - x0) * across
    if side == "left":
        parts = [np.ascontiguousarray(part[:, ::-1]) for part in parts]
        left = SIZE[0] - left - width * across
    return parts[0], parts[1], (left, (y - y0) * down, width * across, height * down)


@dataclass(frozen=True)
class JudgedFilms:
    """Films by their likelier lung.

    Attributes:
        logits: float64 [m].
        infected: bool [m], whether a lung is.
        certain: bool [m]: infected, or all lungs called clear by a reader.
        patients: of each film.
    """

    logits: NDArray[np.float64]
    infected: NDArray[np.bool_]
    certain: NDArray[np.bool_]
    patients: NDArray[np.str_]

    @classmethod
    def of(cls, logits: NDArray[np.float64], lungs: LungPictures) -> "JudgedFilms":
        """The films of lungs with these logits [n]."""
        names, first, owner = np.unique(lungs.films, return_index=True, return_inverse=True)
        largest, infected = np.full(len(names), -np.inf), np.zeros(len(names), dtype=bool)
        np.maximum.at(largest, owner, logits)
        np.logical_or.at(infected, owner, lungs.infected)
        certain = np.ones(len(names), dtype=bool)
        np.logical_and.at(certain, owner, lungs.certain)
        return cls(largest, infected, infected | certain, lungs.patients[first])

    def only(self, rows: NDArray[np.bool_]) -> "JudgedFilms":
        """The films of these rows."""
        return JudgedFilms(**{name: values[rows] for name, values in vars(self).items()})

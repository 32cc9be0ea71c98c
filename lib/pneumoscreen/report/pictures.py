"""Grey-scale pictures of a CT as data URIs: slices, patches and projections through the lungs.

Pictures carry no drawing: outlines and boxes are laid over them as SVG, which stays crisp at any size
and costs next to nothing. All follow the radiological convention, patient's right on the left.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..images.volume import Volume

LUNG_WINDOW_HU = (-1350.0, 150.0)
"""The usual lung window, width 1500 at level -600."""

LUNG_MEAN_WINDOW_HU = (-960.0, -480.0)
"""Ours: the mean along a ray inside the lungs lies far below that of a slice; this window spans healthy to dense."""

BODY_MEAN_WINDOW_HU = (-900.0, 350.0)
"""Ours: keeps the rest of the body a dim frame around the lungs."""

OPAQUE_LUNG_MM = 25.0
"""Ours: depth of lung along a ray from which on the lung alone is shown and the body no longer shines through."""

OPAQUE_INFECTION_MM = 20.0
"""Ours: depth of infection along a ray at which its tint is strongest."""

INFECTION_TINT = (255, 201, 71)
MARGIN_MM = 10.0


@dataclass(frozen=True)
class Frame:
    """The part of a plane that a picture shows, and where its voxels lie in it.

    Attributes:
        rows: first and one past the last voxel along the picture's height.
        columns: the same along its width.
        row_mm: spacing along the height.
        column_mm: spacing along the width.
        upside_down: the array's first row is the picture's lowest (a coronal picture: feet first in the array).
    """

    rows: tuple[int, int]
    columns: tuple[int, int]
    row_mm: float
    column_mm: float
    upside_down: bool = False

    @property
    def width_mm(self) -> float:
        """Width of the picture."""
        return (self.columns[1] - self.columns[0]) * self.column_mm

    @property
    def height_mm(self) -> float:
        """Height of the picture."""
        return (self.rows[1] - self.rows[0]) * self.row_mm

    def point(self, row: float, column: float) -> tuple[float, float]:
        """Continuous index (row, column) as (x, y) mm from the picture's upper left corner."""
        y = (row - self.rows[0] + 0.5) * self.row_mm
        return (column - self.columns[0] + 0.5) * self.column_mm, self.height_mm - y if self.upside_down else y

    def crop(self, plane: NDArray[np.generic]) -> NDArray[np.generic]:
        """The part of a plane that the picture shows, its rows from top to bottom."""
        part = plane[slice(*self.rows), slice(*self.columns)]
        return part[::-1] if self.upside_down else part

    def pixels(self, long_side: int) -> tuple[int, int]:
        """Width and height in square pixels of a picture whose longer side has that many."""
        scale = long_side / max(self.width_mm, self.height_mm)
        return max(1, round(self.width_mm * scale)), max(1, round(self.height_mm * scale))


def to_grey(values: NDArray[np.generic], window: tuple[float, float]) -> NDArray[np.uint8]:
    """Grey levels 0..255 of values, black at the window's lower end and white at its upper."""
    low, high = window
    scaled = (values.astype(np.float32) - low) * (255.0 / (high - low))
    return np.clip(scaled, 0.0, 255.0).astype(np.uint8)


def data_uri(pixels: NDArray[np.uint8], size: tuple[int, int], quality: int = 84) -> str:
    """Grey [h, w] or colour [h, w, 3] pixels, resampled to (width, height), as a JPEG data URI."""
    image = Image.fromarray(np.ascontiguousarray(pixels))
    if image.size != size:
        image = image.resize(size, Image.Resampling.BICUBIC)
    return encoded(image, "jpeg", quality=quality, subsampling=0)


def encoded(image: Image.Image, kind: str, **options: Any) -> str:
    """A picture as a data URI.

    Args:
        image: the picture.
        kind: ``jpeg`` or ``png``.
        options: what Pillow may be told on saving.
    """
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return f"data:image/{kind};base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def slice_picture(volume: Volume, z: int, frame: Frame, long_side: int) -> str:
    """A canonical axial slice in the lung window, cut to a frame, as a data URI."""
    return data_uri(to_grey(frame.crop(volume.hu[z]), LUNG_WINDOW_HU), frame.pixels(long_side))


def axial_frame(volume: Volume, rows: tuple[float, float], columns: tuple[float, float], margin_mm: float) -> Frame:
    """The frame of an axial picture around index intervals, with a margin, clipped to the volume."""
    _, height, width = volume.hu.shape
    x_mm, y_mm, _ = volume.spacing_mm
    return Frame(_clip(rows, margin_mm / y_mm, height), _clip(columns, margin_mm / x_mm, width), y_mm, x_mm)


def lung_frames(volume: Volume, lungs: NDArray[np.uint8]) -> tuple[Frame, Frame]:
    """Axial and coronal frame around both lungs, or around the whole volume where there are none."""
    z, y, x = (_extent(lungs, axis) for axis in range(3))
    axial = axial_frame(volume, y, x, MARGIN_MM)
    x_mm, _, z_mm = volume.spacing_mm
    levels = _clip(z, MARGIN_MM / z_mm, volume.hu.shape[0])
    return axial, Frame(levels, axial.columns, z_mm, x_mm, upside_down=True)


@dataclass(frozen=True)
class Projections:
    """Mean density through the lungs with the infection tinted, as data URIs."""

    coronal: str
    axial: str


def project(
    volume: Volume, lungs: NDArray[np.uint8], infection: NDArray[np.bool_], axial: Frame, coronal: Frame, long_side: int
) -> Projections:
    """Look through the patient from the front and from the feet.

    Ours: inside the lungs a picture shows the mean HU of lung along the ray, so that disease stands out as in a
    radiograph from which ribs, heart and spine are taken away; the body around it stays as a dim frame.

    Args:
        volume: the scan.
        lungs: labels [z, y, x], 0 outside.
        infection: infected voxels [z, y, x].
        axial: frame of the view from the feet.
        coronal: frame of the view from the front.
        long_side: pixels of each picture's longer side.
    """
    first, last = coronal.rows
    window = slice(*axial.rows), slice(*axial.columns)
    width = axial.columns[1] - axial.columns[0]
    from_front = _Rays(last - first, width)
    from_feet = _Rays(axial.rows[1] - axial.rows[0], width)
    for row, z in enumerate(range(first, last)):  # slice by slice: the memory of a slice, however long the scan
        hu = volume.hu[z][window].astype(np.float32)
        mask = lungs[z][window] > 0
        planes = (hu, np.where(mask, hu, np.float32(0.0)), mask, infection[z][window])
        from_front.add(row, [plane.sum(axis=0, dtype=np.float32) for plane in planes])
        from_feet.add(slice(None), planes)
    _, y_mm, z_mm = volume.spacing_mm
    front = from_front.picture(y_mm, axial.rows[1] - axial.rows[0])[::-1]
    feet = from_feet.picture(z_mm, last - first)
    return Projections(data_uri(front, coronal.pixels(long_side)), data_uri(feet, axial.pixels(long_side)))


class _Rays:
    """Sums along parallel rays: HU of everything and of lung, and the voxels of lung and of infection."""

    def __init__(self, rows: int, columns: int) -> None:
        self.sums = np.zeros((4, rows, columns), dtype=np.float32)

    def add(self, at: int | slice, planes: Sequence[NDArray[np.generic]]) -> None:
        for total, plane in zip(self.sums, planes, strict=True):
            total[at] += plane

    def picture(self, depth_mm: float, voxels: int) -> NDArray[np.uint8]:
        body, lung, lung_depth, infected = self.sums
        outside = to_grey(body / voxels, BODY_MEAN_WINDOW_HU).astype(np.float32) * 0.45
        inside = to_grey(lung / np.maximum(lung_depth, 1.0), LUNG_MEAN_WINDOW_HU).astype(np.float32)
        opacity = np.clip(lung_depth * (depth_mm / OPAQUE_LUNG_MM), 0.0, 1.0)
        grey = outside + (inside - outside) * opacity
        tint = 0.6 * np.clip(infected * (depth_mm / OPAQUE_INFECTION_MM), 0.0, 1.0)[..., None]
        colour = grey[..., None] * (1.0 - tint) + np.asarray(INFECTION_TINT, dtype=np.float32) * tint
        return np.clip(colour, 0.0, 255.0).astype(np.uint8)


def _extent(labels: NDArray[np.uint8], axis: int) -> tuple[float, float]:
    others = tuple(other for other in range(3) if other != axis)
    filled = np.flatnonzero(labels.any(axis=others))
    return (float(filled[0]), float(filled[-1])) if filled.size else (0.0, labels.shape[axis] - 1.0)


def _clip(interval: tuple[float, float], margin: float, size: int) -> tuple[int, int]:
    low = min(max(int(np.floor(interval[0] - margin + 0.5)), 0), size - 1)
    return low, max(min(int(np.ceil(interval[1] + margin + 0.5)), size), low + 1)

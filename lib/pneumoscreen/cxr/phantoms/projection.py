"""Shadows: where the parts of a chest fall on the picture, and how much each ray meets of them.

Ours: rays run parallel from back to front (along y), so that a part's shadow is its extent along y. Tubes (ribs,
vessels, wires) are summed in Fourier space: the shadow of a thin line, convolved with a disc of the tube's radius,
is exactly the shadow of the tube, steep parts included.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage, special

from ...phantoms.vessels import Tubes
from .upright import Array

PAD = 48
RADII = 7


@dataclass(frozen=True)
class View:
    """Where the plate stands: size (width, height) in pixels, pixel in mm, world (x, z) of its middle, tilt in rad."""

    width: int
    height: int
    pixel_mm: float
    center: tuple[float, float]
    tilt: float

    def to_pixels(self, x: NDArray[np.float64], z: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        """Columns and rows (0 = middle of the first pixel) of world points in mm."""
        cos, sin = np.cos(self.tilt), np.sin(self.tilt)
        dx, dz = x - self.center[0], z - self.center[1]
        column = (cos * dx + sin * dz) / self.pixel_mm + (self.width - 1) / 2
        row = -(cos * dz - sin * dx) / self.pixel_mm + (self.height - 1) / 2
        return column, row

    def world(self) -> tuple[Array, Array]:
        """World x and z of every pixel, mm, both [y, x]."""
        cos, sin = np.float32(np.cos(self.tilt)), np.float32(np.sin(self.tilt))
        right = ((np.arange(self.width, dtype=np.float32) - (self.width - 1) / 2) * self.pixel_mm)[None, :]
        up = (((self.height - 1) / 2 - np.arange(self.height, dtype=np.float32)) * self.pixel_mm)[:, None]
        x, z = cos * right - sin * up + self.center[0], sin * right + cos * up + self.center[1]
        return x.astype(np.float32), z.astype(np.float32)

    def sample(self, plane: Array, x: Array, z: Array, order: int = 1) -> Array:
        """A map [z, x] on evenly spaced world axes x and z, looked up at every pixel; 0 outside it."""
        cos, sin = np.cos(self.tilt), np.sin(self.tilt)
        step_x, step_z = float(x[1] - x[0]), float(z[1] - z[0])
        # Rows of the matrix: how z and x of the map follow from row and column of the picture.
        scale = np.array([[-cos / step_z, sin / step_z], [sin / step_x, cos / step_x]]) * self.pixel_mm
        middle = np.array([(self.center[1] - z[0]) / step_z, (self.center[0] - x[0]) / step_x])
        offset = middle - scale @ np.array([(self.height - 1) / 2, (self.width - 1) / 2])
        shape = (self.height, self.width)
        return ndimage.affine_transform(plane, scale, offset, output_shape=shape, order=order, output=np.float32)


class Shadows:
    """Collects tubes and gives their common shadow."""

    def __init__(self, view: View) -> None:
        self.view = view
        self._parts: list[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]] = []

    def add_path(self, points: NDArray[np.float64], radius: float, density: float) -> None:
        """A bent tube through points [n, 3] (LPS mm); density in mm of water for each mm of its chord."""
        start, end = points[:-1], points[1:]
        self.add_tubes(Tubes(start, end, np.full(len(start), radius)), density)

    def add_tubes(self, tubes: Tubes, density: float) -> None:
        """Straight tubes."""
        length = np.linalg.norm(tubes.end - tubes.start, axis=1)
        pieces = np.maximum(1, np.ceil(length / self.view.pixel_mm)).astype(int)
        which = np.repeat(np.arange(len(tubes)), pieces)
        along = (np.arange(len(which)) - np.repeat(np.cumsum(pieces) - pieces, pieces) + 0.5) / pieces[which]
        points = tubes.start[which] + along[:, None] * (tubes.end - tubes.start)[which]
        self._parts.append((points, tubes.radius[which], density * (length / pieces)[which]))

    def render(self, sharp_mm: float) -> Array:
        """Path through all tubes, mm of water [y, x], blurred by a spot of ``sharp_mm``."""
        view = self.view
        points, radius, mass = (np.concatenate([part[i] for part in self._parts]) for i in range(3))
        column, row = view.to_pixels(points[:, 0], points[:, 2])
        column, row = column + PAD, row + PAD
        width = fft.next_fast_len(view.width + 2 * PAD, real=True)
        height = fft.next_fast_len(view.height + 2 * PAD)
        seen = (column > 0) & (row > 0) & (column < width - 1) & (row < height - 1)
        column, row, radius, mass = column[seen], row[seen], radius[seen], mass[seen]
        waves = 2 * np.pi * np.hypot(fft.fftfreq(height)[:, None], fft.rfftfreq(width)[None, :]) / view.pixel_mm
        waves = np.maximum(waves, 1e-6).astype(np.float32)
        total = np.zeros(waves.shape, np.complex64)
        levels = np.unique(np.quantile(radius, np.linspace(0.0, 1.0, RADII), method="nearest"))
        middle = (levels[1:] + levels[:-1]) / 2
        kinds = np.searchsorted(middle, radius)
        for kind, level in enumerate(levels):
            of_kind = kinds == kind
            lines = _deposit(column[of_kind], row[of_kind], mass[of_kind], (height, width))
            disc = 2 * np.pi * level * special.j1(waves * np.float32(level)) / waves
            total += fft.rfft2(lines) * disc.astype(np.float32)
        total *= np.exp(-0.5 * (waves * np.float32(sharp_mm)) ** 2)
        shadow = fft.irfft2(total, (height, width)) / view.pixel_mm**2
        return shadow[PAD : PAD + view.height, PAD : PAD + view.width]


def _deposit(
    column: NDArray[np.float64], row: NDArray[np.float64], mass: NDArray[np.float64], shape: tuple[int, int]
) -> Array:
    """The mass of points, shared by the four pixels around each."""
    left, top = np.floor(column).astype(int), np.floor(row).astype(int)
    right_share, low_share = column - left, row - top
    flat = np.zeros(shape[0] * shape[1])
    for dx, wx in ((0, 1 - right_share), (1, right_share)):
        for dy, wy in ((0, 1 - low_share), (1, low_share)):
            flat += np.bincount((top + dy) * shape[1] + left + dx, mass * wx * wy, len(flat))
    return flat.reshape(shape).astype(np.float32)


def chord(squared: Array) -> Array:
    """Chord through a unit ball at the squared distance from its middle, 0 outside: 2 at the middle."""
    return 2.0 * np.sqrt(np.maximum(1.0 - squared, 0.0))


def capsule(x: Array, z: Array, start: tuple[float, float], end: tuple[float, float], radius: float) -> Array:
    """Chord in mm through a rounded cylinder between two world points (x, z), at every pixel."""
    dx, dz = end[0] - start[0], end[1] - start[1]
    along = np.clip(((x - start[0]) * dx + (z - start[1]) * dz) / max(dx * dx + dz * dz, 1e-6), 0.0, 1.0)
    squared = (x - start[0] - along * dx) ** 2 + (z - start[1] - along * dz) ** 2
    return (radius * chord(squared / radius**2)).astype(np.float32)

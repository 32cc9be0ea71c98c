"""The model of one lesion and how it is painted; what each kind looks like stands in ``lesion_kinds``."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .lesion_textures import air_bronchogram, septal_net

SEPTA_HU = 300.0
BRONCHUS_HU = -880.0
LUNG_HU = -865.0
FILLED_HU = 20.0


@dataclass(frozen=True)
class Blob:
    """One soft ellipsoid of a lesion: centre and radii (x, y, z in mm), axes as columns of a rotation."""

    center: NDArray[np.float64]
    radii: NDArray[np.float64]
    axes: NDArray[np.float64]


@dataclass(frozen=True)
class LesionModel:
    """Everything that is needed to paint one lesion.

    Attributes:
        label: class of the lesion.
        kind: what it is in words, for the truth table.
        blobs: soft ellipsoids, their union is the lesion.
        hu: HU of its periphery.
        core_hu: HU of its core: above ``hu`` for consolidation with a halo, below it for a reversed halo.
        core: share of the lesion's depth at which the core begins; 1 for no core.
        edge_mm: width over which it fades.
        roughness: 0 for smooth outlines, 1 for very ragged.
        waves: directions and phases of the outline's irregularity.
        septa: how thick and dense the septa between lobules show, 0 to 1 (crazy paving).
        bronchi_mm: radius of open airways seen inside (air bronchogram); 0 for none.
        texture: seed of septa and airways.
        uneven_hu: how much its density varies from place to place.
    """

    label: str
    kind: str
    blobs: tuple[Blob, ...]
    hu: float
    core_hu: float
    core: float
    edge_mm: float
    roughness: float
    waves: NDArray[np.float64]
    septa: float = 0.0
    bronchi_mm: float = 0.0
    texture: int = 0
    uneven_hu: float = 0.0

    @property
    def center(self) -> NDArray[np.float64]:
        """Centre of the first blob, LPS mm."""
        return self.blobs[0].center

    @property
    def bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Corners of a box, LPS mm, that holds all that is painted."""
        reach = [np.abs(b.axes) @ b.radii * 1.5 + self.edge_mm for b in self.blobs]
        low = np.min([b.center - r for b, r in zip(self.blobs, reach, strict=True)], axis=0)
        high = np.max([b.center + r for b, r in zip(self.blobs, reach, strict=True)], axis=0)
        return low, high

    def render(
        self, x: NDArray[np.float32], y: NDArray[np.float32], z: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Opacity in [0, 1] and HU on the grid of three 1-D coordinate axes (mm); both [z, y, x]."""
        gx, gy, gz = x[None, None, :], y[None, :, None], z[:, None, None]
        depth = np.full((len(z), len(y), len(x)), -np.inf, np.float32)
        for blob in self.blobs:
            depth = np.maximum(depth, self._blob_depth(blob, gx, gy, gz))
        uneven = self._irregularity(gx, gy, gz)
        depth += np.float32(self.roughness) * uneven * np.float32(self._size())
        opacity = np.clip(depth / np.float32(self.edge_mm) + np.float32(0.5), 0.0, 1.0)
        inner = depth / np.float32(max(self._size(), 1e-3))
        mix = np.clip((inner - np.float32(self.core)) / np.float32(0.15), 0.0, 1.0)
        hu = np.float32(self.hu) + mix * np.float32(self.core_hu - self.hu)
        if self.uneven_hu:
            # Another pattern than the outline's: the same waves, turned about.
            hu = hu + np.float32(self.uneven_hu) * self._irregularity(gz + gx, gx - gy, gy)
        hu = np.minimum(hu, np.float32(self._highest()))
        return opacity, self._textured(hu, opacity, (x, y, z))

    def _highest(self) -> float:
        return max(self.core_hu, self.hu, 60.0)

    def _textured(
        self,
        hu: NDArray[np.float32],
        opacity: NDArray[np.float32],
        axes: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]],
    ) -> NDArray[np.float32]:
        if not (self.septa or self.bronchi_mm):
            return hu
        seen = np.argwhere(opacity > 0.05)
        if not len(seen):
            return hu
        at = tuple(seen.T)
        points = np.stack([axes[0][at[2]], axes[1][at[1]], axes[2][at[0]]], axis=1) - self.center
        values = hu[at]
        if self.septa:
            values = values + np.float32(SEPTA_HU * self.septa) * septal_net(points, self.texture)
            values = np.minimum(values, np.float32(self._highest()))
        if self.bronchi_mm:
            share = air_bronchogram(points, self._size(), self.bronchi_mm, self.texture)
            values = values + share * (np.float32(BRONCHUS_HU) - values)
        hu[at] = values
        return hu

    def _size(self) -> float:
        return float(min(self.blobs[0].radii))

    @staticmethod
    def _blob_depth(
        blob: Blob, gx: NDArray[np.float32], gy: NDArray[np.float32], gz: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        dx, dy, dz = gx - blob.center[0], gy - blob.center[1], gz - blob.center[2]
        total = np.zeros((), np.float32)
        for axis, radius in zip(blob.axes.T, blob.radii, strict=True):
            total = total + ((dx * axis[0] + dy * axis[1] + dz * axis[2]) / radius) ** 2
        return ((1.0 - np.sqrt(total)) * min(blob.radii)).astype(np.float32)

    def _irregularity(
        self, gx: NDArray[np.float32], gy: NDArray[np.float32], gz: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        total = np.zeros((), np.float32)
        for kx, ky, kz, phase in self.waves:
            total = total + np.sin(kx * gx + ky * gy + kz * gz + phase)
        return (total / np.sqrt(len(self.waves))).astype(np.float32)


def laid_over(lung: NDArray[np.float32], opacity: NDArray[np.float32], hu: NDArray[np.float32]) -> NDArray[np.float32]:
    """HU of lung with a lesion in it: air is replaced, vessels and the texture of the lung stay visible.

    Args:
        lung: HU without the lesion.
        opacity: of the lesion, 0 to 1.
        hu: of the lesion where it replaces all air.
    """
    air = np.clip((FILLED_HU - lung) / (FILLED_HU - LUNG_HU), 0.0, 1.0)
    return np.asarray(np.maximum(lung, lung + opacity * air * (hu - np.float32(LUNG_HU))), dtype=np.float32)


def oriented(normal: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """A rotation whose first axis is the given direction; the others turn at random about it."""
    first = normal / max(float(np.linalg.norm(normal)), 1e-9)
    other = rng.normal(size=3)
    second = other - (other @ first) * first
    second /= max(float(np.linalg.norm(second)), 1e-9)
    return np.stack([first, second, np.cross(first, second)], axis=1)


def place(lesion: LesionModel, center: NDArray[np.float64], axes: NDArray[np.float64]) -> LesionModel:
    """The lesion with its first blob at ``center`` (LPS mm) and its own axes turned to ``axes``."""
    return replace(lesion, blobs=tuple(Blob(center + axes @ b.center, b.radii, axes @ b.axes) for b in lesion.blobs))

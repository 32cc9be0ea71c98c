"""Lesions of the phantoms: what the two infections look like, and what is irrelevant to infection.

After Xu et al. 2020, section 2.5.1 and discussion: COVID-19 shows ground glass, several foci, close to
the pleura; influenza-A lies more centrally, patchier and more consolidated, with fewer foci. Ours: the
distributions, which overlap on purpose, so that neither look nor place alone decides.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GROUND_GLASS_HU = -620.0
CONSOLIDATION_HU = -20.0


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
        core_hu: HU of its core.
        core: share of the lesion's depth at which the core begins; 1 for no core.
        edge_mm: width over which it fades.
        roughness: 0 for smooth outlines, 1 for very ragged.
        reticulation: depth of fine thick lines inside, 0 to 1.
        waves: directions and phases of the outline's irregularity.
    """

    label: str
    kind: str
    blobs: tuple[Blob, ...]
    hu: float
    core_hu: float
    core: float
    edge_mm: float
    roughness: float
    reticulation: float
    waves: NDArray[np.float64]

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
        depth += np.float32(self.roughness) * self._irregularity(gx, gy, gz) * np.float32(self._size())
        opacity = np.clip(depth / np.float32(self.edge_mm) + np.float32(0.5), 0.0, 1.0)
        inner = depth / np.float32(max(self._size(), 1e-3))
        mix = np.clip((inner - np.float32(self.core)) / np.float32(0.15), 0.0, 1.0)
        hu = np.float32(self.hu) + mix * np.float32(self.core_hu - self.hu)
        if self.reticulation:
            hu = hu + np.float32(260.0 * self.reticulation) * self._lines(gx, gy, gz)
        return opacity, np.minimum(hu, np.float32(max(self.core_hu, 60.0)))

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

    def _lines(self, gx: NDArray[np.float32], gy: NDArray[np.float32], gz: NDArray[np.float32]) -> NDArray[np.float32]:
        kx, ky, kz, phase = self.waves[0]
        net = np.sin(0.75 * gx + 4 * ky * gy + phase) * np.sin(0.7 * gy + 4 * kz * gz + kx)
        return np.clip((np.abs(net) - 0.62) / 0.3, 0.0, 1.0).astype(np.float32)


def draw_lesion(label: str, severity: float, rng: np.random.Generator) -> LesionModel:
    """Draw a lesion at the origin; ``place`` puts it where it belongs.

    Args:
        label: ``covid19``, ``influenza_a`` or ``irrelevant``.
        severity: 0 (early) to 1 (severe); widens infections.
        rng: source of randomness.
    """
    if label == "covid19":
        return _infection(label, severity, rng, consolidation=rng.beta(1.2, 3.6), patchy=rng.integers(1, 3))
    if label == "influenza_a":
        return _infection(label, severity, rng, consolidation=rng.beta(3.4, 1.3), patchy=rng.integers(3, 6))
    return _irrelevant(rng)


def _waves(rng: np.random.Generator, count: int = 7) -> NDArray[np.float64]:
    directions = rng.normal(size=(count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    frequency = 2 * np.pi / rng.uniform(9.0, 28.0, (count, 1))
    return np.concatenate([directions * frequency, rng.uniform(0, 2 * np.pi, (count, 1))], axis=1)


def _infection(label: str, severity: float, rng: np.random.Generator, consolidation: float, patchy: int) -> LesionModel:
    size = rng.uniform(7.5, 15.0) * (1.0 + 1.9 * severity * rng.uniform(0.4, 1.0))
    blobs = [Blob(np.zeros(3), size * np.array([rng.uniform(0.5, 0.8), 1.0, rng.uniform(0.8, 1.3)]), np.eye(3))]
    for _ in range(patchy - 1):
        direction = rng.normal(size=3)
        direction /= np.linalg.norm(direction)
        radii = size * rng.uniform(0.4, 0.75) * np.array([rng.uniform(0.6, 0.9), 1.0, 1.0])
        blobs.append(Blob(direction * size * rng.uniform(0.7, 1.15), radii, np.eye(3)))
    covid = label == "covid19"
    hu = GROUND_GLASS_HU + rng.normal(0.0, 60.0) + 260.0 * consolidation * rng.uniform(0.5, 1.0)
    return LesionModel(
        label=label,
        kind="ground glass" if consolidation < 0.35 else "mixed" if consolidation < 0.65 else "consolidation",
        blobs=tuple(blobs),
        hu=float(np.clip(hu, -740.0, -120.0)),
        core_hu=CONSOLIDATION_HU + rng.normal(0.0, 25.0),
        core=float(np.clip(1.05 - 1.25 * consolidation, 0.05, 1.2)),
        edge_mm=rng.uniform(3.0, 8.5) if covid else rng.uniform(2.0, 6.5),
        roughness=rng.uniform(0.08, 0.25) if covid else rng.uniform(0.12, 0.35),
        reticulation=rng.uniform(0.4, 1.0) if rng.random() < (0.55 if covid else 0.1) else 0.0,
        waves=_waves(rng),
    )


def _irrelevant(rng: np.random.Generator) -> LesionModel:
    kind = rng.choice(["fibrosis band", "calcified nodule", "dependent atelectasis"], p=[0.4, 0.3, 0.3])
    if kind == "calcified nodule":
        radius = rng.uniform(2.5, 5.5)
        radii, hu, core, edge = np.full(3, radius) * rng.uniform(0.8, 1.2, 3), rng.uniform(150, 650), 1.5, 1.0
    elif kind == "fibrosis band":
        radii = np.array([rng.uniform(1.3, 2.6), rng.uniform(14, 32), rng.uniform(5, 18)])
        hu, core, edge = rng.uniform(-250, 0), 1.5, 1.5
    else:
        radii = np.array([rng.uniform(3.0, 5.5), rng.uniform(22, 42), rng.uniform(20, 45)])
        hu, core, edge = rng.uniform(-420, -180), 1.5, 3.0
    return LesionModel(
        label="irrelevant",
        kind=str(kind),
        blobs=(Blob(np.zeros(3), radii, np.eye(3)),),
        hu=float(hu),
        core_hu=float(hu),
        core=core,
        edge_mm=edge,
        roughness=0.0 if kind == "calcified nodule" else 0.1,
        reticulation=0.0,
        waves=_waves(rng),
    )


def oriented(normal: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """A rotation whose first axis is the given direction; the others turn at random about it."""
    first = normal / max(float(np.linalg.norm(normal)), 1e-9)
    other = rng.normal(size=3)
    second = other - (other @ first) * first
    second /= max(float(np.linalg.norm(second)), 1e-9)
    return np.stack([first, second, np.cross(first, second)], axis=1)


def place(lesion: LesionModel, center: NDArray[np.float64], axes: NDArray[np.float64]) -> LesionModel:
    """The lesion with its first blob at ``center`` (LPS mm) and its own axes turned to ``axes``."""
    blobs = tuple(Blob(center + axes @ b.center, b.radii, axes @ b.axes) for b in lesion.blobs)
    return LesionModel(**{**lesion.__dict__, "blobs": blobs})

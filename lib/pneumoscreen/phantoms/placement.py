"""Where lesions lie in a lung: number, place and direction by diagnosis and severity.

Ours, after the paper's description (see ``lesion_kinds``). Distances are measured in the axial slice to the
edge of the lung, as the method's relative distance-from-edge is, so that location carries information.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .anatomy import Axes
from .lesion_kinds import Manifestation, draw_lesion
from .lesions import LesionModel, oriented, place


@dataclass(frozen=True)
class LungMap:
    """A coarse map of the lungs on which places are drawn.

    Attributes:
        labels: uint8 [z, y, x], 0 none, 1 left, 2 right.
        axes: 1-D coordinates (x, y, z), LPS mm.
        depth_mm: distance to the lungs' edge within the axial slice, [z, y, x].
        normal: unit direction away from the nearest edge, [3, z, y, x] (x, y, z).
    """

    labels: NDArray[np.uint8]
    axes: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
    depth_mm: NDArray[np.float32]
    normal: NDArray[np.float32]

    @classmethod
    def build(
        cls, labels: NDArray[np.uint8], axes: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
    ) -> "LungMap":
        """Measure the map of a label volume [z, y, x] on evenly spaced axes (x, y, z in mm)."""
        step_x, step_y = float(axes[0][1] - axes[0][0]), float(axes[1][1] - axes[1][0])
        depth = np.stack([ndimage.distance_transform_edt(plane, sampling=(step_y, step_x)) for plane in labels > 0])
        smooth = ndimage.gaussian_filter(depth, 1.0)
        gz, gy, gx = np.gradient(smooth)
        normal = np.stack([gx / step_x, gy / step_y, 0.0 * gz])
        normal /= np.maximum(np.linalg.norm(normal, axis=0, keepdims=True), 1e-6)
        return cls(labels, axes, depth.astype(np.float32), normal.astype(np.float32))

    def point(self, index: tuple[int, int, int]) -> NDArray[np.float64]:
        """LPS mm of an index (z, y, x) of the map."""
        z, y, x = index
        return np.array([self.axes[0][x], self.axes[1][y], self.axes[2][z]], dtype=np.float64)


def draw_lesions(
    diagnosis: str, lungs: LungMap, rng: np.random.Generator, manifestation: Manifestation = "drawn"
) -> list[LesionModel]:
    """All lesions of a case: the infection's and those that are irrelevant to it.

    Args:
        diagnosis: a class of the case list; anything but the two infections gets irrelevant findings only.
        lungs: where to put them.
        rng: source of randomness.
        manifestation: ``early``: one to three small foci only; ``fine``: see ``lesion_kinds.draw_lesion``.
    """
    severity = float(rng.choice([rng.uniform(0.0, 0.25), rng.uniform(0.25, 0.65), rng.uniform(0.65, 1.0)]))
    lesions: list[LesionModel] = []
    if diagnosis == "covid19":
        count = 2 + rng.integers(0, 2) + round(5 * severity)
    elif diagnosis == "influenza_a":
        count = 1 + rng.integers(0, 2) + round(3 * severity)
    else:
        count = 0
    if manifestation == "early":
        count = min(count, int(rng.integers(1, 4)))
    for _ in range(count):
        lesion = draw_lesion(diagnosis, severity, rng, manifestation)
        lesions.append(_settle(lesion, _infection_weight(diagnosis, lungs, rng), lungs, rng, lesions))
    for _ in range(rng.integers(2, 6)):
        lesion = draw_lesion("irrelevant", severity, rng)
        lesions.append(_settle(lesion, _irrelevant_weight(lesion.kind, lungs), lungs, rng, lesions))
    return lesions


def _infection_weight(diagnosis: str, lungs: LungMap, rng: np.random.Generator) -> NDArray[np.float64]:
    depth = lungs.depth_mm.astype(np.float64)
    draw = rng.random()
    if draw < 0.15:
        weight = (depth > 3.0).astype(np.float64)
    elif diagnosis == "covid19" or draw > 0.85:  # a pneumonia of any kind may lie on the pleura
        weight = np.exp(-0.5 * ((depth - 8.0) / 4.0) ** 2)
    else:
        weight = np.exp(-0.5 * ((depth - 30.0) / 7.0) ** 2)
    rows = np.arange(depth.shape[1], dtype=np.float64) / depth.shape[1]
    low = np.arange(depth.shape[0], dtype=np.float64) / depth.shape[0]
    if diagnosis == "covid19":
        weight = weight * (0.35 + rows)[None, :, None] * (1.25 - low)[:, None, None]
    return weight * (lungs.labels > 0)


def _irrelevant_weight(kind: str, lungs: LungMap) -> NDArray[np.float64]:
    inside = lungs.labels > 0
    if kind != "dependent atelectasis":
        return (inside & (lungs.depth_mm > 4.0)).astype(np.float64)
    # The rearmost lung voxels of each column: where a lying patient's lung is pressed together.
    flipped = np.flip(inside, axis=1)
    back = np.flip(np.cumsum(flipped, axis=1) <= 2, axis=1) & inside
    lower = (np.arange(inside.shape[0]) < 0.55 * inside.shape[0])[:, None, None]
    return (back & lower).astype(np.float64)


def _settle(
    lesion: LesionModel,
    weight: NDArray[np.float64],
    lungs: LungMap,
    rng: np.random.Generator,
    earlier: list[LesionModel],
) -> LesionModel:
    total = weight.sum()
    if total <= 0.0:
        weight = (lungs.labels > 0).astype(np.float64)
        total = weight.sum()
    cumulative = np.cumsum(weight.ravel())
    best, best_gap = None, -np.inf
    # Foci are independent: of a few places, the one farthest from the foci already there.
    for draw in rng.random(4):
        flat = int(np.searchsorted(cumulative, draw * total))
        index = np.unravel_index(min(flat, weight.size - 1), weight.shape)
        center = lungs.point((int(index[0]), int(index[1]), int(index[2])))
        gap = min((float(np.linalg.norm(center - other.center)) for other in earlier), default=np.inf)
        if best is None or gap > best_gap:
            best, best_gap = (center, index), gap
    assert best is not None
    center, index = best
    normal = lungs.normal[:, index[0], index[1], index[2]].astype(np.float64)
    if not normal.any() or lesion.kind in ("fibrosis band", "collapse"):
        normal = rng.normal(size=3)
    if lesion.kind == "dependent atelectasis":
        normal = np.array([0.0, -1.0, 0.0])
    return place(lesion, center, _axes(lesion, normal, rng))


def _axes(lesion: LesionModel, normal: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    if lesion.kind == "dependent atelectasis":
        return np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    return oriented(normal, rng)


def window_of(grid: Axes, low: NDArray[np.float64], high: NDArray[np.float64]) -> tuple[slice, slice, slice]:
    """Index window (z, y, x) of the grid points between two corners (x, y, z in mm)."""
    found = []
    for i in (2, 1, 0):
        first, last = np.searchsorted(grid[i], [low[i], high[i]])
        found.append(slice(int(first), int(last)))
    return found[0], found[1], found[2]

"""Community-acquired pneumonia of the radiograph phantoms: consolidation of a lobe or of a segment of it.

Ours, after textbook descriptions: alveoli fill until a fissure or the pleura stops them, the bronchi keep their
air (air bronchogram), and mostly one lobe of one lung is ill. A focus is a soft body from ``lesions``, cut by the
planes of the fissures, with airways left open in it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...phantoms.lesions import Blob, LesionModel
from ...phantoms.vessels import Tubes, grow_tree, paint_tubes

LOBES = {"left": ("upper", "lower"), "right": ("upper", "middle", "lower")}
BULGE_MM = 4.0
Array = NDArray[np.float32]


@dataclass(frozen=True)
class LungFrame:
    """What a lobe needs to know of a lung: corners (x, y, z in mm, LPS) of its box and its hilum."""

    side: str
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    hilum: NDArray[np.float64]

    def at(self, x: float, y: float, z: float) -> NDArray[np.float64]:
        """The point at shares 0 to 1 of the box: from the midline out, from front to back, from below up."""
        share = np.array([x if self.side == "left" else 1.0 - x, y, z])
        return self.low + share * (self.high - self.low)


@dataclass(frozen=True)
class LobarModel:
    """A consolidated lobe or segment.

    Attributes:
        body: soft body that holds it.
        planes: [n, 4]: the lobe is where ``planes[:, :3] @ point >= planes[:, 3]`` (unit normals, mm).
        bronchi: airways that stay open in it.
        kind: lobe and extent in words.
    """

    body: LesionModel
    planes: NDArray[np.float64]
    bronchi: Tubes
    kind: str
    label: str = "cap"

    @property
    def bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Corners of a box, LPS mm, that holds all that is painted."""
        return self.body.bounds

    def render(self, x: Array, y: Array, z: Array) -> tuple[Array, Array]:
        """Opacity in [0, 1] and HU on the grid of three 1-D coordinate axes (mm); both [z, y, x]."""
        opacity, hu = self.body.render(x, y, z)
        gx, gy, gz = x[None, None, :], y[None, :, None], z[:, None, None]
        phase = float(self.body.waves[0, 3])
        for a, b, c, level in self.planes:
            # A fissure is sharper than the infection's own border, and not quite a plane.
            bulge = BULGE_MM * np.sin(gx / 21.0 + phase) * np.cos(gy / 26.0 - gz / 47.0 + phase)
            opacity = opacity * np.clip((a * gx + b * gy + c * gz - level + bulge) / 3.0 + 0.5, 0.0, 1.0)
        open_airway = np.zeros(opacity.shape, np.float32)
        if len(self.bronchi):
            paint_tubes(open_airway, (x, y, z), self.bronchi)
        return (opacity * (1.0 - open_airway)).astype(np.float32), hu


def fissures(frame: LungFrame, lobe: str, tilt: tuple[float, float] = (0.0, 0.0)) -> NDArray[np.float64]:
    """Half-spaces [n, 4] of a lobe: the oblique fissure falls to the front, the right horizontal one is level.

    Args:
        frame: the lung.
        lobe: one of ``LOBES[frame.side]``.
        tilt: slopes by which both turn from that, sideways and backwards.
    """
    oblique = _plane(np.array([tilt[0], -1.04 + tilt[1], 1.0]), frame.at(0.5, 0.5, 0.50))
    if lobe == "lower":
        return -oblique[None]
    if frame.side == "left":
        return oblique[None]
    horizontal = _plane(np.array([tilt[0], tilt[1], 1.0]), frame.at(0.5, 0.3, 0.50))
    return np.stack([oblique, horizontal if lobe == "upper" else -horizontal])


def _plane(normal: NDArray[np.float64], point: NDArray[np.float64]) -> NDArray[np.float64]:
    normal = normal / np.linalg.norm(normal)
    return np.append(normal, normal @ point)


def draw_consolidation(frame: LungFrame, rng: np.random.Generator) -> LobarModel:
    """Draw a consolidation in a lobe of the lung, whole or of a segment."""
    lobes = LOBES[frame.side]
    lobe = str(rng.choice(lobes, p=[0.35, 0.65] if len(lobes) == 2 else [0.3, 0.25, 0.45]))
    whole = rng.random() < 0.35
    places = {"upper": (0.55, 0.45, 0.72), "middle": (0.5, 0.22, 0.36), "lower": (0.5, 0.68, 0.30)}
    spread = 0.06 if whole else 0.15
    center = frame.at(*(float(v + rng.uniform(-spread, spread)) for v in places[lobe]))
    half = (frame.high - frame.low) / 2
    radii = half * (rng.uniform(0.75, 1.0, 3) if whole else rng.uniform(0.38, 0.62, 3))
    solid = rng.random() < 0.6
    hu = rng.uniform(-140.0, 20.0) if solid else rng.uniform(-640.0, -320.0)
    tilt = (float(rng.normal(0.0, 0.16)), float(rng.normal(0.0, 0.16)))
    directions = rng.normal(size=(7, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    waves = np.concatenate(
        [directions * 2 * np.pi / rng.uniform(14.0, 40.0, (7, 1)), rng.uniform(0, 2 * np.pi, (7, 1))], axis=1
    )
    body = LesionModel(
        label="cap",
        kind="consolidation",
        blobs=(Blob(center, radii, np.eye(3)),),
        hu=float(hu),
        core_hu=float(hu + rng.uniform(0.2, 1.0) * (20.0 - hu)),
        core=rng.uniform(0.15, 0.4),
        edge_mm=rng.uniform(8.0, 22.0),
        roughness=rng.uniform(0.08, 0.25),
        waves=waves,
    )
    return LobarModel(body, fissures(frame, lobe, tilt), _bronchi(frame, center, radii, rng), _words(lobe, whole))


def _words(lobe: str, whole: bool) -> str:
    return f"{lobe} lobe" if whole else f"segment of the {lobe} lobe"


def _bronchi(
    frame: LungFrame, center: NDArray[np.float64], radii: NDArray[np.float64], rng: np.random.Generator
) -> Tubes:
    """Airways from the hilum into the focus."""
    tips = center + rng.uniform(-0.6, 0.6, (9, 3)) * radii
    return grow_tree(frame.hilum, np.concatenate([center[None], tips]), tip_radius=float(rng.uniform(1.2, 2.0)))

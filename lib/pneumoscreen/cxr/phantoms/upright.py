"""The chest of a phantom as it stands before an X-ray plate: its lungs, heart and what surrounds them.

Ours. The measures and shapes are those of the CT phantoms (``anatomy``); what an upright patient in deep breath
shows and a lying one does not is put in their place: a heart whose apex points to the left and down, the aortic
knob, and steep domes of the diaphragm with deep costophrenic angles. Millimetres, LPS, as there.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...images.volume import LEFT, RIGHT
from ...phantoms.anatomy import Anatomy, Array

STEP_MM = (2.3, 4.6, 2.3)
"""Grid of the lungs (x, y, z): across the rays it decides how sharp a border is, along them only how exact."""
Axes = tuple[Array, Array, Array]


@dataclass(frozen=True)
class LungField:
    """The lungs on a grid.

    Attributes:
        axes: 1-D coordinates (x, y, z), LPS mm.
        share: float32 [z, y, x], share of each voxel that is lung.
        sides: uint8 [z, y, x], 1 left, 2 right, of every voxel.
        cavity: float32 [z, y, x], share of each voxel that lies within the rib cage, below the diaphragm too.
    """

    axes: Axes
    share: Array
    sides: NDArray[np.uint8]
    cavity: Array

    @property
    def labels(self) -> NDArray[np.uint8]:
        """uint8 [z, y, x]: 1 left lung, 2 right lung, 0 neither."""
        return self.sides * (self.share > 0.5)


@dataclass(frozen=True)
class UprightChest(Anatomy):
    """A chest in front of the plate; ``apex`` is the angle of the heart's long axis below the horizontal."""

    apex: float = 0.6
    knob_radius: float = 15.0
    breast: float = 0.0

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "UprightChest":
        """Draw an adult chest; a third of them breathe in poorly, as on bedside pictures."""
        lying = Anatomy.draw(rng)
        depth = lying.cavity_depth * 0.83
        width, height = lying.cavity_width, float(np.clip(lying.height * 1.02, 210.0, 272.0))
        shallow = rng.random() < 0.33
        lift = rng.uniform(20.0, 45.0) if shallow else rng.uniform(0.0, 12.0)
        heart = np.array([rng.uniform(55, 70), rng.uniform(48, 58), rng.uniform(42, 53)]) * width / 135.0
        dome = {"left": rng.uniform(38.0, 58.0) + lift, "right": rng.uniform(50.0, 72.0) + lift}
        measures = dict(vars(lying))
        measures.update(
            height=height,
            cavity_depth=depth,
            hilum_z=rng.uniform(0.50, 0.56) * height + 0.3 * lift,
            rotation=float(rng.normal(0.0, 0.07)),
            mediastinum=rng.uniform(21.0, 29.0) + (4.0 if shallow else 0.0),
            heart_center=np.array(
                [rng.uniform(17, 27) * width / 135.0, -0.18 * depth, 0.75 * dome["left"] + 0.62 * heart[2]]
            ),
            heart_radii=heart * (1.08 if shallow else 1.0),
            dome=dome,
        )
        woman = rng.random() < 0.5
        return cls(
            **measures,
            apex=rng.uniform(0.35, 0.75),
            knob_radius=rng.uniform(12.0, 18.0),
            breast=rng.uniform(12.0, 45.0) if woman else 0.0,
        )

    def lungs(self) -> LungField:
        """The two lungs on a grid that holds them whole."""
        reach = self.cavity_width + 22.0, self.cavity_depth + 22.0
        x = np.arange(-reach[0], reach[0], STEP_MM[0], dtype=np.float32) + np.float32(self.offset[0])
        y = np.arange(-reach[1], reach[1], STEP_MM[1], dtype=np.float32) + np.float32(self.offset[1])
        z = np.arange(-40.0, self.height + 6.0, STEP_MM[2], dtype=np.float32)
        gx, gy, gz = x[None, None, :], y[None, :, None], z[:, None, None]
        u, v = self.to_chest(gx, gy, gz)
        cavity = self._cavity(u, v, gz)
        # At the very top the scaled distance of a flat slice would leave a film of lung beside it.
        cavity = np.where(self._profile(gz) < 0.1, np.float32(-9.0), cavity)
        spine = np.sqrt(u * u + (v - np.float32(0.80 * self.cavity_depth)) ** 2) - np.float32(self.spine_radius)
        lung = np.minimum(cavity, self._above_diaphragm(u, v, gz))
        for distance in (self._mediastinum(u, v, gz), self._heart(u, v, gz), spine, self._great_vessels(u, v, gz)):
            lung = np.minimum(lung, distance)
        lung = np.minimum(lung, self._hila(u, v, gz))
        sides = np.where(u > self.mediastinum_x, LEFT, RIGHT).astype(np.uint8)
        blur = np.float32(STEP_MM[0])
        return LungField((x, y, z), np.clip(lung / blur + 0.5, 0, 1), sides, np.clip(cavity / blur + 0.5, 0, 1))

    def wall_point(self, side: float, angle: NDArray[np.float64], level: float, out_mm: float) -> NDArray[np.float64]:
        """Points [n, 3] of a rib on the cavity's wall, LPS mm.

        Args:
            side: 1 left, -1 right.
            angle: [n], pi / 2 at the spine, 0 at the side, -pi / 2 at the breastbone.
            level: z of the rib at its lateral turn.
            out_mm: distance of the rib's middle from the lung.
        """
        cos, sin = np.cos(angle), np.sin(angle)
        product = np.maximum(0.35 * (cos * sin) ** 2, 1e-9)
        radius = np.sqrt((1.0 - np.sqrt(1.0 - 4.0 * product)) / (2.0 * product))
        z = level + 0.58 * self.cavity_depth * sin * radius
        profile = np.maximum(self._profile(z.astype(np.float32)).astype(np.float64), 0.22)
        u = side * (self.cavity_width * profile + out_mm) * cos * radius
        v = (self.cavity_depth * (0.25 + 0.75 * profile) + out_mm) * sin * radius
        return self.from_chest(np.stack([u, v, z])).T

    def _profile(self, z: Array) -> Array:
        # Narrower to the top than a lying chest's, which is widest for longer.
        t = np.clip(z / np.float32(self.height), -0.5, 1.0)
        taper = np.clip((t - 0.15) / 0.85, 0.0, 1.0)
        return (np.maximum(1.0 - taper**2.9, 0.0) ** 0.52).astype(np.float32)

    def _heart(self, u: Array, v: Array, z: Array) -> Array:
        (cx, cy, cz), (rx, ry, rz) = self.heart_center, self.heart_radii
        cos, sin = np.cos(self.apex), np.sin(self.apex)
        along, across = (u - cx) * cos - (z - cz) * sin, (u - cx) * sin + (z - cz) * cos
        squared = (along / rx) ** 2 + ((v - cy) / ry) ** 2 + (across / rz) ** 2
        # The right atrium, a rounder part on the patient's right.
        atrium = ((u - cx + 0.52 * rx) / (0.45 * rx)) ** 2 + ((v - cy) / ry) ** 2 + ((z - cz + 4) / (0.8 * rz)) ** 2
        return ((np.sqrt(np.minimum(squared, atrium)) - 1.0) * min(rx, ry, rz)).astype(np.float32)

    def _great_vessels(self, u: Array, v: Array, z: Array) -> Array:
        knob_z = np.float32(self.hilum_z + 38.0)
        descending = np.maximum(self._aorta(u, v), z - knob_z)
        x = np.float32(self.mediastinum_x + 0.62 * self.mediastinum)
        knob = np.sqrt((u - x) ** 2 + ((v - 12.0) / 1.8) ** 2 + (z - knob_z) ** 2) - np.float32(self.knob_radius)
        trunk = np.sqrt(((u - x - 4.0) / 0.8) ** 2 + ((v + 14.0) / 1.8) ** 2 + (z - knob_z + 34.0) ** 2)
        return np.minimum(np.minimum(descending, knob), trunk - np.float32(0.95 * self.knob_radius))

    def _above_diaphragm(self, u: Array, v: Array, z: Array) -> Array:
        domes = []
        for side, sign in (("left", 1.0), ("right", -1.0)):
            center = sign * 0.48 * self.cavity_width
            # Falls steeper to the side than to the middle, where heart and liver hold it up.
            half = np.where(sign * u > sign * center, 0.55, 1.0) * np.float32(self.cavity_width)
            squared = ((u - center) / half) ** 2 + ((v + 12.0) / (0.9 * self.cavity_depth)) ** 2
            domes.append(np.float32(self.dome[side]) * (1.0 - squared.astype(np.float32)))
        return z - np.maximum(domes[0], domes[1])

"""The healthy chest of a phantom: body, ribs, spine, heart, diaphragm and the two lungs.

Ours: constructive geometry in millimetres, LPS (x to the patient's left, y to the back, z to the
head), with every measure drawn at random, so that the truth of each voxel is known. The lungs are
what the rib cage leaves between mediastinum, heart, spine and diaphragm.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

AIR_HU = -1000.0
FAT_HU = -95.0
MUSCLE_HU = 45.0


@dataclass(frozen=True)
class Warp:
    """A smooth displacement of the axial plane: products of sines, in mm."""

    amplitude: NDArray[np.float64]
    frequency: NDArray[np.float64]
    phase: NDArray[np.float64]

    @classmethod
    def draw(cls, rng: np.random.Generator, waves: int = 3) -> "Warp":
        """Amplitudes up to 3.5 mm, wavelengths of 90 to 220 mm."""
        return cls(
            amplitude=rng.uniform(-3.5, 3.5, (2, waves)),
            frequency=2 * np.pi / rng.uniform(90.0, 220.0, (waves, 3)),
            phase=rng.uniform(0.0, 2 * np.pi, (waves, 3)),
        )

    def displacement(self, x: Array, y: Array, z: Array) -> tuple[Array, Array]:
        """Displacements along x and y, in mm, for broadcastable coordinates."""
        dx = np.zeros((1, 1, 1), np.float32)
        dy = np.zeros((1, 1, 1), np.float32)
        for wave in range(self.amplitude.shape[1]):
            fx, fy, fz = self.frequency[wave]
            px, py, pz = self.phase[wave]
            product = np.sin(fx * x + px) * (np.sin(fy * y + py) * np.sin(fz * z + pz))
            dx = dx + np.float32(self.amplitude[0, wave]) * product
            dy = dy + np.float32(self.amplitude[1, wave]) * product
        return dx.astype(np.float32), dy.astype(np.float32)


def _rounded_box(u: Array, v: Array) -> Array:
    """1 on the outline of a shape between ellipse and rectangle with half axes 1, smaller inside."""
    # Beyond 2 the mixed term would outweigh the others and turn the far corners into inside.
    s, t = np.minimum(u * u, np.float32(2.0)), np.minimum(v * v, np.float32(2.0))
    return np.sqrt(s + t - np.float32(0.35) * s * t)


@dataclass(frozen=True)
class Tissue:
    """Signed distance to the lungs' surface (mm, positive inside), side, and HU outside the lungs."""

    lung_distance: Array
    is_left: NDArray[np.bool_]
    outside_hu: Array


@dataclass(frozen=True)
class Anatomy:
    """Measures of one chest, all in mm; angles in radians."""

    cavity_width: float
    cavity_depth: float
    height: float
    wall: float
    fat: float
    rotation: float
    offset: tuple[float, float]
    mediastinum: float
    mediastinum_x: float
    heart_center: NDArray[np.float64]
    heart_radii: NDArray[np.float64]
    spine_radius: float
    aorta_radius: float
    hilum_z: float
    dome: dict[str, float]
    rib_phase: float
    rib_period: float
    stomach_gas: float
    warp: Warp
    table_y: float = field(default=12.0)

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Anatomy":
        """Draw an adult chest."""
        width = rng.uniform(118.0, 152.0)
        depth = width * rng.uniform(0.64, 0.80)
        height = rng.uniform(195.0, 275.0)
        return cls(
            cavity_width=width,
            cavity_depth=depth,
            height=height,
            wall=rng.uniform(16.0, 26.0),
            fat=rng.uniform(6.0, 28.0),
            rotation=rng.normal(0.0, 0.04),
            offset=(rng.normal(0.0, 6.0), rng.normal(0.0, 6.0)),
            mediastinum=rng.uniform(24.0, 34.0),
            mediastinum_x=rng.normal(0.0, 4.0),
            heart_center=np.array([rng.uniform(14, 26), -0.28 * depth, rng.uniform(0.16, 0.24) * height]),
            heart_radii=np.array([rng.uniform(48, 64), rng.uniform(40, 52), rng.uniform(0.18, 0.24) * height]),
            spine_radius=rng.uniform(20.0, 25.0),
            aorta_radius=rng.uniform(10.0, 14.0),
            hilum_z=rng.uniform(0.46, 0.54) * height,
            dome={"left": rng.uniform(25.0, 50.0), "right": rng.uniform(35.0, 65.0)},
            rib_phase=rng.uniform(0.0, 1.0),
            rib_period=height / rng.uniform(9.0, 11.0),
            stomach_gas=rng.choice([0.0, 18.0, 26.0]),
            warp=Warp.draw(rng),
        )

    @property
    def half_extent(self) -> tuple[float, float]:
        """Half width and half depth of the body, mm."""
        margin = self.wall + self.fat
        return self.cavity_width + margin, self.cavity_depth + margin

    def hilum(self, side: str) -> NDArray[np.float64]:
        """LPS position, in mm, where vessels and bronchus enter a lung."""
        sign = 1.0 if side == "left" else -1.0
        return np.array([self.mediastinum_x + sign * (self.mediastinum + 8.0), 4.0, self.hilum_z])

    def to_chest(self, x: Array, y: Array, z: Array) -> tuple[Array, Array]:
        """Scanner coordinates -> the chest's own, undoing position, rotation and warp."""
        x = x - np.float32(self.offset[0])
        y = y - np.float32(self.offset[1])
        cos, sin = np.float32(np.cos(self.rotation)), np.float32(np.sin(self.rotation))
        u, v = cos * x + sin * y, cos * y - sin * x
        dx, dy = self.warp.displacement(u, v, z)
        return u + dx, v + dy

    def from_chest(self, point: NDArray[np.float64]) -> NDArray[np.float64]:
        """The chest's own coordinates -> the scanner's, but for the warp of a few mm."""
        u, v, z = point
        cos, sin = np.cos(self.rotation), np.sin(self.rotation)
        return np.array([cos * u - sin * v + self.offset[0], sin * u + cos * v + self.offset[1], z])

    def tissue(self, x: Array, y: Array, z: Array) -> Tissue:
        """Evaluate the chest on broadcastable coordinates x [1,1,n], y [1,n,1], z [n,1,1], in mm."""
        u, v = self.to_chest(x, y, z)
        cavity, body = self._cavity(u, v, z), self._body(u, v, z)
        is_left = u > self.mediastinum_x
        mediastinum = self._mediastinum(u, v, z)
        heart = self._heart(u, v, z)
        above = self._above_diaphragm(u, v, z)
        spine = np.sqrt(u * u + (v - np.float32(0.80 * self.cavity_depth)) ** 2) - np.float32(self.spine_radius)
        aorta = self._aorta(u, v)
        lung = cavity
        for distance in (mediastinum, heart, above, spine, aorta, self._hila(u, v, z)):
            lung = np.minimum(lung, distance)
        outside = self._outside_hu(u, v, z, cavity, body, spine, above)
        return Tissue(lung, is_left, outside)

    def _profile(self, z: Array) -> Array:
        t = np.clip(z / np.float32(self.height), -0.5, 1.0)
        taper = np.clip((t - 0.3) / 0.7, 0.0, 1.0)
        return np.sqrt(np.maximum(1.0 - taper**2.4, 0.0)).astype(np.float32)

    def _cavity(self, u: Array, v: Array, z: Array) -> Array:
        profile = np.maximum(self._profile(z), np.float32(0.02))
        radius = _rounded_box(
            u / (np.float32(self.cavity_width) * profile),
            v / (np.float32(self.cavity_depth) * (np.float32(0.25) + np.float32(0.75) * profile)),
        )
        # Scaled by the short half axis: close to millimetres at the front and back, generous at the sides.
        inside = (1.0 - radius) * np.float32(self.cavity_depth) * profile
        return np.minimum(inside, np.float32(self.height) - z)

    def _body(self, u: Array, v: Array, z: Array) -> Array:
        half_width, half_depth = self.half_extent
        shoulders = 1.0 - 0.25 * np.clip((z / np.float32(self.height) - 0.85) / 0.3, 0.0, 1.0)
        radius = _rounded_box(u / (np.float32(half_width) * shoulders.astype(np.float32)), v / np.float32(half_depth))
        return (1.0 - radius) * np.float32(half_depth)

    def _mediastinum(self, u: Array, v: Array, z: Array) -> Array:
        waist = np.exp(-(((v + 5.0) / 38.0) ** 2)) * 0.82 + 0.18
        upper = 1.0 - 0.35 * np.clip((z / np.float32(self.height) - 0.7) / 0.3, 0.0, 1.0)
        return np.abs(u - np.float32(self.mediastinum_x)) - np.float32(self.mediastinum) * waist * upper

    def _heart(self, u: Array, v: Array, z: Array) -> Array:
        (cx, cy, cz), (rx, ry, rz) = self.heart_center, self.heart_radii
        squared = ((u - cx) / rx) ** 2 + ((v - cy) / ry) ** 2 + ((z - cz) / rz) ** 2
        return ((np.sqrt(squared) - 1.0) * min(rx, ry)).astype(np.float32)

    def _aorta(self, u: Array, v: Array) -> Array:
        y = np.float32(0.55 * self.cavity_depth)
        return np.sqrt((u - np.float32(20.0)) ** 2 + (v - y) ** 2) - np.float32(self.aorta_radius)

    def _hila(self, u: Array, v: Array, z: Array) -> Array:
        along = np.abs(u - np.float32(self.mediastinum_x)) - np.float32(self.mediastinum)
        squared = (along / 13.0) ** 2 + ((v - 4.0) / 17.0) ** 2 + ((z - self.hilum_z) / 22.0) ** 2
        return ((np.sqrt(squared) - 1.0) * 13.0).astype(np.float32)

    def _above_diaphragm(self, u: Array, v: Array, z: Array) -> Array:
        domes = []
        for side, sign in (("left", 1.0), ("right", -1.0)):
            center = sign * 0.5 * self.cavity_width
            squared = ((u - center) / (0.62 * self.cavity_width)) ** 2 + (v / (0.95 * self.cavity_depth)) ** 2
            domes.append(np.float32(self.dome[side]) * (1.0 - squared.astype(np.float32)))
        return z - np.maximum(domes[0], domes[1])

    def _outside_hu(
        self, u: Array, v: Array, z: Array, cavity: Array, body: Array, spine: Array, above: Array
    ) -> Array:
        hu = np.full(np.broadcast_shapes(u.shape, v.shape, z.shape), MUSCLE_HU, np.float32)
        hu[(body < self.fat) & (cavity < -4.0)] = FAT_HU
        # Ribs fall towards the front: the back is higher than the breastbone on the same rib.
        level = (z - 0.45 * v) / np.float32(self.rib_period) + np.float32(self.rib_phase)
        rib = (np.abs((level % 1.0) - 0.5) < 0.17) & (cavity < -2.5) & (cavity > -11.0) & (z > 0.0)
        hu[rib & (np.abs(u) > 22.0)] = 380.0
        bone = spine < -4.0
        disc = (np.abs(((z / 26.0) % 1.0) - 0.5) > 0.38) & bone
        hu[bone] = 210.0
        hu[disc] = 90.0
        hu[(spine < -1.0) & (spine >= -4.0)] = 420.0
        canal = np.sqrt(u * u + (v - np.float32(0.80 * self.cavity_depth + self.spine_radius)) ** 2) < 8.0
        hu[canal] = 25.0
        sternum = (np.abs(u) < 17.0) & (v < -self.cavity_depth - 3.0) & (v > -self.cavity_depth - 13.0) & (z > 40.0)
        hu[sternum] = 230.0
        below = (above < 0.0) & (cavity > -3.0)
        hu[below & (u < 0.0)] = 60.0
        hu[below & (u >= 0.0)] = 48.0
        if self.stomach_gas:
            x, level_z = 0.42 * self.cavity_width, self.dome["left"] - self.stomach_gas - 14.0
            gas = ((u - x) ** 2 + (v + 25.0) ** 2 + ((z - level_z) * 1.6) ** 2) < self.stomach_gas**2
            hu[gas & below] = -960.0
        hu[body < 0.0] = AIR_HU
        table = np.abs(v - np.float32(self.half_extent[1] + self.table_y) + 0.0012 * u * u) < 4.0
        hu[table & (body < 0.0)] = -420.0
        return hu


Axes = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]

"""What lies around the lungs on a chest X-ray: bones of the trunk and shoulders, soft tissue, gas in the stomach.

Ours: bones are bent tubes with a dense shell, soft tissue is a union of rounded cylinders, all in millimetres.
"""

import numpy as np
from numpy.typing import NDArray

from .projection import Shadows, View, capsule, chord
from .upright import Array, UprightChest

MARROW = 0.4
CORTEX = 2.0
"""Both in mm of water for each mm, beyond the soft tissue that a bone displaces."""


def add_bone(shadows: Shadows, points: NDArray[np.float64], radius: float, shell_mm: float, density: float) -> None:
    """A bent bone through points [n, 3]: a shell of cortex around marrow."""
    shadows.add_path(points, radius, density * CORTEX)
    shadows.add_path(points, radius - shell_mm, density * (MARROW - CORTEX))


def add_skeleton(shadows: Shadows, chest: UprightChest, rng: np.random.Generator) -> None:
    """Ribs, clavicles, shoulder blades and upper arms of a chest."""
    density = float(rng.uniform(0.55, 1.1))
    _add_ribs(shadows, chest, rng, density)
    _add_shoulders(shadows, chest, rng, density)


def _add_ribs(shadows: Shadows, chest: UprightChest, rng: np.random.Generator, density: float) -> None:
    height, period = chest.height, chest.rib_period
    radius = float(rng.uniform(4.9, 6.3))
    for number in range(11):
        # Counted from above; each lies lower and its bony part ends farther to the side.
        level = height - 32.0 - (number + 0.3 * chest.rib_phase) * period * 1.02
        last = -1.15 + 0.085 * number + rng.normal(0.0, 0.03)
        for side in (1.0, -1.0):
            angle = np.linspace(1.45, last if number < 9 else -0.1, 44)
            points = chest.wall_point(side, angle, level, 4.5)
            # The neck of a rib climbs to its vertebra less than a plane cut would.
            points[:, 2] -= 9.0 * np.clip(angle / 1.45, 0.0, 1.0) ** 3
            add_bone(shadows, points, radius * (0.85 if number < 2 else 1.0), 1.2, density)


def _add_shoulders(shadows: Shadows, chest: UprightChest, rng: np.random.Generator, density: float) -> None:
    top, wide = chest.height, chest.cavity_width
    raised = float(rng.normal(0.0, 8.0))
    spread = float(rng.uniform(18.0, 48.0))
    for side in (1.0, -1.0):
        t = np.linspace(0.0, 1.0, 40)
        reach = 20.0 + (wide * 0.98) * t
        clavicle = np.stack([side * reach, -60.0 + 60 * t, top - 46.0 + raised + 38.0 * t + 6.0 * np.sin(5.6 * t)], 1)
        add_bone(shadows, clavicle, 5.4, 1.5, density * 1.1)
        x, z = side * (wide + spread), top + 2.0 + raised
        blade = np.array(
            [[side * (wide + spread * 0.55), z + 6], [side * (wide - 8 + spread * 0.4), z - 30],
             [side * (wide - 2 + spread * 0.5), z - 120], [side * (wide + spread * 0.75), z - 40], [x, z - 8]]
        )  # fmt: skip
        outline = np.stack([np.interp(t * 4, np.arange(5), blade[:, 0]), 60 + 0 * t,
                            np.interp(t * 4, np.arange(5), blade[:, 1])], 1)  # fmt: skip
        add_bone(shadows, outline, 3.4, 1.2, density * 0.6)
        spine = np.stack([np.linspace(side * (wide - 14 + spread * 0.4), x, 20), np.full(20, 70.0),
                          np.linspace(z - 14, z + 22, 20)], 1)  # fmt: skip
        add_bone(shadows, spine, 4.5, 1.2, density * 0.6)
        head = np.array([x + side * 18.0, 0.0, z - 2.0])
        shaft = np.array([x + side * 38.0, 0.0, z - 190.0])
        add_bone(shadows, np.stack([head, head + 0.01 * (shaft - head)]), 20.0, 1.5, density * 5.0)
        add_bone(shadows, np.linspace(head, shaft, 30), 11.0, 3.2, density)


def spine_shadow(chest: UprightChest, x: Array, z: Array, rng: np.random.Generator) -> Array:
    """Vertebrae with discs, pedicles and spinous processes, mm of water beyond soft tissue, at every pixel."""
    bend = rng.normal(0.0, 3.0) * np.sin(z / rng.uniform(90.0, 160.0) + rng.uniform(0.0, 6.3))
    u = x - np.float32(chest.offset[0]) + np.float32(0.8 * chest.cavity_depth * np.sin(chest.rotation)) - bend
    period = np.float32(rng.uniform(23.0, 28.0))
    phase = (z / period + np.float32(rng.uniform(0, 1))) % 1.0 - 0.5
    half = np.float32(chest.spine_radius * 0.86) * (1.0 + 0.12 * (2 * phase) ** 2)
    body = np.clip((half - np.abs(u)) / 2.0, 0, 1) * np.clip((0.42 - np.abs(phase)) * period / 2.0, 0, 1)
    rim = body * (0.35 + 0.65 * np.clip((np.abs(phase) - 0.3) / 0.1, 0, 1))
    pedicle = chord(((np.abs(u) - 0.62 * half) / 4.0) ** 2 + ((phase - 0.1) * period / 6.0) ** 2)
    process = chord((u / 4.0) ** 2 + ((phase + 0.2) * period / 8.0) ** 2)
    return (np.float32(rng.uniform(0.7, 1.3)) * (4.5 * body + 5.0 * rim + 2.5 * pedicle + 3.0 * process)).astype(
        np.float32
    )


def soft_tissue(chest: UprightChest, x: Array, z: Array, rng: np.random.Generator) -> Array:
    """Thickness of the body in mm at every pixel, as if the lungs were full."""
    half_width, half_depth = chest.half_extent
    top = float(chest.height)
    centered = x - np.float32(chest.offset[0])
    s = np.minimum((centered / half_width) ** 2, 1.0)
    trunk = 2.0 * half_depth * np.sqrt((1.0 - s) / (1.0 - 0.35 * s))
    fade = np.clip((top + 62.0 - 0.24 * np.abs(centered) - z) / (0.55 * top), 0.0, 1.0)
    trunk = trunk * np.sqrt(1.0 - (1.0 - fade) ** 2)
    parts = [trunk, capsule(centered, z, (0.0, top - 10.0), (0.0, top + 300.0), rng.uniform(52.0, 64.0))]
    wide, thick = chest.cavity_width, 40.0 + chest.fat * 0.8
    spread = rng.uniform(20.0, 70.0)
    for side in (1.0, -1.0):
        shoulder = (side * (wide + 34.0), top - 4.0)
        parts.append(capsule(centered, z, (side * 40.0, top + 16.0), shoulder, thick + 14.0))
        parts.append(capsule(centered, z, shoulder, (side * (wide + 60.0 + spread), -80.0), thick + 6.0))
    total = np.zeros_like(x)
    for part in parts:
        total += np.square(np.square(part / 100.0))
    return (100.0 * np.sqrt(np.sqrt(total)) + _breasts(chest, centered, z, rng)).astype(np.float32)


def _breasts(chest: UprightChest, x: Array, z: Array, rng: np.random.Generator) -> Array:
    total = np.zeros_like(x)
    low, radius = rng.uniform(0.20, 0.34) * chest.height, rng.uniform(62.0, 80.0)
    for side in (1.0, -1.0):
        middle, level = side * (0.55 * chest.cavity_width + 6.0), low + rng.normal(0.0, 4.0)
        # Half an ellipsoid that hangs: its lower border is a line, its upper one fades.
        fall = np.where(z > level, 1.7, 0.85) * radius
        inside = np.maximum(1.0 - ((x - middle) / radius) ** 2 - ((z - level) / fall) ** 2, 0.0)
        total += chest.breast * inside ** np.where(z > level, 1.3, 0.7)
    return total


def stomach_gas(chest: UprightChest, x: Array, z: Array) -> Array:
    """Path in mm through the gas under the left dome of the diaphragm, at every pixel."""
    radius = np.float32(1.1 * chest.stomach_gas)
    if not radius:
        return np.zeros_like(x)
    middle = chest.from_chest(np.array([0.46 * chest.cavity_width, -25.0, chest.dome["left"] - 0.66 * radius - 9.0]))
    squared = ((x - middle[0]) / radius) ** 2 + ((z - middle[2]) * 1.5 / radius) ** 2
    # Folds and fluid take a part of the space.
    return 0.6 * radius * chord(squared)


def add_airways(shadows: Shadows, chest: UprightChest, rng: np.random.Generator) -> None:
    """The windpipe and main bronchi, which are air in the middle of the chest."""
    carina = np.array([chest.mediastinum_x, 2.0, chest.hilum_z + 22.0])
    top = np.array([chest.mediastinum_x + rng.normal(0.0, 3.0), -12.0, chest.height + 70.0])
    shadows.add_path(np.stack([chest.from_chest(p) for p in (top, carina)]), rng.uniform(7.0, 9.5), -1.0)
    for side in ("left", "right"):
        path = np.stack([chest.from_chest(p) for p in (carina, chest.hilum(side))])
        shadows.add_path(path, rng.uniform(5.0, 6.5), -0.9)


def view_of(chest: UprightChest, size: int, rng: np.random.Generator) -> View:
    """A frame around the lungs, off centre, tilted and of varied shape; its longer side is ``size`` pixels."""
    reach = chest.cavity_width + 6.0
    left, right = (reach * (1.0 + rng.uniform(0.05, 0.34)) for _ in range(2))
    top, bottom = chest.height + rng.uniform(12.0, 68.0), -rng.uniform(5.0, 75.0)
    wide, high = left + right, top - bottom
    pixel = max(wide, high) / size
    width, height = max(8, round(wide / pixel)), max(8, round(high / pixel))
    center = (chest.offset[0] + (right - left) / 2, (top + bottom) / 2)
    return View(width, height, pixel, center, float(rng.normal(0.0, 0.045)))

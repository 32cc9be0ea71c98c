"""Branching trees of vessels and airways for the phantoms.

Ours: points scattered in a lung are joined, nearest to the hilum first, to the closest point of the
tree that lies nearer to the hilum; radii follow Murray's law (the cube of a parent's radius is the
sum of its children's).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Tubes:
    """Straight tubes: start and end [n, 3] (x, y, z in mm, LPS) and radius [n] in mm."""

    start: NDArray[np.float64]
    end: NDArray[np.float64]
    radius: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.radius)

    @classmethod
    def join(cls, parts: list["Tubes"]) -> "Tubes":
        """All tubes of several sets."""
        return cls(
            np.concatenate([p.start for p in parts]),
            np.concatenate([p.end for p in parts]),
            np.concatenate([p.radius for p in parts]),
        )


def grow_tree(root: NDArray[np.float64], targets: NDArray[np.float64], tip_radius: float) -> Tubes:
    """Join scattered targets [n, 3] to a tree that starts at root [3]; mm."""
    order = np.argsort(np.linalg.norm(targets - root, axis=1))
    points = np.concatenate([root[None], targets[order]])
    parent = np.zeros(len(points), dtype=int)
    for i in range(1, len(points)):
        # A detour through a far parent would make a bush of straight spokes; the penalty bends it into a tree.
        reach = np.linalg.norm(points[:i] - points[i], axis=1)
        depth = np.linalg.norm(points[:i] - root, axis=1)
        parent[i] = int(np.argmin(reach + 0.12 * depth))
    cubes = np.zeros(len(points))
    has_child = np.bincount(parent[1:], minlength=len(points)) > 0
    cubes[~has_child] = tip_radius**3
    for i in range(len(points) - 1, 0, -1):
        cubes[parent[i]] += cubes[i]
    radius = np.minimum(np.cbrt(cubes[1:]), 6.5)
    return Tubes(points[parent[1:]], points[1:], radius)


def bronchus(trachea_foot: NDArray[np.float64], hilum: NDArray[np.float64], radius: float) -> Tubes:
    """The main bronchus from the carina to the hilum, mm."""
    return Tubes(trachea_foot[None], hilum[None], np.array([radius]))


def paint_tubes(
    occupancy: NDArray[np.float32],
    axes: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]],
    tubes: Tubes,
    grow_mm: float = 0.0,
) -> None:
    """Raise occupancy [z, y, x] in place to the share of each voxel that a tube fills.

    Args:
        occupancy: values in [0, 1].
        axes: coordinates (x, y, z) of the grid, each 1-D, evenly spaced, increasing, in mm.
        tubes: what to paint.
        grow_mm: added to every radius, for the wall of an airway.
    """
    steps = [float(axis[1] - axis[0]) if len(axis) > 1 else 1.0 for axis in axes]
    blur = max(min(steps[0], steps[1]), 1e-3)
    for start, end, base in zip(tubes.start, tubes.end, tubes.radius, strict=True):
        radius = base + grow_mm
        low, high = np.minimum(start, end) - radius - blur, np.maximum(start, end) + radius + blur
        window = [
            slice(max(int((low[i] - axes[i][0]) / steps[i]), 0), max(int((high[i] - axes[i][0]) / steps[i]) + 2, 0))
            for i in range(3)
        ]
        x, y, z = (axes[i][window[i]] for i in range(3))
        if not (len(x) and len(y) and len(z)):
            continue
        part = occupancy[window[2], window[1], window[0]]
        np.maximum(part, _share(x, y, z, start, end, radius, blur), out=part)


def _share(
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    z: NDArray[np.float32],
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    radius: float,
    blur: float,
) -> NDArray[np.float32]:
    dx, dy, dz = x[None, None, :] - start[0], y[None, :, None] - start[1], z[:, None, None] - start[2]
    axis = end - start
    along = np.clip((dx * axis[0] + dy * axis[1] + dz * axis[2]) / max(float(axis @ axis), 1e-9), 0.0, 1.0)
    squared = (dx - along * axis[0]) ** 2 + (dy - along * axis[1]) ** 2 + (dz - along * axis[2]) ** 2
    share = np.clip((radius - np.sqrt(squared)) / blur + 0.5, 0.0, 1.0)
    # A tube thinner than a voxel fills at most its own cross section.
    return (share * min(1.0, np.pi * radius**2 / blur**2)).astype(np.float32)

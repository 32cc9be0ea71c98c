"""Fine structure inside a lesion: thickened septa and open airways.

Ours. Both are irregular on purpose: a regular pattern would be learnt in place of the disease.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

LOBULE_MM = (7.0, 14.0)
SEPTUM_MM = (0.9, 1.8)
AIRWAYS = (2, 5)


def septal_net(points: NDArray[np.floating], seed: int) -> NDArray[np.float32]:
    """Where the septa between secondary lobules run, 0 to 1 at each of points [n, 3] (mm about the lesion's centre).

    The lobules are the cells about scattered points, 7 to 14 mm across (the secondary pulmonary lobule is 10 to
    25 mm); a septum is where two cells meet.
    """
    rng = np.random.default_rng([seed, 1])
    cell, wall = rng.uniform(*LOBULE_MM), rng.uniform(*SEPTUM_MM)
    low, high = points.min(axis=0) - 2 * cell, points.max(axis=0) + 2 * cell
    counts = np.maximum(np.ceil((high - low) / cell).astype(int), 1)
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in counts), indexing="ij"), axis=-1).reshape(-1, 3)
    # The cells hang on the centre of the lesion, so that slabs painted one by one meet.
    start = np.floor(low / cell)
    centers = np.array([_jittered(cell_index + start, seed) for cell_index in grid]) * cell
    near, _ = cKDTree(centers).query(points, k=2)
    return np.clip(1.0 - (near[:, 1] - near[:, 0]) / (2 * wall), 0.0, 1.0).astype(np.float32)


def _jittered(cell: NDArray[np.floating], seed: int) -> NDArray[np.float64]:
    """The centre of a cell of the lattice, moved at random by its place alone."""
    place = [int(value) & 0xFFFF for value in cell]
    moved: NDArray[np.float64] = cell + np.random.default_rng([seed, *place]).uniform(0.0, 1.0, 3)
    return moved


def air_bronchogram(points: NDArray[np.floating], size_mm: float, radius_mm: float, seed: int) -> NDArray[np.float32]:
    """Share of open airway at each of points [n, 3] (mm about the lesion's centre).

    Some airways cross the lesion from one side and each forks once, as bronchi do.

    Args:
        points: where.
        size_mm: the lesion's smallest radius.
        radius_mm: of the first part; the branches are thinner.
        seed: decides place and direction.
    """
    rng = np.random.default_rng([seed, 2])
    main = rng.normal(size=3)
    main /= np.linalg.norm(main)
    share = np.zeros(len(points), dtype=np.float32)
    for _ in range(int(rng.integers(*AIRWAYS))):
        start = -1.3 * size_mm * main + rng.normal(0.0, 0.5 * size_mm, 3)
        fork = start + size_mm * (main + rng.normal(0.0, 0.2, 3))
        ends = [fork + size_mm * (main + rng.normal(0.0, 0.45, 3)) for _ in range(2)]
        for first, last, radius in ((start, fork, radius_mm), *((fork, end, 0.7 * radius_mm) for end in ends)):
            distance = _to_segment(points, first, last)
            share = np.maximum(share, np.clip((radius - distance) / 0.7 + 0.5, 0.0, 1.0).astype(np.float32))
    return share


def _to_segment(
    points: NDArray[np.floating], first: NDArray[np.float64], last: NDArray[np.float64]
) -> NDArray[np.floating]:
    along = last - first
    share = np.clip((points - first) @ along / max(float(along @ along), 1e-9), 0.0, 1.0)
    distance: NDArray[np.floating] = np.linalg.norm(points - first - share[:, None] * along, axis=1)
    return distance

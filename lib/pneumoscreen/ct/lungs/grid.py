"""The reduced grid on which lungs are sought, and the way back to the full grid.

Morphology on every voxel of a thin-slice scan would cost many times the time allowed, and the shape of a lung
needs no more than about 2 mm. The reduced grid averages whole blocks of voxels; the edge is then drawn
again at full resolution (``refine_labels``).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .morphology import grown, shrunk, with_neighbours

IN_PLANE_MM = 2.0
THROUGH_PLANE_MM = 3.0


@dataclass(frozen=True)
class LungGrid:
    """A block-averaged copy of a volume.

    Attributes:
        hu: int16 [z, y, x], the means of the blocks.
        factors: voxels per block along (z, y, x).
        before: voxels of padding before the first voxel along (z, y, x).
        spacing: size of a block in mm (z, y, x).
        shape: of the full grid.
    """

    hu: NDArray[np.int16]
    factors: tuple[int, int, int]
    before: tuple[int, int, int]
    spacing: tuple[float, float, float]
    shape: tuple[int, int, int]

    @property
    def voxel_ml(self) -> float:
        """Volume of a block in ml."""
        return float(np.prod(self.spacing)) / 1000

    @property
    def pixel_cm2(self) -> float:
        """Area of a block in its slice in cm2."""
        return self.spacing[1] * self.spacing[2] / 100

    def blocks(self, axis: int) -> NDArray[np.intp]:
        """Block number of each full-grid index along an axis."""
        return (np.arange(self.shape[axis]) + self.before[axis]) // self.factors[axis]

    def expand(self, array: NDArray[np.generic]) -> NDArray[np.generic]:
        """An array of the reduced grid on the full grid, each block repeated."""
        plane = array[:, self.blocks(1)][:, :, self.blocks(2)]
        return plane if self.factors[0] == 1 else plane[self.blocks(0)]


def reduce_volume(hu: NDArray[np.int16], spacing: tuple[float, float, float]) -> LungGrid:
    """Average blocks of voxels to about 2 mm in plane and 3 mm through plane.

    Args:
        hu: int16 [z, y, x].
        spacing: mm (z, y, x).
    """
    targets = (THROUGH_PLANE_MM, IN_PLANE_MM, IN_PLANE_MM)
    plan = [_blocks_along(n, mm, target) for n, mm, target in zip(hu.shape, spacing, targets, strict=True)]
    factors = (plan[0][0], plan[1][0], plan[2][0])
    before = (plan[0][1], plan[1][1], plan[2][1])
    counts = [plan_axis[2] for plan_axis in plan]
    reduced = np.empty(counts, dtype=np.int16)
    for z in range(counts[0]):
        first = z * factors[0] - before[0]
        slab = hu[max(first, 0) : first + factors[0]]
        reduced[z] = _mean_blocks(slab, factors[1:], before[1:], (counts[1], counts[2]))
    block_mm = (spacing[0] * factors[0], spacing[1] * factors[1], spacing[2] * factors[2])
    shape = (hu.shape[0], hu.shape[1], hu.shape[2])
    return LungGrid(reduced, factors, before, block_mm, shape)


def refine_labels(
    hu: NDArray[np.int16],
    grid: LungGrid,
    window: tuple[slice, slice, slice],
    labels: NDArray[np.uint8],
    aerated: NDArray[np.bool_],
    barred: NDArray[np.bool_],
    threshold: float,
) -> NDArray[np.uint8]:
    """Draw the lungs' edge at full resolution.

    A voxel belongs to a lung when it is air-bearing and its block lies in or beside the lung, or when its
    block is inside the lung (vessels) or was added by repair (consolidation), whatever the voxel's density.

    Args:
        hu: int16 [z, y, x], full grid.
        grid: the reduced grid.
        window: the part of the reduced grid that the next three arrays show; every slice of it.
        labels: uint8, 0 none, 1 left, 2 right.
        aerated: air-bearing blocks.
        barred: blocks that never become lung (airways).
        threshold: HU below which a voxel bears air.

    Returns:
        uint8 [z, y, x] on the full grid.
    """
    mask = labels > 0
    solid = (mask & ~aerated) | (shrunk(mask, 1, 1) & shrunk(mask, 1, 2))
    near = np.maximum(with_neighbours(labels, 1, np.maximum), with_neighbours(labels, 2, np.maximum))
    reach = np.where(mask, labels, near)
    reach[barred & ~mask] = 0
    refined = np.zeros(grid.shape, dtype=np.uint8)
    rows, columns, slabs = grid.blocks(1) - window[1].start, grid.blocks(2) - window[2].start, grid.blocks(0)
    used_y, used_x = _full_range(reach, 1, rows), _full_range(reach, 2, columns)
    target = (used_y, used_x)
    rows, columns = rows[used_y], columns[used_x]
    for slab in np.flatnonzero(reach.any(axis=(1, 2))):
        allowed, whole = (part[slab].take(columns, axis=1).take(rows, axis=0) for part in (reach, solid))
        for z in np.flatnonzero(slabs == slab):
            inside = hu[z][target] < threshold
            inside |= whole
            np.multiply(allowed, inside, out=refined[z][target])
    return refined


def near_by(mask: NDArray[np.bool_], radius: float, spacing: tuple[float, ...]) -> NDArray[np.bool_]:
    """Blocks whose centres lie within the radius of a block of the mask: a dilation by a ball.

    Row by row: how many columns away the mask may lie depends on how many slices and rows away it lies. For the few
    blocks of a radius this takes a tenth of the time of a distance transform.

    Args:
        mask: bool [z, y, x].
        radius: mm.
        spacing: size of a block in mm (z, y, x).
    """
    depth, height = (int(radius / mm) for mm in spacing[:2])
    wide: dict[int, NDArray[np.bool_]] = {}
    found = np.zeros_like(mask)
    for dz in range(-depth, depth + 1):
        for dy in range(-height, height + 1):
            left = radius**2 - (dz * spacing[0]) ** 2 - (dy * spacing[1]) ** 2
            if left < 0 or abs(dz) >= mask.shape[0] or abs(dy) >= mask.shape[1]:
                continue
            reach = int(np.sqrt(left) / spacing[2])
            if reach not in wide:
                wide[reach] = grown(mask, reach, 2)
            to_z, from_z = _shifted(dz)
            to_y, from_y = _shifted(dy)
            found[to_z, to_y] |= wide[reach][from_z, from_y]
    return found


def _shifted(step: int) -> tuple[slice, slice]:
    """Where an array goes, and which part of it, when it is moved by a step along an axis."""
    return (slice(step, None), slice(None, -step)) if step > 0 else (slice(None, step or None), slice(-step, None))


def _full_range(labels: NDArray[np.uint8], axis: int, blocks: NDArray[np.intp]) -> slice:
    """Full-grid indices along an axis whose blocks hold a label; blocks count from the window's first."""
    used = labels.any(axis=tuple(a for a in range(3) if a != axis))
    within = (blocks >= 0) & (blocks < len(used))
    hit = np.flatnonzero(within & used[np.clip(blocks, 0, len(used) - 1)])
    return slice(0, 0) if not len(hit) else slice(int(hit[0]), int(hit[-1]) + 1)


def _blocks_along(size: int, spacing: float, target: float) -> tuple[int, int, int]:
    """Factor, padding before, and number of blocks, so that a mirrored image has mirrored blocks.

    An even factor on an odd size cannot be padded alike on both ends: the next smaller factor is taken.
    """
    factor = max(1, round(target / spacing))
    if factor % 2 == 0 and size % 2 == 1:
        factor -= 1
    padding = -size % factor
    if padding % 2:
        padding += factor
    return factor, padding // 2, (size + padding) // factor


def _mean_blocks(
    slab: NDArray[np.int16], factors: tuple[int, ...], before: tuple[int, ...], counts: tuple[int, int]
) -> NDArray[np.int16]:
    total = slab[0].astype(np.int32) if len(slab) == 1 else slab.sum(axis=0, dtype=np.int32)
    padded_shape = (counts[0] * factors[0], counts[1] * factors[1])
    if total.shape != padded_shape:
        after = [full - n - b for full, n, b in zip(padded_shape, total.shape, before, strict=True)]
        edges = list(zip(before, after, strict=True))
        total = np.pad(total, edges, mode="edge")
    rows = sum(total[i :: factors[0]] for i in range(factors[0]))
    blocks = sum(rows[:, i :: factors[1]] for i in range(factors[1]))
    return (blocks // (len(slab) * factors[0] * factors[1])).astype(np.int16)

"""What the lungs of a radiograph phantom hold: vessels, scars, and the infection of a class.

Ours: COVID-19 is the CT phantoms' (ground glass near the pleura, several foci), in both lungs of half of the cases
and in the left or right lung alone of a quarter each; community-acquired pneumonia is ``lobar``, in one lung of
85 of 100 cases. Scars, calcified nodules and vessels are drawn without the label.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...case import SIDES
from ...images.volume import LEFT, RIGHT
from ...phantoms.lesion_kinds import SCARS
from ...phantoms.lesions import Blob, LesionModel
from ...phantoms.placement import LungMap, draw_lesions, window_of
from ...phantoms.vessels import Tubes, grow_tree
from ...verdict import DEFAULT_CLASSES
from .lobar import LungFrame, draw_consolidation
from .projection import View
from .upright import Array, LungField, UprightChest

LABELS = dict(zip(SIDES, (LEFT, RIGHT), strict=True))
SHARES = {"covid19": (0.25, 0.25, 0.5), "cap": (0.425, 0.425, 0.15)}
"""Of the infected: left lung alone, right lung alone, both."""


class Opacity(Protocol):
    """What can be painted: ``LesionModel`` or ``LobarModel``."""

    @property
    def bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Corners (x, y, z in mm)."""

    def render(self, x: Array, y: Array, z: Array) -> tuple[Array, Array]:
        """Opacity and HU."""


@dataclass(frozen=True)
class LungTissue:
    """Paints the lungs' inside on the grid of a ``LungField``.

    Attributes:
        field: the lungs.
        hu: float32 [z, y, x] of what is inside them, changed by ``paint``.
    """

    field: LungField
    hu: Array

    @classmethod
    def clear(cls, field: LungField, rng: np.random.Generator) -> "LungTissue":
        """Healthy lung, denser below; vessels are not in it."""
        x, y, z = field.axes
        base = rng.normal(-885.0, 15.0) - rng.uniform(0.0, 0.25) * (z - z[0])[:, None, None]
        return cls(field, np.broadcast_to(base.astype(np.float32), (len(z), len(y), len(x))).copy())

    def paint(self, opacities: Sequence[Opacity], side: int | None = None) -> None:
        """Add what is denser than what is there, in one lung or in both; what is there is never thinned out."""
        for opacity in opacities:
            window = window_of(self.field.axes, *opacity.bounds)
            x, y, z = (self.field.axes[i][window[2 - i]] for i in range(3))
            if not (len(x) and len(y) and len(z)):
                continue
            share, hu = opacity.render(x, y, z)
            if side is not None:
                share = share * (self.field.sides[window] == side)
            part = self.hu[window]
            np.maximum(part, part + share * (hu - part), out=part)

    def water(self, side: int | None = None) -> Array:
        """Path through the lungs' inside along y, mm of water, [z, x]."""
        inside = self.field.share if side is None else self.field.share * (self.field.sides == side)
        return np.einsum("zyx,zyx->zx", self.hu + 1000.0, inside) * (_step(self.field) / 1000.0)


def path(share: Array, field: LungField) -> Array:
    """Path along y through a share of voxels, mm, [z, x]."""
    return share.sum(axis=1, dtype=np.float32) * _step(field)


def _step(field: LungField) -> float:
    return float(field.axes[1][1] - field.axes[1][0])


def coarse_map(field: LungField) -> LungMap:
    """The lungs on every second point of the grid, for drawing places."""
    x, y, z = field.axes
    return LungMap.build(field.labels[::2, :, ::2], (x[::2], y, z[::2]))


def draw_vessels(chest: UprightChest, lungs: LungMap, rng: np.random.Generator) -> Tubes:
    """The vessels of both lungs."""
    trees = []
    for side, label in LABELS.items():
        places = np.argwhere((lungs.labels == label) & (lungs.depth_mm > 3.0))
        chosen = places[rng.choice(len(places), min(600, len(places)), replace=False)]
        points = np.array([lungs.point((z, y, x)) for z, y, x in chosen]) + rng.normal(0, 1.5, (len(chosen), 3))
        trees.append(grow_tree(chest.from_chest(chest.hilum(side)), points, tip_radius=rng.uniform(0.72, 1.0)))
    return Tubes.join(trees)


def mottle(view: View, rng: np.random.Generator) -> Array:
    """Fine structure of the lung, which no coarse grid holds: mm of water for each mm of lung, [y, x]."""
    white = rng.standard_normal((view.height, view.width), dtype=np.float32)
    narrow, wide = (float(mm / view.pixel_mm) for mm in (1.1, 3.2))
    fine = ndimage.gaussian_filter(white, narrow) - ndimage.gaussian_filter(white, wide)
    return fine * np.float32(rng.uniform(0.4, 1.3) / max(float(fine.std()), 1e-6) / 170.0)


def draw_scars(lungs: LungMap, rng: np.random.Generator) -> list[LesionModel]:
    """Scars and calcified nodules; the other irrelevant findings of a CT are none of a clear radiograph."""
    lesions = draw_lesions(DEFAULT_CLASSES.none_found, lungs, rng)
    return [lesion for lesion in lesions if lesion.kind in SCARS]


def draw_sides(label: str, rng: np.random.Generator) -> tuple[str, ...]:
    """The infected sides of a case; none of a healthy one."""
    if label not in SHARES:
        return ()
    return ((SIDES[0],), (SIDES[1],), SIDES)[int(rng.choice(3, p=SHARES[label]))]


def draw_infection(
    label: str, side: str, chest: UprightChest, lungs: LungMap, rng: np.random.Generator
) -> list[Opacity]:
    """The infection of one lung."""
    own = lungs.labels * (lungs.labels == LABELS[side])
    if label == "covid19":
        growth = rng.uniform(1.15, 1.75)
        drawn = draw_lesions(label, replace(lungs, labels=own), rng)
        return [_grown(lesion, growth) for lesion in drawn if lesion.label == label]
    places = np.argwhere(own > 0)
    low, high = lungs.point(tuple(places.min(axis=0))), lungs.point(tuple(places.max(axis=0)))
    frame = LungFrame(side, low, high, chest.from_chest(chest.hilum(side)))
    return [draw_consolidation(frame, rng) for _ in range(2 if rng.random() < 0.15 else 1)]


def _grown(lesion: LesionModel, factor: float) -> LesionModel:
    """On a radiograph only foci larger than many on CT can be seen."""
    middle = lesion.center
    blobs = tuple(Blob(middle + factor * (b.center - middle), factor * b.radii, b.axes) for b in lesion.blobs)
    return replace(lesion, blobs=blobs)

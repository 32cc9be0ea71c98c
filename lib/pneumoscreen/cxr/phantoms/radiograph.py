"""A synthetic frontal chest X-ray with its whole truth: lungs, infection, class and infected sides.

Ours: a digitally reconstructed radiograph. The lungs of an upright phantom chest are painted on a coarse grid as
those of the CT phantoms are and summed along parallel rays from back to front; bones, vessels, airways and wires are
added as exact shadows at the picture's own resolution. Bodies, findings and nuisances are drawn from the seed without
the label: the phantoms of one seed differ by their infection alone.

How visible: every infected lung has an infection whose shadow adds ``VISIBLE_MM`` of water or more on at least
``VISIBLE_SHARE`` of its field, and somewhere twice that; what lies behind heart and diaphragm does not count. A rib
adds 5 to 9 mm. Within its outline the median of a COVID-19 infection is 6 to 19 mm (5th to 95th percentile of lungs),
which is a rib or two and can be hard to see; that of a community-acquired pneumonia is 10 to 62 mm, mostly plain.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import ndimage

from ...case import CXR_CLASSES, SIDES
from ...config import Settings
from ...images.radiograph import Radiograph
from ...phantoms.placement import LungMap
from .exposure import Exposure, add_devices, develop, frame
from .opacities import (
    LABELS,
    LungTissue,
    coarse_map,
    draw_infection,
    draw_scars,
    draw_sides,
    draw_vessels,
    mottle,
    path,
)
from .projection import Shadows, View
from .skeleton import add_airways, add_skeleton, soft_tissue, spine_shadow, stomach_gas, view_of
from .upright import Array, LungField, UprightChest

VISIBLE_MM = 3.5
VISIBLE_SHARE = 0.05
VESSEL_DENSITY = 0.92
"""Mm of water that a mm of vessel adds to the lung it lies in."""
RIM_MM = 12.0
AERATED = 0.72
"""Share of a ray's way through the rib cage that is lung, from which on the eye calls it lung field."""


class RadiographSpec(Settings):
    """How a radiograph phantom is exposed; None draws it from the seed."""

    size: int = Field(512, ge=96, le=2048, description="pixels of the longer side")
    noise: float | None = Field(None, ge=0.0, le=0.2, description="deviation of the grey value where the body is thin")
    contrast: float | None = Field(None, ge=0.3, le=2.0, description="factor on the picture's contrast")


@dataclass(frozen=True)
class RadiographPhantom:
    """A radiograph and its truth.

    Attributes:
        radiograph: the picture.
        label: its class, one of ``CXR_CLASSES``.
        lung_boxes: by side, the smallest box (x, y, w, h) in pixels around the lung field.
        lungs: uint8 [y, x], 1 left, 2 right: lung fields as the eye sees them, infected parts in; without what lies
            behind heart and diaphragm.
        lesions: bool [y, x], where the infection's shadow adds ``VISIBLE_MM`` of water or more.
        sides: by side, whether that lung is infected.
    """

    radiograph: Radiograph
    label: str
    lung_boxes: dict[str, tuple[int, int, int, int]]
    lungs: NDArray[np.uint8]
    lesions: NDArray[np.bool_]
    sides: dict[str, bool]

    @property
    def location(self) -> str:
        """One of ``CXR_LOCATIONS``."""
        ill = [side for side in SIDES if self.sides[side]]
        return "none" if not ill else "bipulmonary" if len(ill) == len(SIDES) else ill[0]


def generate_radiograph(seed: int, label: str | None = None, spec: RadiographSpec | None = None) -> RadiographPhantom:
    """Make the radiograph phantom of a seed.

    Args:
        seed: the same seed, label and spec give the same phantom, pixel for pixel.
        label: one of ``CXR_CLASSES``; None takes them in turn, by the seed.
        spec: how it is exposed.

    Raises:
        ValueError: if the label is not a class.
    """
    spec = spec or RadiographSpec()
    label = label or CXR_CLASSES[seed % len(CXR_CLASSES)]
    if label not in CXR_CLASSES:
        raise ValueError(f"label {label!r} is not one of {CXR_CLASSES}")
    body, taking = np.random.default_rng([seed, 1]), np.random.default_rng([seed, 2])
    illness = np.random.default_rng([seed, 3, CXR_CLASSES.index(label)])
    patient = _Patient.draw(spec.size, body)
    exposure = Exposure.draw(taking).adjusted(spec.noise, spec.contrast)
    usual = patient.water(exposure, body, taking)
    view = patient.view
    lungs = patient.lung_fields(exposure.content(view.width, view.height))
    sides = draw_sides(label, illness)
    added = np.zeros_like(usual)
    for side in sides:
        added += patient.infected(label, side, lungs, illness)
    grey = develop(usual, added, lungs > 0, exposure, taking)
    content = frame(grey, exposure)
    radiograph = Radiograph(
        pixels=grey,
        spacing_mm=(view.pixel_mm, view.pixel_mm),
        content=content,
        case_id=f"xray-{seed:06d}",
        source=Path(f"xray-{seed:06d}.png"),
        sha256=hashlib.sha256(grey.tobytes()).hexdigest(),
    )
    return RadiographPhantom(
        radiograph=radiograph,
        label=label,
        lung_boxes={side: box_of(lungs == value) for side, value in LABELS.items()},
        lungs=lungs,
        lesions=(added >= VISIBLE_MM) & (lungs > 0),
        sides={side: side in sides for side in SIDES},
    )


def box_of(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """The smallest box (x, y, w, h) around a mask [y, x] that is not empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    x, y = int(columns[0]), int(rows[0])
    return x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y


@dataclass(frozen=True)
class _Patient:
    """A chest before the plate; ``tissue`` is its lungs' inside without infection and without vessels."""

    chest: UprightChest
    field: LungField
    places: LungMap
    tissue: LungTissue
    view: View

    @classmethod
    def draw(cls, size: int, body: np.random.Generator) -> "_Patient":
        chest = UprightChest.draw(body)
        field = chest.lungs()
        places = coarse_map(field)
        tissue = LungTissue.clear(field, body)
        tissue.paint(draw_scars(places, body))
        return cls(chest, field, places, tissue, view_of(chest, size, body))

    def water(self, exposure: Exposure, body: np.random.Generator, taking: np.random.Generator) -> Array:
        """Mm of water on every ray through the body without its infection, [y, x]."""
        x, z = self.view.world()
        shadows = Shadows(self.view)
        shadows.add_tubes(draw_vessels(self.chest, self.places, body), VESSEL_DENSITY)
        add_skeleton(shadows, self.chest, body)
        add_airways(shadows, self.chest, body)
        add_devices(shadows, self.chest, exposure.devices, taking)
        total = soft_tissue(self.chest, x, z, body) + spine_shadow(self.chest, x, z, body)
        aerated = self._projected(path(self.field.share, self.field))
        total -= aerated - self._projected(self.tissue.water())
        total += aerated * mottle(self.view, body)
        total -= stomach_gas(self.chest, x, z)
        total = np.maximum(total, 0.0) + shadows.render(exposure.sharp_mm)
        return np.maximum(total, 0.0).astype(np.float32)

    def infected(self, label: str, side: str, lungs: NDArray[np.uint8], rng: np.random.Generator) -> Array:
        """Mm of water that the infection of one lung adds, [y, x]; drawn again until it shows."""
        value = LABELS[side]
        clear = self.tissue.water(value)
        while True:
            ill = LungTissue(self.field, self.tissue.hu.copy())
            ill.paint(draw_infection(label, side, self.chest, self.places, rng), value)
            added = self._projected(ill.water(value) - clear)
            seen = added[lungs == value]
            if (seen >= VISIBLE_MM).mean() >= VISIBLE_SHARE and seen.max() >= 2 * VISIBLE_MM:
                return np.maximum(added, 0.0)

    def lung_fields(self, content: tuple[int, int, int, int]) -> NDArray[np.uint8]:
        """uint8 [y, x]: 1 left, 2 right lung field inside the content (x, y, w, h)."""
        field, (x, y, w, h) = self.field, content
        left, right = (path(field.share * (field.sides == LABELS[side]), field) for side in SIDES)
        # At the rim of the rib cage both ways are short and their ratio says nothing.
        aerated = (left + right) / np.maximum(path(field.cavity, field), RIM_MM)
        lung = self._projected(aerated, order=1) > AERATED
        is_left = self._projected(left - right, order=1) > 0
        labels = np.zeros(lung.shape, np.uint8)
        inside = (slice(y, y + h), slice(x, x + w))
        for side, value in LABELS.items():
            own = _largest((lung & (is_left == (side == "left")))[inside])
            labels[inside][own] = value
        return labels

    def _projected(self, plane: Array, order: int = 3) -> Array:
        return self.view.sample(plane, self.field.axes[0], self.field.axes[2], order)


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    pieces, count = ndimage.label(mask)
    if count > 1:
        mask = pieces == 1 + int(np.argmax(np.bincount(pieces.ravel())[1:]))
    return ndimage.binary_fill_holes(mask)

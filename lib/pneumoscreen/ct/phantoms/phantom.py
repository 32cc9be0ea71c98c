"""A synthetic chest CT with its whole truth: lungs, lesions, types and clinical diagnosis.

Ours. The chest is painted slab by slab on slices thinner than the scan's, which are then averaged:
this gives thick slices their partial volume. Everything follows from the seed.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import ndimage

from ...config import Settings
from ...images.volume import LEFT, RIGHT, Volume
from ...phantoms.anatomy import Anatomy, Axes
from ...phantoms.lesion_kinds import Manifestation
from ...phantoms.lesions import LesionModel, laid_over
from ...phantoms.placement import LungMap, draw_lesions, window_of
from ...phantoms.vessels import Tubes, bronchus, grow_tree, paint_tubes
from ...verdict import DEFAULT_CLASSES
from .acquisition import Kernel

SLAB_SLICES = 12
MAX_PAINTED_MM = 2.6
MIN_LESION_VOXELS = 12


class PhantomSpec(Settings):
    """What a phantom is scanned with (None draws it from the seed), and how far its disease has come."""

    matrix: int = Field(256, ge=64, le=1024, description="pixels a row and rows a slice")
    thickness_mm: float | None = Field(None, ge=0.5, le=10.0, description="slice thickness, without gaps")
    slices: int | None = Field(None, ge=8, le=1000, description="sets the thickness so that the chest fills them")
    noise_hu: float | None = Field(None, ge=0.0, le=200.0, description="standard deviation of the noise")
    manifestation: Manifestation = Field(
        "drawn", description="early: an infection shows as one to three small foci; fine: as bands and small nodules"
    )


@dataclass(frozen=True)
class Lesion:
    """One lesion of the truth: its number in ``Phantom.infection``, class, kind and index box."""

    number: int
    label: str
    kind: str
    box: NDArray[np.float64]


@dataclass(frozen=True)
class Phantom:
    """A phantom and its truth.

    Attributes:
        volume: the CT.
        lungs: uint8 [z, y, x], 1 left, 2 right; diseases in, trachea and main bronchi out.
        infection: uint8 [z, y, x], the number of the lesion that covers a voxel, 0 for none;
            irrelevant findings are numbered too.
        lesions: what the numbers stand for.
        diagnosis: clinical diagnosis, a class of the case list.
    """

    volume: Volume
    lungs: NDArray[np.uint8]
    infection: NDArray[np.uint8]
    lesions: tuple[Lesion, ...]
    diagnosis: str

    @property
    def infections(self) -> tuple[Lesion, ...]:
        """The lesions that are infections."""
        return tuple(lesion for lesion in self.lesions if lesion.label != DEFAULT_CLASSES.irrelevant)

    @property
    def infection_mask(self) -> NDArray[np.bool_]:
        """Voxels of infections, without the irrelevant findings."""
        return np.isin(self.infection, [lesion.number for lesion in self.infections])


def generate_phantom(seed: int, diagnosis: str | None = None, spec: PhantomSpec | None = None) -> Phantom:
    """Make the phantom of a seed.

    Args:
        seed: the same seed, diagnosis and spec give the same phantom, voxel for voxel.
        diagnosis: a class of the case list; None takes them in turn, by the seed.
        spec: how it is scanned.

    Raises:
        ValueError: if the diagnosis is not in the case list.
    """
    spec = spec or PhantomSpec()
    diagnosis = diagnosis or DEFAULT_CLASSES.case_labels[seed % len(DEFAULT_CLASSES.case_labels)]
    if diagnosis not in DEFAULT_CLASSES.case_labels:
        raise ValueError(f"diagnosis {diagnosis!r} is not one of {DEFAULT_CLASSES.case_labels}")
    rng = np.random.default_rng([seed, DEFAULT_CLASSES.case_labels.index(diagnosis)])
    anatomy = Anatomy.draw(rng)
    axes, thickness = _grid(anatomy, spec, rng)
    lung_map = _lung_map(anatomy, axes)
    trees = _Trees.grow(anatomy, lung_map, rng)
    while True:
        models = draw_lesions(diagnosis, lung_map, rng, spec.manifestation)
        painted, lungs, numbers = _Painter(anatomy, trees, models, axes, thickness, rng).paint()
        lesions = lesion_truth(numbers, models)
        # Like the paper, which left out cases without a manifestation: an infection must show.
        if diagnosis == DEFAULT_CLASSES.none_found or any(lesion.label == diagnosis for lesion in lesions):
            break
    hu = _scan(painted, axes, thickness, spec, rng)
    spacing = (float(axes[0][1] - axes[0][0]), float(axes[1][1] - axes[1][0]), thickness)
    volume = Volume(
        hu=hu,
        spacing_mm=spacing,
        origin_mm=(float(axes[0][0]), float(axes[1][0]), float(axes[2][0])),
        direction=np.eye(3),
        case_id=f"phantom-{seed:06d}",
        source=Path(f"phantom-{seed:06d}.nii.gz"),
        sha256=hashlib.sha256(hu.tobytes()).hexdigest(),
    )
    return Phantom(volume, lungs, numbers, lesions, diagnosis)


def lesion_truth(numbers: NDArray[np.uint8], lesions: list[LesionModel]) -> tuple[Lesion, ...]:
    """The truth table of painted lesions; one that others cover or that is a few voxels is left out.

    ``numbers`` is renumbered in place, from 1 without gaps, as the regions of a document count.
    """
    found: list[Lesion] = []
    renumbered = np.zeros(len(lesions) + 1, np.uint8)
    windows = ndimage.find_objects(numbers, len(lesions))
    for painted, (lesion, window) in enumerate(zip(lesions, windows, strict=True), start=1):
        if window is None or (numbers[window] == painted).sum() < MIN_LESION_VOXELS:
            continue
        number = len(found) + 1
        renumbered[painted] = number
        low = [part.start - 0.5 for part in window]
        high = [part.stop - 0.5 for part in window]
        found.append(Lesion(number, lesion.label, lesion.kind, np.array(low + high)))
    numbers[...] = renumbered[numbers]
    return tuple(found)


def _grid(anatomy: Anatomy, spec: PhantomSpec, rng: np.random.Generator) -> tuple[Axes, float]:
    field_of_view = 2 * anatomy.half_extent[0] * rng.uniform(1.05, 1.2)
    bottom, top = -rng.uniform(15.0, 45.0), anatomy.height + rng.uniform(8.0, 30.0)
    thickness = spec.thickness_mm or float(rng.choice([1.0, 1.5, 2.0, 3.0, 5.0, 5.0, 5.0, 5.0, 7.0, 8.0]))
    if spec.slices is not None:
        thickness = round((top - bottom) / spec.slices, 4)
    count = spec.slices or int((top - bottom) / thickness)
    pixel = field_of_view / spec.matrix
    across = ((np.arange(spec.matrix) - (spec.matrix - 1) / 2) * pixel).astype(np.float32)
    up = (bottom + thickness * np.arange(count)).astype(np.float32)
    return (across, across.copy(), up), thickness


def _lung_map(anatomy: Anatomy, axes: Axes) -> LungMap:
    step = 4.0
    x = np.arange(axes[0][0], axes[0][-1], step, dtype=np.float32)
    z = np.arange(axes[2][0], axes[2][-1], step, dtype=np.float32)
    tissue = anatomy.tissue(x[None, None, :], x[None, :, None], z[:, None, None])
    labels = np.where(tissue.lung_distance > 0, np.where(tissue.is_left, LEFT, RIGHT), 0).astype(np.uint8)
    return LungMap.build(labels, (x, x, z))


@dataclass(frozen=True)
class _Trees:
    vessels: Tubes
    airways: Tubes
    main_airways: Tubes

    @classmethod
    def grow(cls, anatomy: Anatomy, lungs: LungMap, rng: np.random.Generator) -> "_Trees":
        carina = anatomy.from_chest(np.array([anatomy.mediastinum_x, 2.0, anatomy.hilum_z + 22.0]))
        top = anatomy.from_chest(np.array([anatomy.mediastinum_x, -12.0, anatomy.height + 40.0]))
        trachea = Tubes(top[None], carina[None], np.array([rng.uniform(7.0, 9.5)]))
        vessels, airways, main = [], [], [trachea]
        for side, label in (("left", LEFT), ("right", RIGHT)):
            places = np.argwhere((lungs.labels == label) & (lungs.depth_mm > 2.0))
            if len(places) < 50:
                continue
            hilum = anatomy.from_chest(anatomy.hilum(side))
            chosen = places[rng.choice(len(places), min(800, len(places)), replace=False)]
            points = np.array([lungs.point((z, y, x)) for z, y, x in chosen]) + rng.normal(0, 1.2, (len(chosen), 3))
            vessels.append(grow_tree(hilum, points, tip_radius=rng.uniform(0.55, 0.8)))
            near = points[np.linalg.norm(points - hilum, axis=1) < 70.0][:14]
            if len(near):
                airways.append(grow_tree(hilum, near + 3.0, tip_radius=1.3))
            main.append(bronchus(carina, hilum, rng.uniform(5.0, 6.5)))
        return cls(Tubes.join(vessels), Tubes.join(airways), Tubes.join(main))


@dataclass(frozen=True)
class Inflation:
    """How a lung is filled with air and blood.

    Attributes:
        base_hu: of lung halfway between front and back.
        gradient: HU a mm towards the back, which lies lower.
        vessel_hu: of the blood; above 60 with contrast medium.
        emphysema_hu: how much thinner the holes are.
    """

    base_hu: float
    gradient: float
    vessel_hu: float
    emphysema_hu: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Inflation":
        """One of seven patients breathes in little, three of ten have contrast medium, one of eight emphysema."""
        shallow = rng.random() < 0.15
        return cls(
            base_hu=float(rng.normal(-755.0, 35.0) if shallow else rng.normal(-865.0, 22.0)),
            gradient=float(rng.uniform(0.5, 1.3) if shallow else rng.uniform(0.1, 0.7)),
            vessel_hu=float(rng.uniform(90.0, 280.0) if rng.random() < 0.3 else rng.uniform(30.0, 55.0)),
            emphysema_hu=float(rng.uniform(30.0, 110.0) if rng.random() < 0.12 else 0.0),
        )


@dataclass(frozen=True)
class _Painter:
    """Paints the chest slab by slab, so that memory does not grow with the number of slices."""

    anatomy: Anatomy
    trees: _Trees
    lesions: list[LesionModel]
    axes: Axes
    thickness: float
    rng: np.random.Generator

    def paint(self) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.uint8]]:
        count = len(self.axes[2])
        shape = (count, len(self.axes[1]), len(self.axes[0]))
        hu, labels, numbers = np.empty(shape, np.float32), np.empty(shape, np.uint8), np.empty(shape, np.uint8)
        air = Inflation.draw(self.rng)
        mottle = self._mottle(shape, air.emphysema_hu)
        for first in range(0, count, SLAB_SLICES):
            part = slice(first, min(first + SLAB_SLICES, count))
            hu[part], labels[part], numbers[part] = self._slab(self.axes[2][part], air, mottle[part])
        return hu, labels, numbers

    def _mottle(self, shape: tuple[int, int, int], emphysema_hu: float) -> NDArray[np.float32]:
        """Uneven density of healthy lung, and the holes that emphysema makes."""
        coarse = self.rng.normal(0.0, 1.0, tuple(max(n // 6, 2) for n in shape)).astype(np.float32)
        uneven = ndimage.zoom(coarse, [n / c for n, c in zip(shape, coarse.shape, strict=True)], order=1)
        return np.asarray(uneven * 16.0 - emphysema_hu * np.clip(uneven, 0.0, 1.0), dtype=np.float32)

    def _slab(
        self, z: NDArray[np.float32], air: "Inflation", mottle: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.uint8]]:
        parts = max(1, int(np.ceil(self.thickness / MAX_PAINTED_MM)))
        offsets = ((np.arange(parts) + 0.5) / parts - 0.5) * self.thickness
        fine = (z[:, None] + offsets[None, :]).ravel().astype(np.float32)
        x, y = self.axes[0], self.axes[1]
        grid = (x, y, fine)
        tissue = self.anatomy.tissue(x[None, None, :], y[None, :, None], fine[:, None, None])
        pixel = float(x[1] - x[0])
        lung = np.clip(tissue.lung_distance / pixel + 0.5, 0.0, 1.0).astype(np.float32)
        inner = air.base_hu + np.float32(air.gradient) * y[None, :, None] + np.repeat(mottle, parts, axis=0)
        number = np.zeros(lung.shape, np.uint8)
        self._paint_lesions(grid, inner, number, lung > 0.5)
        self._paint_tree(grid, inner, self.trees.vessels, air.vessel_hu)
        self._paint_airways(grid, inner)
        whole = tissue.outside_hu + lung * (inner - tissue.outside_hu)
        out_of_lung = self._paint_main_airways(grid, whole)
        inside = (lung > 0.5) & (out_of_lung < 0.5)
        side = np.where(tissue.is_left, LEFT, RIGHT).astype(np.uint8) * inside
        shape = (len(z), parts, *lung.shape[1:])
        middle = (slice(None), parts // 2)
        share = inside.reshape(shape).mean(axis=1) >= 0.5
        labels = np.where(share, side.reshape(shape).max(axis=1), 0).astype(np.uint8)
        numbers = number.reshape(shape)[middle] * share
        return whole.reshape(shape).mean(axis=1), labels, numbers.astype(np.uint8)

    def _paint_lesions(
        self,
        grid: Axes,
        inner: NDArray[np.float32],
        number: NDArray[np.uint8],
        inside: NDArray[np.bool_],
    ) -> None:
        for value, lesion in enumerate(self.lesions, start=1):
            window = window_of(grid, *lesion.bounds)
            x, y, z = (grid[i][window[2 - i]] for i in range(3))
            if not (len(x) and len(y) and len(z)):
                continue
            opacity, hu = lesion.render(x, y, z)
            part = inner[window]
            part[...] = laid_over(part, opacity, hu)
            number[window][(opacity > 0.4) & inside[window]] = value

    def _paint_tree(self, grid: Axes, inner: NDArray[np.float32], tubes: Tubes, hu: float) -> None:
        share = np.zeros_like(inner)
        paint_tubes(share, grid, tubes)
        np.maximum(inner, inner + share * (hu - inner), out=inner)

    def _paint_airways(self, grid: Axes, inner: NDArray[np.float32]) -> None:
        wall, lumen = np.zeros_like(inner), np.zeros_like(inner)
        paint_tubes(wall, grid, self.trees.airways, grow_mm=0.9)
        paint_tubes(lumen, grid, self.trees.airways)
        np.maximum(inner, inner + wall * np.float32(0.6) * (20.0 - inner), out=inner)
        inner += lumen * (-960.0 - inner)

    def _paint_main_airways(self, grid: Axes, whole: NDArray[np.float32]) -> NDArray[np.float32]:
        wall, lumen = np.zeros_like(whole), np.zeros_like(whole)
        paint_tubes(wall, grid, self.trees.main_airways, grow_mm=1.6)
        paint_tubes(lumen, grid, self.trees.main_airways)
        body = whole > -990.0
        whole += (wall * body) * np.float32(0.7) * (30.0 - whole)
        whole += (lumen * body) * (-985.0 - whole)
        return wall


def _scan(
    hu: NDArray[np.float32], axes: Axes, thickness: float, spec: PhantomSpec, rng: np.random.Generator
) -> NDArray[np.int16]:
    pixel = float(axes[0][1] - axes[0][0])
    kernel = Kernel.draw(rng)
    level = spec.noise_hu if spec.noise_hu is not None else rng.uniform(12.0, 36.0) * np.sqrt(5.0 / max(thickness, 1.0))
    result = np.empty(hu.shape, np.int16)
    for k, plane in enumerate(hu):
        blurred = ndimage.gaussian_filter(plane, kernel.blur_mm / pixel)
        sharp = kernel.sharpened(blurred, pixel) + kernel.noise(plane.shape, level, rng)
        result[k] = np.clip(np.rint(sharp), -1024, 3071)
    return result

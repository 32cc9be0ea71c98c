"""Regions and cases to draw, and the chest they lie in."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "slicer_extension" / "PneumoScreen"))

from PneumoScreenLib.contract import Case, ImageInfo, Patch, Region

LESION_LPS = np.array([62.0, 30.0, 45.0])
"""Centre of the one lesion: in the patient's left lung, towards the back and the head."""
LESION_SIZE = np.array([36.0, 28.0, 30.0])
STORED = ("LPS", "RAI", "RAS", "LAS")
"""Orientations as SimpleITK names them: towards which side each index axis runs."""


def chest(oblique_degrees: float = 0.0) -> sitk.Image:
    """An asymmetric chest in canonical orientation: two lungs in a body, and the lesion in the left one."""
    spacing, size = np.array([4.0, 4.0, 5.0]), np.array([64, 56, 50])
    k, j, i = np.meshgrid(*(np.arange(n) for n in size[::-1]), indexing="ij")
    x, y, z = ((index - (n - 1) / 2) * step for index, n, step in zip((i, j, k), size, spacing, strict=True))
    hu = np.full(x.shape, -1000, np.int16)
    hu[(x / 115) ** 2 + (y / 95) ** 2 < 1] = 40
    for middle in (-58.0, 58.0):
        hu[((x - middle) / 40) ** 2 + (y / 70) ** 2 + (z / 110) ** 2 < 1] = -850
    lesion = sum(((axis - c) / (s / 2)) ** 2 for axis, c, s in zip((x, y, z), LESION_LPS, LESION_SIZE, strict=True))
    hu[lesion < 1] = -100
    # No two neighbouring slices, rows or columns are alike, and the server takes it for a CT.
    hu += ((7 * i + 13 * j + 29 * k) % 41 - 20).astype(np.int16)
    image = sitk.GetImageFromArray(hu)
    image.SetSpacing(spacing.tolist())
    angle = np.radians(oblique_degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    image.SetDirection(turn.ravel().tolist())
    image.SetOrigin((turn @ (-(size - 1) / 2 * spacing)).tolist())
    return image


def region(
    region_id: str = "r1",
    center: NDArray[Any] = LESION_LPS,
    size: NDArray[Any] = LESION_SIZE,
    label: str | None = "covid19",
    slices: tuple[int, ...] = (),
) -> Region:
    patches = tuple(Patch(slice=z, label=label or "irrelevant", confidence=0.9, distance_from_edge=0.1) for z in slices)
    return Region(
        id=region_id,
        source="model",
        center_mm=tuple(map(float, center)),
        size_mm=tuple(map(float, size)),
        score=0.9,
        side="left",
        patches=patches,
        label=label,
        confidence=None if label is None else 0.9,
    )


def case_of(*regions: Region) -> Case:
    return Case("chest", "CT", ImageInfo((64, 56, 50), (4.0, 4.0, 5.0), "0" * 64), regions=regions)

"""From a candidate region to its 2-D patches (Xu et al. 2020, section 2.4).

A region is represented by the axial slice through its centre and the two neighbours, each cropped to
the region. The paper gives neither the size of a patch nor its grey scale; both are ours.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch.nn import functional

from ..config import Settings
from ..errors import PneumoScreenError
from ..images.volume import Volume
from .location import relative_distance_from_edge
from .lungs.segmentation import Lungs

NEIGHBOURS = 1
"""Slices taken on each side of the centre slice."""

TIE = 0.02
"""Ours: voxels by which a bound that voxels are counted by lies below where boxes of whole voxels have their centres
and edges. Without it, an even number of slices has its centre exactly between two of them, and the rounding of a box
that went through millimetres (importers keep two decimals, .01 voxels at most) decides which of them is meant."""


class RegionError(PneumoScreenError):
    """A region from which no patch can be cut."""


class PatchSettings(Settings):
    """How patches are cut and scaled.

    Attributes:
        size: rows and columns of a patch. Ours: 64, at which a ResNet-18 still has four stages of detail.
        window_hu: HU mapped to 0 and 1; values beyond are cut. Ours: from below air to above enhanced
            vessels, so that aerated lung (about 0.2), ground glass (0.35 to 0.65) and consolidation
            (0.85 to 0.95) stay apart, and a scan whose values were clipped at 200 HU looks like any other.
        min_side_mm: shortest side in the patient. Ours: a smaller region is widened about its centre, because
            cut tightly a vessel seen end-on or a calcified spot fills its patch like a consolidation does.
    """

    size: int = Field(64, ge=32, le=512)
    window_hu: tuple[float, float] = (-1150.0, 200.0)
    min_side_mm: float = Field(24.0, ge=0.0, le=200.0)

    @model_validator(mode="after")
    def _window_is_open(self) -> "PatchSettings":
        if not self.window_hu[0] < self.window_hu[1]:
            raise ValueError("window_hu must rise")
        return self


DEFAULT_SETTINGS = PatchSettings()


@dataclass(frozen=True)
class PatchImage:
    """One patch.

    Attributes:
        z: its canonical axial slice.
        pixels: float32 [size, size], rows to the patient's back, columns to the left; the HU window is 0 to 1.
        distance_from_edge: relative distance-from-edge of its centre, 0 to 0.5.
    """

    z: int
    pixels: NDArray[np.float32]
    distance_from_edge: float


def extract_patches(
    volume: Volume, lungs: Lungs, box: NDArray[np.float64], settings: PatchSettings = DEFAULT_SETTINGS
) -> list[PatchImage]:
    """The patches of one region, from the lowest slice to the highest.

    Three, but for two cases: at the end of the volume there is no neighbour on one side, and a slice
    without lung is left out, because there is no distance-from-edge in it (ours).

    Args:
        volume: the scan.
        lungs: its lung mask.
        box: index box [z0, y0, x0, z1, y1, x1] on the volume grid.
        settings: size, grey scale and smallest side of a patch.

    Raises:
        RegionError: if the box is not a box, lies outside the scan or touches no slice with lung in it.
    """
    box = np.asarray(box, dtype=np.float64)
    if box.shape != (6,) or not np.isfinite(box).all() or not (box[:3] < box[3:]).all():
        raise RegionError(f"a region needs six finite bounds, the lower below the upper, not {box.tolist()}")
    center = (box[:3] + box[3:]) / 2
    if np.any(center < -0.5) or np.any(center > np.array(volume.hu.shape) - 0.5):
        raise RegionError(f"a region's centre, voxel (z, y, x) {center.round(1).tolist()}, lies outside the scan")
    rows, columns = _crop(volume, box, settings.min_side_mm)
    patches = []
    for z in central_slices(box, volume.hu.shape[0]):
        distance = relative_distance_from_edge(lungs.labels[z] > 0, volume.spacing_zyx[1:], center[1:])
        if distance is not None:
            patches.append(PatchImage(z, _render(volume.hu[z, rows, columns], settings), distance))
    if not patches:
        raise RegionError(f"a region at slice {int(center[0])} shows no lung in its central slices; move or delete it")
    return patches


def central_slices(box: NDArray[np.float64], depth: int) -> list[int]:
    """The slice through the centre of a box and its neighbours, inside a volume of ``depth`` slices."""
    middle = middle_slice(box, depth)
    return list(range(max(middle - NEIGHBOURS, 0), min(middle + NEIGHBOURS, depth - 1) + 1))


def middle_slice(box: NDArray[np.float64], depth: int) -> int:
    """The slice through the centre of a box, the upper one where the centre lies between two.

    The one rule for patches and pictures. It gives the same slice for a box and for the same box after millimetres
    and JSON, see ``TIE``.

    Args:
        box: index box [z0, y0, x0, z1, y1, x1].
        depth: slices of the volume.
    """
    return min(max(int(np.floor((box[0] + box[3]) / 2 + 0.5 + TIE)), 0), depth - 1)


def _crop(volume: Volume, box: NDArray[np.float64], min_side_mm: float) -> tuple[slice, slice]:
    """Rows and columns whose centres lie in the widened box, at least one of each."""
    found = []
    for axis in (1, 2):
        size, spacing = volume.hu.shape[axis], volume.spacing_zyx[axis]
        middle = (box[axis] + box[axis + 3]) / 2
        half = max(box[axis + 3] - box[axis], min_side_mm / spacing) / 2
        low = min(max(int(np.ceil(middle - half - TIE)), 0), size - 1)
        high = min(max(int(np.ceil(middle + half - TIE)), low + 1), size)
        found.append(slice(low, high))
    return found[0], found[1]


def _render(hu: NDArray[np.int16], settings: PatchSettings) -> NDArray[np.float32]:
    low, high = settings.window_hu
    scaled = np.clip((hu.astype(np.float32) - low) / (high - low), 0.0, 1.0)
    # Antialiasing matters where a region is wider than the patch: thin structures would flicker otherwise.
    resized = functional.interpolate(
        torch.from_numpy(scaled)[None, None],
        size=(settings.size, settings.size),
        mode="bilinear",
        align_corners=False,
        antialias=True,
    )
    return resized[0, 0].clamp(0.0, 1.0).numpy()

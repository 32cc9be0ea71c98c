"""The one form in which a CT walks through the program.

A ``Volume`` is held in canonical orientation whatever the file's: array axes [z, y, x] with x growing
to the patient's left, y to the back and z to the head, so that index order and world order agree up
to the small rotation of an oblique scan. Continuous index boxes are [z0, y0, x0, z1, y1, x1]: voxel k
covers k - 0.5 to k + 0.5.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ..case import ImageInfo

CANONICAL_ORIENTATION = "LPS"
LEFT, RIGHT = 1, 2
"""Values of the patient's left and right lung in a lung map; 0 is neither."""


@dataclass(frozen=True)
class Volume:
    """A chest CT in Hounsfield units.

    Attributes:
        hu: int16 [z, y, x], canonical orientation.
        spacing_mm: (x, y, z).
        origin_mm: LPS position of the centre of voxel [0, 0, 0].
        direction: 3x3, columns are the LPS directions of the x, y and z index axes.
        case_id: a name safe for files.
        source: the file or folder it was read from.
        sha256: of the input's bytes.
        series_uid: DICOM SeriesInstanceUID, or None; likewise ``study_uid``.
        stored_orientation: orientation code of the file, as SimpleITK's DICOMOrient names it.
        notes: one sentence for each thing that was repaired or noticed on reading.
        approximate_hu: the values are known to be clipped or rescaled.
        source_below: where it lies below what the user named, for the document; None where that is not known.
    """

    hu: NDArray[np.int16]
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float]
    direction: NDArray[np.float64]
    case_id: str
    source: Path
    sha256: str
    series_uid: str | None = None
    stored_orientation: str = CANONICAL_ORIENTATION
    notes: tuple[str, ...] = ()
    approximate_hu: bool = False
    study_uid: str | None = None
    source_below: str | None = None

    @property
    def spacing_zyx(self) -> tuple[float, float, float]:
        """Spacing in mm in the order of the array axes."""
        x, y, z = self.spacing_mm
        return z, y, x

    def index_to_mm(self, index_zyx: NDArray[np.float64]) -> NDArray[np.float64]:
        """LPS mm [..., 3] (x, y, z) of continuous indices [..., 3] (z, y, x)."""
        scaled = np.asarray(index_zyx, dtype=np.float64)[..., ::-1] * np.asarray(self.spacing_mm)
        return scaled @ self.direction.T + np.asarray(self.origin_mm)

    def mm_to_index(self, point_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Continuous indices [..., 3] (z, y, x) of LPS points [..., 3] in mm."""
        offset = np.asarray(point_mm, dtype=np.float64) - np.asarray(self.origin_mm)
        return ((offset @ np.linalg.inv(self.direction).T) / np.asarray(self.spacing_mm))[..., ::-1]

    def box_to_mm(self, box: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Centre (LPS) and size along the index axes, both (x, y, z) in mm, of an index box."""
        low, high = np.asarray(box, dtype=np.float64)[:3], np.asarray(box, dtype=np.float64)[3:]
        return self.index_to_mm((low + high) / 2), (high - low)[::-1] * np.asarray(self.spacing_mm)

    def box_from_mm(self, center_mm: NDArray[np.float64], size_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """The index box of a centre (LPS) and size along the index axes, the inverse of ``box_to_mm``."""
        center = self.mm_to_index(np.asarray(center_mm))
        half = (np.asarray(size_mm) / np.asarray(self.spacing_mm))[::-1] / 2
        return np.concatenate([center - half, center + half])

    def stored_slice(self, z: int) -> int:
        """Number of a canonical axial slice among the axial slices of the image as stored."""
        return self.hu.shape[0] - 1 - z if "I" in self.stored_orientation else z

    def to_sitk(self, array: NDArray[np.generic]) -> sitk.Image:
        """An array on this grid as a SimpleITK image with the orientation of the file."""
        image = sitk.GetImageFromArray(array)
        image.SetSpacing(self.spacing_mm)
        image.SetOrigin(self.origin_mm)
        image.SetDirection(self.direction.ravel().tolist())
        return sitk.DICOMOrient(image, self.stored_orientation)

    def image_info(self) -> ImageInfo:
        """Size and spacing of the image as stored and where it is from, for the case document."""
        stored = sitk.DICOMOrient(self._geometry(), self.stored_orientation)
        return ImageInfo(
            stored.GetSize(), stored.GetSpacing(), self.sha256, self.series_uid, self.source_below, self.study_uid
        )

    def _geometry(self) -> sitk.Image:
        # A one-byte image carries the geometry through DICOMOrient at an eighth of the memory.
        depth, height, width = self.hu.shape
        image = sitk.Image(width, height, depth, sitk.sitkUInt8)
        image.SetSpacing(self.spacing_mm)
        image.SetOrigin(self.origin_mm)
        image.SetDirection(self.direction.ravel().tolist())
        return image


def box_voxels(box: NDArray[np.float64], shape: Sequence[int]) -> tuple[slice, slice, slice]:
    """Voxels [z, y, x] whose centres lie in an index box, clipped to an array of this shape."""
    low = np.clip(np.ceil(box[:3]), 0, shape).astype(int)
    high = np.clip(np.ceil(box[3:]), low, shape).astype(int)
    z, y, x = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return z, y, x


@dataclass(frozen=True)
class Masks:
    """What a screening marked, on the grid of its volume.

    Attributes:
        volume: the scan.
        lungs: [z, y, x], see ``volume.LEFT``.
        infection: [z, y, x], infected voxels.
    """

    volume: Volume
    lungs: NDArray[np.uint8]
    infection: NDArray[np.bool_]

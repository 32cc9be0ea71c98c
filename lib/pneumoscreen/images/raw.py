"""An image as a file gives it, before it is known to hold Hounsfield units or how it lies."""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..limits import MEBIBYTE, Limits, variable_of
from .faults import DimensionError, GeometryError, TooFewSlicesError

MIN_SLICES = 8
MIN_PLANE = 16
MAX_SIDE = 4096
# 2,048 slices of 512x512; a header that claims more is damaged, or the scan is no chest CT.
MAX_VOXELS = 512 * 512 * 2048
SPACING_RANGE_MM = (0.05, 20.0)
EXTENT_RANGE_MM = (30.0, 3000.0)


@dataclass(frozen=True)
class RawImage:
    """Values and geometry in the order of the file.

    Attributes:
        values: [k, j, i], any integer or floating type.
        spacing_mm: of the index axes (i, j, k).
        origin_mm: LPS position of the centre of voxel [0, 0, 0].
        direction: 3x3, columns are the LPS directions of the index axes (i, j, k).
        sha256: of the input's bytes.
        series_uid: DICOM SeriesInstanceUID, or None; likewise ``study_uid``.
        notes: what was repaired or noticed so far.
    """

    values: NDArray[np.generic]
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float]
    direction: NDArray[np.float64]
    sha256: str
    series_uid: str | None = None
    notes: tuple[str, ...] = ()
    study_uid: str | None = None


def check_size(name: str, size_xyz: tuple[int, ...]) -> None:
    """Refuse a size before memory is taken for it.

    Raises:
        DimensionError: if it is empty, a single picture, or larger than any chest CT.
    """
    shape = " x ".join(map(str, size_xyz))
    if len(size_xyz) != 3:
        raise DimensionError(f"{name} has {len(size_xyz)} dimensions ({shape}); give one volume with three dimensions")
    if min(size_xyz) < 1 or max(size_xyz) > MAX_SIDE or np.prod(size_xyz, dtype=np.float64) > MAX_VOXELS:
        raise DimensionError(f"{name} claims the size {shape}, which no chest CT has; export it again")


def check_bytes(name: str, needed: int) -> None:
    """Refuse what takes more memory than the site allows, before it is decoded.

    Args:
        name: of the file or folder.
        needed: bytes of its voxels or pixels before compression.

    Raises:
        DimensionError: if it does.
    """
    most = Limits.of_environment().max_scan_mb
    if needed > most * MEBIBYTE:
        raise DimensionError(
            f"{name} claims {needed // MEBIBYTE} MB of voxels, more than the {most} MB that are read; "
            f"give the chest only, or raise {variable_of('max_scan_mb')}"
        )


def check_geometry(name: str, spacing_xyz: tuple[float, ...], size_xyz: tuple[int, ...]) -> None:
    """Refuse a grid that no chest CT has; the axes are canonical, the third is the axial one.

    Raises:
        TooFewSlicesError: below ``MIN_SLICES`` axial slices.
        DimensionError: if a slice is smaller than ``MIN_PLANE`` pixels.
        GeometryError: if spacing or extent are implausible (wrong unit, missing spacing).
    """
    if size_xyz[2] < MIN_SLICES:
        raise TooFewSlicesError(
            f"{name} has {size_xyz[2]} axial slices, and fewer than {MIN_SLICES} cannot be screened; "
            "give the whole chest"
        )
    if min(size_xyz[:2]) < MIN_PLANE:
        raise DimensionError(f"{name} has slices of {size_xyz[0]} x {size_xyz[1]} pixels; give the CT at full size")
    low, high = SPACING_RANGE_MM
    smallest, largest = EXTENT_RANGE_MM
    extents = [s * n for s, n in zip(spacing_xyz, size_xyz, strict=True)]
    if not all(low <= s <= high for s in spacing_xyz) or min(extents[:2]) < smallest or max(extents) > largest:
        shown = " x ".join(f"{s:.4g}" for s in spacing_xyz)
        raise GeometryError(
            f"{name} gives voxels of {shown} mm, which no chest CT has; export it again with its spacing in mm"
        )


def hash_files(paths: Iterable[Path]) -> str:
    """SHA-256 (hex) of the bytes of the files, one after the other."""
    digest = sha256()
    for path in paths:
        with path.open("rb") as file:
            while chunk := file.read(1 << 22):
                digest.update(chunk)
    return digest.hexdigest()

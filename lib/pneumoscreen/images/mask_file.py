"""Masks drawn on a scan: label maps on the scan's own grid, in whatever orientation their file keeps them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import CaseError, ImageError
from .canonical import orient, orientation_of
from .faults import DimensionError, GeometryError
from .raw import RawImage
from .volume import Volume
from .volume_file import read_volume_file

MAX_LABEL = 65_535
_TOLERANCE_VOXELS = 0.5


def read_label_map(
    path: Path, volume: Volume, read: Callable[[Path], RawImage] = read_volume_file
) -> NDArray[np.uint16]:
    """The values of a label map file, in canonical orientation.

    Raises:
        CaseError: if it is no label map on the scan's grid; the message does not name the file, which the client
            knows by another name.
    """
    try:
        return read_mask(path, volume, read)
    except ImageError as error:
        raise CaseError("the label map cannot be used: " + str(error).replace(str(path), "it")) from None


def read_mask(path: Path, scan: Volume, read: Callable[[Path], RawImage] = read_volume_file) -> NDArray[np.uint16]:
    """The label map [z, y, x] of a mask file, in canonical orientation like the scan.

    Ours: the mask must have the scan's voxels, at most half a voxel away. A mask of another size or place is
    refused and never resampled: it is far more often that of another scan than a coarser drawing of this one.

    Raises:
        ImageError: if the file cannot be read, holds no labels, or does not fit the scan.
    """
    raw = read(path)
    values, spacing, origin, direction = orient(raw, orientation_of(raw, str(path)))
    if values.shape != scan.hu.shape:
        here, there = (" x ".join(map(str, shape[::-1])) for shape in (values.shape, scan.hu.shape))
        raise DimensionError(
            f"{path} has {here} voxels and its scan {there}, so it does not fit; export the mask on the scan's own grid"
        )
    last = np.array(values.shape, dtype=np.float64) - 1
    corners = np.array([(z, y, x) for z in (0, last[0]) for y in (0, last[1]) for x in (0, last[2])])
    places = (corners[:, ::-1] * np.asarray(spacing)) @ direction.T + np.asarray(origin)
    if np.abs(scan.mm_to_index(places) - corners).max() > _TOLERANCE_VOXELS:
        raise GeometryError(
            f"{path} lies elsewhere in the patient than its scan (origin, spacing or orientation differ); "
            "export the mask on the scan's own grid"
        )
    if values.dtype.kind == "f" and not np.array_equal(values, np.rint(values)):
        raise DimensionError(f"{path} holds fractions and no labels; export it as a label map of whole numbers")
    if values.min() < 0 or values.max() > MAX_LABEL:
        raise DimensionError(f"{path} holds values from {values.min():g} to {values.max():g}, which are no labels")
    return values.astype(np.uint16)

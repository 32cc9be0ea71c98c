"""From a file's orientation to the canonical one, and the ``Volume`` that comes of it."""

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from .faults import GeometryError, ObliqueError, TiltedError
from .hounsfield import to_hounsfield
from .raw import RawImage, check_geometry
from .slice_order import check_slice_order
from .volume import CANONICAL_ORIENTATION, Volume

# Beyond this the index axes are no longer nearly the patient's, and axial slices, sides and
# distances from the edge lose their meaning. Ours; gantry tilt is refused whatever its angle.
MAX_ROTATION_DEGREES = 20.0
_MAX_SKEW = 0.01
_AXES = ("LR", "PA", "SI")
"""The letters of DICOMOrient's codes: of the patient's x, y and z."""


def to_volume(raw: RawImage, case_id: str, source: Path, source_below: str | None = None) -> Volume:
    """Turn an image to canonical orientation and to Hounsfield units.

    Args:
        raw: the image.
        case_id: its name.
        source: the file or folder it was read from.
        source_below: where that lies below what the user named.

    Raises:
        ImageError: of the type that names what is wrong with it.
    """
    name = str(source)
    stored = orientation_of(raw, name)
    values, spacing, origin, direction = orient(raw, stored)
    _check_rotation(direction, name)
    check_geometry(name, spacing, values.shape[::-1])
    hounsfield = to_hounsfield(values, name)
    check_slice_order(hounsfield.hu, name)
    return Volume(
        hu=hounsfield.hu,
        spacing_mm=spacing,
        origin_mm=origin,
        direction=direction,
        case_id=case_id,
        source=source,
        sha256=raw.sha256,
        series_uid=raw.series_uid,
        stored_orientation=stored,
        notes=(*raw.notes, *_orientation_notes(stored), *hounsfield.notes),
        approximate_hu=hounsfield.approximate,
        study_uid=raw.study_uid,
        source_below=source_below,
    )


def orientation_of(raw: RawImage, name: str) -> str:
    """Orientation code of the file, as SimpleITK's DICOMOrient names it.

    Raises:
        GeometryError: if position or direction are no finite numbers.
        TiltedError: if the axes are not at right angles.
    """
    numbers = [*raw.spacing_mm, *raw.origin_mm, *raw.direction.ravel()]
    # Not "greater than": that is False for what is no number, and with such axes ITK never comes to an end.
    is_plausible = np.isfinite(numbers).all() and np.abs(raw.origin_mm).max() <= 1e6 and np.abs(raw.direction).max() < 2
    if not is_plausible:
        raise GeometryError(f"{name} gives a position or direction that is no finite number; export it again")
    gram = raw.direction.T @ raw.direction
    if not np.abs(gram - np.eye(3)).max() <= _MAX_SKEW:
        raise TiltedError(
            f"{name} has axes that are not at right angles (tilted gantry or sheared); give a series without tilt"
        )
    return str(sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(raw.direction.ravel().tolist()))


def orient(raw: RawImage, stored: str) -> tuple[np.ndarray, tuple, tuple, np.ndarray]:
    """Values [z, y, x], spacing, origin and direction in canonical orientation."""
    if stored == CANONICAL_ORIENTATION:
        return raw.values, raw.spacing_mm, raw.origin_mm, raw.direction
    # One copy of the scan; ITK's own turn would hold three more, each of which may be a gigabyte.
    order, flipped = _turn(stored)
    last = np.zeros(3)  # index of the voxel that comes to be the first
    last[order] = np.where(flipped, np.array(raw.values.shape[::-1])[order] - 1, 0)
    x, y, z = (float(mm) for mm in np.array(raw.origin_mm) + raw.direction @ (last * raw.spacing_mm))
    direction = raw.direction[:, order] * np.where(flipped, -1.0, 1.0)
    # Arrays are [z, y, x].
    turned = raw.values.transpose([2 - axis for axis in reversed(order)])
    turned = turned[tuple(slice(None, None, -1 if flip else 1) for flip in reversed(flipped))]
    i, j, k = (raw.spacing_mm[axis] for axis in order)
    return np.ascontiguousarray(turned), (i, j, k), (x, y, z), direction


def _turn(stored: str) -> tuple[list[int], list[bool]]:
    """For x, y and z of the canonical orientation: which axis of the file it is, and whether it runs the other way."""
    order = [next(axis for axis in range(3) if stored[axis] in pair) for pair in _AXES]
    return order, [stored[axis] != letter for axis, letter in zip(order, CANONICAL_ORIENTATION, strict=True)]


def _check_rotation(direction: np.ndarray, name: str) -> None:
    angle = float(np.degrees(np.arccos(np.clip(np.diag(direction).min(), -1.0, 1.0))))
    if angle > MAX_ROTATION_DEGREES:
        raise ObliqueError(
            f"{name} is turned by {angle:.0f} degrees against the patient's axes, and more than "
            f"{MAX_ROTATION_DEGREES:.0f} cannot be screened; give an axial reconstruction"
        )


def _orientation_notes(stored: str) -> tuple[str, ...]:
    if stored == CANONICAL_ORIENTATION:
        return ()
    if stored[2] not in "SI":
        plane = "sagittal" if stored[2] in "LR" else "coronal"
        return (f"The image is stored as {plane} slices ({stored}); its axes were permuted to axial.",)
    if stored[2] == "I":
        return (f"The image is stored from head to feet ({stored}); its slices were put in order from the feet up.",)
    return (f"The image is stored in {stored} orientation and was turned to {CANONICAL_ORIENTATION}.",)

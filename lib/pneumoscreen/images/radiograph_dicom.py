"""Radiographs in DICOM files: decoded by GDCM, looked up by pydicom's handlers, hung as a reader hangs them."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixel_data_handlers.util import apply_modality_lut, apply_voi_lut
from scipy import ndimage

from .dicom_encoding import check_encoding
from .dicom_header import SliceHeader
from .dicom_series import RADIOGRAPHS
from .faults import DamagedError, NotRadiographError
from .radiograph_colour import rgb_to_grey
from .radiograph_header import (
    Hanging,
    check_view,
    hanging,
    is_child,
    keep_sound_window,
    names_other_part,
    read_dataset,
    spacing,
)
from .radiograph_pixels import read_stored
from .radiograph_raw import RawRadiograph, check_sides

# A window that leaves less of the picture between its ends was made for another one (ours).
_LEAST_SEEN = 0.05


def read_dicom_radiograph(headers: Sequence[SliceHeader]) -> RawRadiograph:
    """Read one DICOM radiograph by the headers of its file.

    Raises:
        ImageError: of the type that names what is wrong with the file.
    """
    header, name = headers[0], str(headers[0].path)
    _check(header, name)
    dataset = read_dataset(header.path)
    check_view(dataset, name)
    values, notes = _values(header, dataset)
    if header.photometric == "MONOCHROME1":
        values = -values
        notes += ("The picture was stored inverted (MONOCHROME1); its values were inverted back.",)
    turn = hanging(dataset)
    spacing_mm, said = spacing(dataset)
    notes += said
    if names_other_part(dataset):
        notes += ("The header names another part of the body than the chest.",)
    if is_child(dataset):
        notes += (
            "By the header's age this is a child; the networks have learnt from adults, so read the verdict as unsure.",
        )
    if turn != Hanging():
        values = _hang(values, turn)
        notes += ("The picture was stored turned or mirrored (PatientOrientation); it was turned back.",)
    if turn.transpose and spacing_mm is not None:
        spacing_mm = spacing_mm[::-1]
    return RawRadiograph(values, spacing_mm, header.series_uid or None, notes, header.study_uid or None)


def _check(header: SliceHeader, name: str) -> None:
    """Refuse by the header alone, before memory is taken for the pixels."""
    if header.modality not in RADIOGRAPHS:
        raise NotRadiographError(f"{name} is of another modality than a radiograph; give a chest X-ray")
    if header.frames > 1:
        raise NotRadiographError(f"{name} holds several pictures; give one X-ray a file")
    check_encoding(header, name)
    check_sides(name, header.columns, header.rows)


def _values(header: SliceHeader, dataset: Dataset) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Values [y, x] as the file wants them shown, before an inverted display, and notes."""
    stored = read_stored(header)
    if stored.ndim == 3:
        return rgb_to_grey(str(header.path), stored)
    outside = _padding(stored, header)
    try:
        with warnings.catch_warnings():
            # pydicom's warnings quote values of the header.
            warnings.simplefilter("ignore")
            values, notes = _looked_up(stored, dataset)
    except Exception:
        raise DamagedError(f"{header.path} has a lookup table that cannot be applied; export it again") from None
    if outside is not None and not outside.all():
        # Dark on the screen, whichever way the picture is stored.
        inside = values[~outside]
        values[outside] = inside.max() if header.photometric == "MONOCHROME1" else inside.min()
    return values, notes


def _looked_up(stored: NDArray[Any], dataset: Dataset) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Modality LUT or rescale, then VOI LUT or window; a window that shows next to nothing is left out."""
    values, notes = np.asarray(apply_modality_lut(stored, dataset)), keep_sound_window(dataset)
    shown = np.asarray(apply_voi_lut(values, dataset)).astype(np.float32)
    seen = np.count_nonzero((shown > shown.min()) & (shown < shown.max())) / shown.size
    if seen < _LEAST_SEEN and not np.array_equal(shown, values):
        return values.astype(np.float32), ("The window in the file shows next to nothing; all grey values were taken.",)
    return shown, notes


def _padding(stored: NDArray[Any], header: SliceHeader) -> NDArray[np.bool_] | None:
    """Where [y, x] the picture is padded: pixels of the padding value that are connected to its sides.

    Some writers name a value as padding that bone or air have as well.
    """
    if header.padding is None:
        return None
    low, high = header.padding
    labels, count = ndimage.label((stored >= low) & (stored <= high))
    touching = np.zeros(count + 1, bool)
    for side in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        touching[side] = True
    touching[0] = False
    return touching[labels] if touching.any() else None


def _hang(values: NDArray[np.float32], turn: Hanging) -> NDArray[np.float32]:
    values = values.T if turn.transpose else values
    values = values[:, ::-1] if turn.flip_x else values
    return np.ascontiguousarray(values[::-1] if turn.flip_y else values)

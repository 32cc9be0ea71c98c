"""Slices that a series holds twice: copies of one file, and files that were sent or exported again."""

from collections.abc import Sequence
from hashlib import sha256
from itertools import groupby

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom import config as pydicom_config

from .dicom_header import SliceHeader
from .faults import DamagedError

SAME_POSITION_MM = 0.01
_UNLIKE = {"names_patient", "naming_part", "path", "series_number", "instance_uid", "image_type", "taking"}
"""Fields in which copies of a slice may differ: writers give a copy a name and a number of its own."""


def without_copies(
    slices: Sequence[SliceHeader], normal: NDArray[np.float64]
) -> tuple[list[SliceHeader], tuple[str, ...]]:
    """The slices without those that show the same pixels at the same position as one before them, and notes.

    Args:
        slices: in order of their position along the normal; every one has a position.
        normal: of the slices, LPS.

    Raises:
        DamagedError: if a file that has to be compared cannot be read.
    """
    kept: list[SliceHeader] = []
    for here in _by_position(slices, normal):
        # Pixels are compared only where two slices claim one place.
        seen: set[object] = set()
        for header in here:
            mark = _mark(header) if len(here) > 1 else None
            if mark is None or mark not in seen:
                kept.append(header)
            seen.add(mark)
    left_out = len(slices) - len(kept)
    if not left_out:
        return kept, ()
    copies = "1 copy of a slice was" if left_out == 1 else f"{left_out} copies of slices were"
    return kept, (f"{copies} left out: the series holds the same picture at the same place more than once.",)


def _by_position(slices: Sequence[SliceHeader], normal: NDArray[np.float64]) -> list[list[SliceHeader]]:
    along = np.array([h.position_mm for h in slices]) @ normal
    number = np.concatenate([[0], np.cumsum(np.diff(along) >= SAME_POSITION_MM)])
    return [[header for _, header in group] for _, group in groupby(zip(number, slices, strict=True), lambda p: p[0])]


def _mark(header: SliceHeader) -> tuple[object, ...] | None:
    """What two copies of a slice have in common and no other slice has; None for a frame of several."""
    if header.frames > 1:
        return None
    try:
        with pydicom_config.disable_value_validation():
            pixels = pydicom.dcmread(header.path, force=True, specific_tags=["PixelData"]).PixelData
    except Exception:
        # pydicom raises whatever a damaged file happens to break.
        raise DamagedError(f"{header.path} is damaged; copy it again from the scanner or archive") from None
    fields = tuple(value for name, value in vars(header).items() if name not in _UNLIKE)
    return (*fields, sha256(pixels).digest())

"""A radiograph as a file gives it, before its grey values are scaled, and what no chest X-ray can be."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .faults import DamagedError, DimensionError, NonFiniteError, NotRadiographError

MIN_SIDE = 64
# The largest detectors have about 5,000 pixels a side, digitised films about 8,000 (ours).
MAX_SIDE = 12_000
MAX_ASPECT = 4.0
# Masks and drawings have 2 to about 10 grey values, the poorest real picture at hand above 150 (ours).
MIN_LEVELS = 16


@dataclass(frozen=True)
class RawRadiograph:
    """A picture hung as a reader hangs it.

    Attributes:
        values: float32 [y, x], y to the feet, x to the patient's left, larger where the body is denser; any scale.
        spacing_mm: (x, y), or None where the file states none.
        series_uid: DICOM SeriesInstanceUID, or None; likewise ``study_uid``.
        notes: what was repaired or noticed so far.
    """

    values: NDArray[np.float32]
    spacing_mm: tuple[float, float] | None = None
    series_uid: str | None = None
    notes: tuple[str, ...] = ()
    study_uid: str | None = None


def check_sides(name: str, width: int, height: int) -> None:
    """Refuse a size before memory is taken for it.

    Raises:
        DimensionError: if a side is too short or too long, or one far longer than the other.
    """
    shape = f"{width} x {height} pixels"
    if max(width, height) > MAX_SIDE:
        raise DimensionError(f"{name} claims {shape}, and at most {MAX_SIDE} a side are read; give a smaller picture")
    if min(width, height) < MIN_SIDE:
        raise DimensionError(
            f"{name} has {shape}, and fewer than {MIN_SIDE} a side cannot be screened; give the X-ray at full size"
        )
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise DimensionError(f"{name} has {shape}, which no chest X-ray has; give the whole picture")


def check_values(name: str, values: NDArray[np.generic]) -> None:
    """Refuse values that show nothing.

    Args:
        name: of the file.
        values: [y, x], any real type.

    Raises:
        NonFiniteError: if a value is NaN or infinite.
        DamagedError: if all values are the same.
        NotRadiographError: if there are too few different ones for a picture of a body.
    """
    if not np.isfinite(values).all():
        raise NonFiniteError(f"{name} holds NaN or infinite values; export the X-ray again")
    if values.min() == values.max():
        raise DamagedError(f"{name} is empty: all its pixels are the same; export the X-ray again")
    levels = count_levels(values)
    if levels < MIN_LEVELS:
        raise NotRadiographError(f"{name} has {levels} grey values only, as a mask or a drawing; give the X-ray itself")


def count_levels(values: NDArray[np.generic]) -> int:
    """How many different values there are, counted up to ``MIN_LEVELS`` where that many are found early."""
    # A part nearly always has enough, and sorting millions of pixels takes longer than reading them.
    part = len(np.unique(values.ravel()[:: max(1, values.size // 10_000)]))
    return part if part >= MIN_LEVELS else len(np.unique(values))

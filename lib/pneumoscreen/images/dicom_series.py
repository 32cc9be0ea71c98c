"""Which DICOM slices make one series, and whether they make one volume."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .dicom_copies import SAME_POSITION_MM, without_copies
from .dicom_encoding import check_encoding
from .dicom_header import SliceHeader
from .faults import (
    DamagedError,
    DimensionError,
    DoubledSlicesError,
    GeometryError,
    MissingSlicesError,
    MixedSeriesError,
    NotCTError,
    TiltedError,
    TooFewSlicesError,
)
from .found import names_of
from .raw import MIN_SLICES, check_bytes, check_size

_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
RADIOGRAPHS = ("CR", "DX", "DR", "RG")
"""Modalities of radiographs; DR is no code of the standard, but found in files."""
# Headers write positions with few decimals; half a gap is far larger than this.
_POSITION_TOLERANCE_MM = 0.15
_POSITION_TOLERANCE = 0.1
_MAX_TILT_DEGREES = 0.5
_MOST_SCOUTS = 4
_ACROSS = 0.1
"""Cosine between the normals of two planes that stand across each other."""
_NEAR = 3
"""Slices on each side that a slice is compared with."""
_CUT_OFF = 0.25
"""Of the pixels: how much more zeros at the end than any of those around it a slice may have."""
_CUT_OFF_ALONE = 0.04
"""The same, where neither the slices below nor those above lead up to it: real ones differ by far less."""


@dataclass(frozen=True)
class Stack:
    """The slices of one volume in order of their position along the normal.

    Attributes:
        slices: sorted, the first at ``origin_mm``.
        spacing_mm: (i, j, k): between columns, between rows, between slices.
        origin_mm: LPS position of the first pixel of the first slice.
        direction: 3x3, columns are the LPS directions of the axes (i, j, k).
        notes: what was left out.
    """

    slices: tuple[SliceHeader, ...]
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float]
    direction: NDArray[np.float64]
    notes: tuple[str, ...]


def is_ct(series: Sequence[SliceHeader]) -> bool:
    """Whether the series consists of CT slices, not of scout views, screenshots or another modality."""
    return any(
        h.modality == "CT" and not h.is_localizer and not h.sop_class.startswith(_SECONDARY_CAPTURE) for h in series
    )


def is_companion(series: Sequence[SliceHeader], patients: Collection[str]) -> bool:
    """Whether the series consists of scout views or screenshots of one of these patients, whose CT is there."""
    return all(
        h.patient_key in patients and (h.is_localizer or h.sop_class.startswith(_SECONDARY_CAPTURE)) for h in series
    )


def stack(series: Sequence[SliceHeader], name: str) -> Stack:
    """Put the slices of one series in order and check that they make one volume.

    Raises:
        ImageError: of the type that names what is wrong with the series.
    """
    _check_modality(series, name)
    slices, notes = _without_localizers(series)
    _check_fields(slices, name)
    _check_uniform(slices, name)
    first = slices[0]
    check_size(name, (first.columns, first.rows, len(slices)))
    check_bytes(name, sum(h.pixel_bytes // h.frames for h in slices))
    if len(slices) < MIN_SLICES:
        raise TooFewSlicesError(
            f"{name} has {len(slices)} slices, and fewer than {MIN_SLICES} cannot be screened; give the whole chest"
        )
    row, column = np.array(first.row_direction), np.array(first.column_direction)
    normal = np.cross(row, column)
    order = np.argsort(_positions(slices) @ normal, kind="stable")
    slices, more = without_copies([slices[i] for i in order], normal)
    positions = _positions(slices)
    _check_positions(positions @ normal, name)
    _check_not_interleaved(slices, name)
    _check_ends(slices, name)
    _check_tilt(slices, positions, normal, name)
    between = float((positions[-1] - positions[0]) @ normal) / (len(slices) - 1)
    rows_mm, columns_mm = first.pixel_spacing_mm or (0.0, 0.0)
    x, y, z = (float(p) for p in positions[0])
    return Stack(
        slices=tuple(slices),
        spacing_mm=(float(columns_mm), float(rows_mm), between),
        origin_mm=(x, y, z),
        direction=np.stack([row, column, normal], axis=1),
        notes=(*notes, *more),
    )


def _positions(slices: Sequence[SliceHeader]) -> NDArray[np.float64]:
    return np.array([h.position_mm for h in slices])


def _check_modality(series: Sequence[SliceHeader], name: str) -> None:
    modalities = sorted({h.modality for h in series})
    if any(m in RADIOGRAPHS for m in modalities):
        raise NotCTError(f"{name} is a radiograph (X-ray) and not a CT; give a chest CT")
    if modalities != ["CT"]:
        # Only short codes are quoted: a damaged field could hold anything.
        known = [m for m in modalities if m.isalpha() and len(m) <= 3]
        shown = f"of modality {' and '.join(known)}" if known else "without a modality"
        raise NotCTError(f"{name} is {shown} and not a CT; give a chest CT")
    if all(h.sop_class.startswith(_SECONDARY_CAPTURE) for h in series):
        raise NotCTError(f"{name} holds screenshots (secondary capture) and no CT slices; give the CT series")


def _without_localizers(series: Sequence[SliceHeader]) -> tuple[list[SliceHeader], tuple[str, ...]]:
    kept = _without_across([h for h in series if not h.is_localizer])
    left_out = len(series) - len(kept)
    if not kept or not left_out:
        return list(series), ()
    what = "1 scout view in the series was" if left_out == 1 else f"{left_out} scout views in the series were"
    return kept, (f"{what} left out.",)


def _without_across(series: Sequence[SliceHeader]) -> list[SliceHeader]:
    """Without the few slices that stand across all others: scout views whose header does not say what they are.

    Ours: at most ``_MOST_SCOUTS`` and one in ten. More of them, or some turned by less, could be anything: they stay.
    """
    normals = np.cross(
        [h.row_direction or (0.0, 0.0, 0.0) for h in series], [h.column_direction or (0.0, 0.0, 0.0) for h in series]
    )
    is_plane = np.abs(np.linalg.norm(normals, axis=1) - 1) < 0.01
    for usual in normals[: _MOST_SCOUTS + 1]:
        across = is_plane & (np.abs(normals @ usual) < _ACROSS)
        if across.sum() <= min(_MOST_SCOUTS, len(series) // 10):
            return [h for h, is_across in zip(series, across, strict=True) if not is_across]
    return list(series)


def _check_fields(slices: Sequence[SliceHeader], name: str) -> None:
    for h in slices:
        check_encoding(h, name)
        if h.samples != 1 or not h.photometric.startswith("MONOCHROME"):
            raise DimensionError(f"{name} holds colour pictures and no CT values; give the CT series")
        if h.pixel_spacing_mm is None or min(h.pixel_spacing_mm) <= 0:
            raise GeometryError(f"{name} has no pixel spacing ({h.path.name}); export the series with PixelSpacing")
        if h.position_mm is None or h.row_direction is None or h.column_direction is None:
            raise GeometryError(
                f"{name} has slices without position or orientation ({h.path.name}); "
                "export the series with ImagePositionPatient and ImageOrientationPatient"
            )
        axes = np.array([h.row_direction, h.column_direction])
        if not np.abs(axes @ axes.T - np.eye(2)).max() <= 0.01:  # also what is no number
            raise GeometryError(f"{name} gives an impossible orientation ({h.path.name}); export the series again")
        if h.slope is not None and h.slope <= 0:
            raise GeometryError(f"{name} gives an impossible rescale slope ({h.path.name}); export the series again")


def _check_uniform(slices: Sequence[SliceHeader], name: str) -> None:
    first = slices[0]
    for h in slices[1:]:
        turned = np.abs(
            np.subtract([*(h.row_direction or ()), *(h.column_direction or ())],
                        [*(first.row_direction or ()), *(first.column_direction or ())])
        ).max() > 0.01  # fmt: skip
        if (h.rows, h.columns) != (first.rows, first.columns):
            what = "sizes"
        elif turned:
            what = "orientations"
        elif not np.allclose(h.pixel_spacing_mm or (), first.pixel_spacing_mm or (), rtol=0.01):
            what = "pixel spacings"
        elif (h.slope is None) != (first.slope is None) or (h.intercept is None) != (first.intercept is None):
            what = "kinds of values (some with a rescale intercept, some without)"
        else:
            continue
        raise MixedSeriesError(f"{name} mixes slices of different {what} in one series; export each series by itself")


def _check_positions(along: NDArray[np.float64], name: str) -> None:
    gaps = np.diff(along)
    doubled = int(np.count_nonzero(gaps < SAME_POSITION_MM))
    if doubled:
        raise DoubledSlicesError(
            f"{name} has {doubled} slices at the position of another one; export each acquisition once, by itself"
        )
    usual = float(np.median(gaps))
    allowed = max(_POSITION_TOLERANCE * usual, _POSITION_TOLERANCE_MM)
    wrong = int(np.argmax(np.abs(gaps - usual)))
    if abs(gaps[wrong] - usual) > allowed:
        raise MissingSlicesError(
            f"{name} lacks slices or spaces them unevenly: {gaps[wrong]:.2f} mm after slice {wrong + 1} "
            f"where {usual:.2f} mm are usual; export the complete series"
        )


def _check_not_interleaved(slices: Sequence[SliceHeader], name: str) -> None:
    """Refuse two acquisitions or reconstructions that take turns from slice to slice, by what their headers say.

    Parts of a scan that were taken one after the other lie one after the other, and many a header gives each slice
    its own time.
    """
    for values in zip(*(h.taking for h in slices), strict=True):
        changes = sum(here != there for here, there in pairwise(values))
        if changes >= len(values) // 2 and len(set(values)) <= len(values) // 4:
            raise MixedSeriesError(
                f"{name} mixes slices of {len(set(values))} acquisitions in turn in one series; "
                "export each acquisition by itself"
            )


def _check_ends(slices: Sequence[SliceHeader], name: str) -> None:
    """Refuse slices that run out into zeros where the next ones show something: an interrupted copy leaves such files.

    Ours: a slice without any picture may be meant so, and where air is stored as zeros its share changes slowly.
    """
    ends = [header.blank_end for header in slices]
    cut = [header.path for number, header in enumerate(slices) if ends[number] < 1.0 and _runs_out(ends, number)]
    if cut:
        raise DamagedError(f"{name} holds damaged DICOM files ({names_of(cut)}); copy the series again")


def _runs_out(ends: Sequence[float], number: int) -> bool:
    """Whether the zeros at a slice's end are more than the slices around it explain.

    Args:
        ends: share of each slice's pixels that are zeros at its end.
        number: of the slice.
    """
    below, above = ends[max(0, number - _NEAR) : number][::-1], ends[number + 1 : number + 1 + _NEAR]
    if ends[number] - min((*below, *above), default=ends[number]) > _CUT_OFF:
        return True
    led_up_to = [max(side[0], 2 * side[0] - side[1]) for side in (below, above) if len(side) > 1]
    return ends[number] - max(led_up_to, default=1.0) > _CUT_OFF_ALONE


def _check_tilt(
    slices: Sequence[SliceHeader], positions: NDArray[np.float64], normal: NDArray[np.float64], name: str
) -> None:
    remedy = "give a reconstruction without gantry tilt"
    if any(abs(h.gantry_tilt) > _MAX_TILT_DEGREES for h in slices):
        raise TiltedError(f"{name} was taken with a tilted gantry; {remedy}")
    for here, there in pairwise((positions[0], positions[len(positions) // 2], positions[-1])):
        step = there - here
        along = float(step @ normal)
        aside = float(np.linalg.norm(step - along * normal))
        if aside > np.tan(np.radians(_MAX_TILT_DEGREES)) * along + _POSITION_TOLERANCE_MM:
            raise TiltedError(f"{name} has slices that are displaced sideways (tilted gantry); {remedy}")

"""Pixels of a DICOM stack as rescaled values, decoded by GDCM."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .dicom_encoding import COMPRESSED, is_shifted, read_shifted
from .dicom_header import SliceHeader
from .dicom_series import Stack
from .faults import DamagedError
from .gdcm import decode_by_gdcm, decode_compressed
from .hounsfield import HU_RANGE, PADDING_BELOW
from .raw import RawImage, hash_files

_PADDING = 2 * PADDING_BELOW


def read_stack(stack: Stack, name: str) -> RawImage:
    """Decode the slices of a stack; padding is air and MONOCHROME1 is undone in the result.

    Raises:
        DamagedError: if the pixels of a slice cannot be decoded.
    """
    leads = _leads(stack.slices)
    with ThreadPoolExecutor(max_workers=3) as pool:
        digest = pool.submit(hash_files, list(leads))
        decoded = _decoded(leads, name, pool)
        sha256 = digest.result()
    values, notes = _assemble(stack.slices, decoded, leads)
    return RawImage(
        values=values,
        spacing_mm=stack.spacing_mm,
        origin_mm=stack.origin_mm,
        direction=stack.direction,
        sha256=sha256,
        series_uid=stack.slices[0].series_uid or None,
        notes=(*stack.notes, *notes),
        study_uid=stack.slices[0].study_uid or None,
    )


def _leads(slices: Sequence[SliceHeader]) -> dict[Path, SliceHeader]:
    """For each file, in order of position, the header of its first frame, whose rescaling GDCM applies to all."""
    leads: dict[Path, SliceHeader] = {}
    for header in slices:
        if header.path not in leads or header.frame == 0:
            leads[header.path] = header
    return leads


def _decoded(leads: Mapping[Path, SliceHeader], name: str, pool: Executor) -> dict[Path, NDArray[Any]]:
    """Frames [n, row, column] of each file, rescaled with the slope and intercept of its first frame."""
    compressed = [path for path, lead in leads.items() if lead.transfer_syntax in COMPRESSED]
    found = dict(zip(compressed, decode_compressed(compressed, name), strict=True)) if compressed else {}
    plain = [lead for path, lead in leads.items() if path not in found]
    if plain:
        # GDCM fills its tables at its first use, which is no work for two threads at a time: a process died of it.
        first, *others = plain
        pixels = (_decode(first), *pool.map(_decode, others))
        found |= {lead.path: frames for lead, frames in zip(plain, pixels, strict=True)}
    return {path: frames if frames.ndim == 3 else frames[np.newaxis] for path, frames in found.items()}


def _decode(lead: SliceHeader) -> NDArray[Any]:
    try:
        if is_shifted(lead):
            return read_shifted(lead) * (lead.slope or 1.0) + (lead.intercept or 0.0)
        return decode_by_gdcm(lead.path)
    except Exception:
        # ITK raises RuntimeError, pydicom and numpy whatever a damaged file happens to break.
        raise DamagedError(
            f"{lead.path} holds pixels that cannot be decoded (truncated or damaged); copy it again from the archive"
        ) from None


def _assemble(
    slices: Sequence[SliceHeader], decoded: dict[Path, NDArray[Any]], leads: dict[Path, SliceHeader]
) -> tuple[NDArray[Any], tuple[str, ...]]:
    planes = []
    for header in slices:
        frames = decoded[header.path]
        if frames.shape != (header.frames, header.rows, header.columns):
            raise DamagedError(f"{header.path} does not hold the pixels that its header claims; copy it again")
        plane = _rescale(frames[header.frame], leads[header.path], header)
        planes.append(_mark_padding(plane, header))
    kind = np.result_type(*{plane.dtype for plane in planes})
    values = np.stack([plane.astype(kind, copy=False) for plane in planes])
    if slices[0].photometric == "MONOCHROME1":
        return _undo_monochrome1(values, slices)
    return values, ()


def _rescale(plane: NDArray[Any], applied: SliceHeader, header: SliceHeader) -> NDArray[Any]:
    """A frame with its own slope and intercept where GDCM applied those of the file's first frame."""
    own = (header.slope or 1.0, header.intercept or 0.0)
    slope, intercept = applied.slope or 1.0, applied.intercept or 0.0
    return plane if own == (slope, intercept) else (plane - intercept) / slope * own[0] + own[1]


def _stored_to_value(stored: float, header: SliceHeader) -> float:
    return stored * (header.slope or 1.0) + (header.intercept or 0.0)


def _mark_padding(plane: NDArray[Any], header: SliceHeader) -> NDArray[Any]:
    """The slice with its padding set to a value that ``hounsfield`` takes for padding.

    A padding value within the range of tissue is believed only if it fills the corners: some writers
    name 0 as padding and mean nothing by it. Values far below air need no mark.
    """
    if header.padding is None or header.photometric == "MONOCHROME1":
        return plane
    low, high = (_stored_to_value(end, header) for end in header.padding)
    if high <= HU_RANGE[0]:
        return plane
    half = 0.5 * (header.slope or 1.0)
    hollow = (plane > low - half) & (plane < high + half)
    if low < HU_RANGE[1] and not hollow[[0, 0, -1, -1], [0, -1, 0, -1]].all():
        return plane
    return np.where(hollow, np.int32(_PADDING), plane)


def _undo_monochrome1(values: NDArray[Any], slices: Sequence[SliceHeader]) -> tuple[NDArray[Any], tuple[str, ...]]:
    """MONOCHROME1 asks for an inverted display; the values are HU all the same, or they are inverted too.

    GDCM inverts them. Which is right shows at the border of the slices, where the air is.
    """
    restored = np.empty(values.shape, np.float64)
    for plane, header, target in zip(values, slices, restored, strict=True):
        ends = (-1 << (header.bits_stored - 1), (1 << (header.bits_stored - 1)) - 1)
        low, high = ends if header.signed else (0, (1 << header.bits_stored) - 1)
        target[...] = _stored_to_value(low, header) + _stored_to_value(high, header) - plane.astype(np.float64)
    if _border_median(restored) <= _border_median(values):
        return restored, ("The image asks for an inverted display (MONOCHROME1); its values were taken as they are.",)
    return values, ("The image was stored inverted (MONOCHROME1); its values were inverted back.",)


def _border_median(values: NDArray[Any]) -> float:
    edges = (values[:, 0], values[:, -1], values[:, :, 0], values[:, :, -1])
    return float(np.median(np.concatenate([edge.ravel() for edge in edges])))

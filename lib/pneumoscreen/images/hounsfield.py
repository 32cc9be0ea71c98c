"""Stored values to Hounsfield units: what can be repaired is repaired and noted, the rest refused.

All thresholds here are ours: they follow from what CT values mean (air -1000, water 0, scanners'
range -1024 to 3071), not from a paper.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .faults import NonFiniteError, NotCTError

HU_RANGE = (-1024, 3071)
# Noise in air reaches some -1300 HU; scanners' padding starts at -1500 (-2000, -2048, -3024, -32768).
PADDING_BELOW = -1500
# Padding has one value, noise below air has many (ours).
_PADDING_EVEN = 0.5
# Of a chest nothing in all the corners is even and brighter than nine tenths of the rest (ours).
_PADDING_CORNERS = 0.9
_PADDING_BRIGHTER = 0.9
_SAMPLE = 2_000_000
_LABEL_MAP_VALUES = 32
_EIGHT_BIT_VALUES = 256
_OFFSET = 1024


@dataclass(frozen=True)
class Hounsfield:
    """Values int16 [k, j, i] within ``HU_RANGE``; notes; whether they are known to be approximate."""

    hu: NDArray[np.int16]
    notes: tuple[str, ...]
    approximate: bool


def to_hounsfield(values: NDArray[np.generic], name: str) -> Hounsfield:
    """Hounsfield units of an image's values [k, j, i], any integer or floating type.

    The values are not changed; where nothing is to be mended, they themselves are the result.

    Raises:
        NonFiniteError: for NaN or infinite values.
        NotCTError: if the values cannot be Hounsfield units (a label map, an 8-bit picture stack, MR or PET).
    """
    if values.dtype.kind == "f" and not all(np.isfinite(slab).all() for slab in values):
        raise NonFiniteError(f"{name} holds NaN or infinite values; export it again with whole Hounsfield units")
    sample = _sample(values)
    outside = _bright_padding(values, sample)
    if outside is not None:
        sample = sample[~_sample(outside).astype(bool)]
    is_padding = sample <= PADDING_BELOW
    body = sample[~is_padding]
    if body.size == 0:
        raise NotCTError(f"{name} holds padding only; export the CT again")
    levels = _levels(body)
    offset, notes = _offset(body, levels, name)
    if offset:
        body = body + offset
    _check_values(body, name)
    padded = 0 if outside is None else int(np.count_nonzero(outside))
    if _is_even(sample[is_padding]):
        padded += sum(int(np.count_nonzero(slab <= PADDING_BELOW)) for slab in values)
    if padded:
        share = f"{100.0 * padded / values.size:.1f} % of the voxels"
        notes.append(f"Padding outside the scanned circle ({share}) was replaced by air (-1024 HU).")
    approximate = _approximate(body, levels)
    hu = _convert(values, offset)
    if outside is not None:
        hu = np.where(outside, np.int16(HU_RANGE[0]), hu)
    return Hounsfield(hu, (*notes, *approximate), bool(approximate))


def _sample(values: NDArray[np.generic]) -> NDArray[np.float64]:
    # A step without a common divisor with the row walks through all columns, not down a few of them.
    step = max(1, values.size // _SAMPLE)
    while math.gcd(step, values.shape[-1]) > 1:
        step += 1
    return np.ravel(values)[::step].astype(np.float64)


def _is_even(low: NDArray[np.float64]) -> bool:
    """Whether most of the values below air are one value."""
    return bool(low.size and np.unique(low, return_counts=True)[1].max() >= _PADDING_EVEN * low.size)


def _bright_padding(values: NDArray[np.generic], sample: NDArray[np.float64]) -> NDArray[np.bool_] | None:
    """Padding [k, j, i] that looks denser than bone; None where there is none.

    Writers that pad with -2000 and store values without sign make 63536 of it, and of 12 bits of that 2096; few of
    them name the value.
    """
    found, counts = np.unique(values[:, [0, 0, -1, -1], [0, -1, 0, -1]], return_counts=True)
    value, rest = found[counts.argmax()], sample[sample != found[counts.argmax()]]
    if counts.max() < _PADDING_CORNERS * counts.sum() or not rest.size:
        return None
    if value <= np.quantile(rest, _PADDING_BRIGHTER):
        return None
    outside = np.zeros(values.shape, np.bool_)
    for slab, target in zip(values, outside, strict=True):
        pieces, _ = ndimage.label(slab == value)
        # The body may have voxels of that value as well.
        of_corners = np.unique(pieces[[0, 0, -1, -1], [0, -1, 0, -1]])
        target[...] = np.isin(pieces, of_corners[of_corners > 0])
    return outside


def _offset(body: NDArray[np.float64], levels: int, name: str) -> tuple[float, list[str]]:
    """What must be added to become HU: 0, or -1024 for values that were stored unsigned."""
    low, high = float(body.min()), float(body.max())
    if low >= 0 and high <= 255:
        what = "label map" if levels < _LABEL_MAP_VALUES else "stack of 8-bit pictures"
        raise NotCTError(
            f"{name} holds only the values {low:g} to {high:g}, so it is a {what} and no CT; "
            "give the CT in Hounsfield units"
        )
    if levels < _LABEL_MAP_VALUES:
        raise NotCTError(f"{name} holds only {levels} different values, so it is a label map; give the CT itself")
    # A few voxels of noise below 0 do not make an unsigned image signed.
    if np.quantile(body, 0.001) >= -10:
        if not _is_shifted_ct(body):
            raise NotCTError(
                f"{name} holds values from {low:g} to {high:g}, which are no Hounsfield units "
                "(air would be near -1000); give the CT in Hounsfield units"
            )
        note = "The rescale intercept was missing: the values were taken as stored with an offset of 1024 HU."
        return -float(_OFFSET), [note]
    return 0.0, []


def _is_shifted_ct(body: NDArray[np.float64]) -> bool:
    # In CT, whatever is denser than lung lies almost wholly between fat and muscle, here 850 to 1150; in MR
    # and PET nothing gathers there. And some of the picture is air.
    dense = body[body > 400]
    air = np.count_nonzero(body < 400)
    if min(dense.size, air) < 0.01 * body.size:
        return False
    return bool(np.mean((dense > 850) & (dense < 1250)) > 0.5)


def _check_values(body: NDArray[np.float64], name: str) -> None:
    air = np.mean(body < -500)
    tissue = np.mean((body > -300) & (body < 300))
    if air < 0.005 or tissue < 0.005:
        lacking = "no air (near -1000)" if air < 0.005 else "no soft tissue (near 0)"
        raise NotCTError(
            f"{name} holds values from {body.min():g} to {body.max():g} with {lacking}, so they are no "
            "Hounsfield units of a chest; give the chest CT in Hounsfield units"
        )


def _approximate(body: NDArray[np.float64], levels: int) -> list[str]:
    """A note where the values were made from pictures or cut to a display window."""
    low, high = float(body.min()), float(body.max())
    if levels <= _EIGHT_BIT_VALUES:
        why = f"the image holds {levels} grey levels between {low:.0f} and {high:.0f} HU, as made from 8-bit pictures"
    elif high < 1000 and np.mean(body == high) > 0.002:
        why = f"everything above {high:.0f} HU was cut off"
    elif low > -950 and np.mean(body == low) > 0.02:
        why = f"everything below {low:.0f} HU was cut off"
    else:
        return []
    return [f"Hounsfield units are approximate: {why}."]


def _levels(body: NDArray[np.float64]) -> int:
    """How many different values there are, whatever is added to all of them."""
    low = body.min()
    span = float(body.max() - low)
    if span < 1 << 20 and np.array_equal(body, np.rint(body)):
        seen = np.zeros(int(span) + 1, dtype=bool)
        seen[(body - low).astype(np.int32)] = True
        return int(np.count_nonzero(seen))
    return int(np.unique(body).size)


def _convert(values: NDArray[np.generic], offset: float) -> NDArray[np.int16]:
    """Padding lies below the range, with an offset all the more so: it becomes air like everything there."""
    low, high = HU_RANGE
    if values.dtype == np.int16 and not offset:
        hu = values.astype(np.int16, copy=False)
        # New memory for a whole scan costs more than looking through it.
        return hu if low <= hu.min() and hu.max() <= high else np.clip(hu, low, high)
    # Slab by slab: a float64 file of a long chest would take several times its memory otherwise.
    hu = np.empty(values.shape, np.int16)
    whole = values.dtype.kind in "iu"
    for slab, target in zip(values, hu, strict=True):
        if whole:
            shifted = slab.astype(np.int32 if slab.dtype.itemsize < 4 else np.int64) + int(offset)
        else:
            shifted = np.rint(slab + offset)
        target[...] = np.clip(shifted, low, high)
    return hu

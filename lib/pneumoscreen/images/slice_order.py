"""Whether the slices of a volume follow each other: two scans shuffled into one do not show in any header."""

import numpy as np
from numpy.typing import NDArray

from .faults import MixedSeriesError

# In 23 real scans and in the phantoms a slice differs from the next one by 0.4 of what it differs from the next but
# one (squares of HU), in pure noise by as much; in two patients shuffled together by over 100 times as much (ours).
_MOST = 1.2
_BLOCK = 4
_HU_RANGE = (-1024, 500)


def check_slice_order(hu: NDArray[np.int16], name: str) -> None:
    """Refuse a volume [z, y, x] in which every slice is more like the next but one than like the next.

    Raises:
        MixedSeriesError: if it is such a one.
    """
    blocks = np.stack([_block_means(plane) for plane in hu])
    next_one = float(np.square(blocks[1:] - blocks[:-1]).mean())
    next_but_one = float(np.square(blocks[2:] - blocks[:-2]).mean())
    if next_one > _MOST * next_but_one:
        raise MixedSeriesError(
            f"{name} holds two scans whose slices take turns; export each series or acquisition by itself"
        )


def _block_means(plane: NDArray[np.int16]) -> NDArray[np.float32]:
    """A slice [y, x] at a quarter of its resolution; what does not fill a block at its end is left aside."""
    height, width = (side // _BLOCK * _BLOCK for side in plane.shape)
    seen = np.clip(plane[:height, :width], *_HU_RANGE).astype(np.float32)  # metal would outweigh everything else
    # Sums of shifted rows and columns: a mean over two axes at once takes five times as long.
    rows = np.add.reduce([seen[first::_BLOCK] for first in range(_BLOCK)])
    return np.asarray(np.add.reduce([rows[:, first::_BLOCK] for first in range(_BLOCK)]) / _BLOCK**2, np.float32)

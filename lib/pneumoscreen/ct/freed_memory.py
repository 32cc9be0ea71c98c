"""Memory that the candidate network frees is kept for its next layer and for the next scan.

The C library gives large blocks back to the kernel as soon as they are free, and the kernel clears every page that it
hands out again. The layers of one scan take and free some gigabytes: a third of the network's time went into that.
"""

import ctypes
import sys
from functools import cache

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of ``mallopt``, from glibc's ``malloc.h``."""

LARGEST_BLOCK = 256 << 20
"""Ours: the largest block that is kept, in bytes. A feature map at full resolution fits, a thin-slice scan does not."""

MOST_KEPT = 768 << 20
"""Ours: free bytes from which on memory is given back after all; the maps of one scan take less."""


@cache
def keep_freed_memory() -> None:
    """Let this process keep what it frees, within the bounds above; without effect where the C library is not glibc."""
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, LARGEST_BLOCK)
        mallopt(_TRIM_THRESHOLD, MOST_KEPT)

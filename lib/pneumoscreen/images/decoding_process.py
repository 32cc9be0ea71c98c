"""The process that decodes compressed DICOM pixels: ``python -m pneumoscreen.images.decoding_process``."""

import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..subprocesses.serving import Reply, run
from .gdcm import decode_by_gdcm


def _frames(order: dict[str, Any]) -> Reply:
    """Pixels of several files, one after the other, and which file failed, if one did."""
    paths = [Path(text) for text in order["paths"]]
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        # GDCM fills its tables at its first use, which is no work for two threads at a time: a process died of it.
        with ThreadPoolExecutor(max_workers=2) as pool:
            found = [_decoded(paths[0]), *pool.map(_decoded, paths[1:])]
        complained = bool(said.seek(0, os.SEEK_END))
    failed = next((place for place, pixels in enumerate(found) if pixels is None), None)
    values: dict[str, Any] = {"failed": failed, "complained": complained}
    whole = [pixels for pixels in found if pixels is not None]
    if failed is not None or complained:
        return values, None
    values["frames"] = [{"dtype": pixels.dtype.str, "shape": pixels.shape} for pixels in whole]
    return values, np.concatenate([np.frombuffer(np.ascontiguousarray(pixels), np.uint8) for pixels in whole])


def _decoded(path: Path) -> NDArray[Any] | None:
    try:
        return decode_by_gdcm(path)
    except RuntimeError:
        return None  # ITK's error for what GDCM does not decode


if __name__ == "__main__":
    sys.exit(run({"frames": _frames}))

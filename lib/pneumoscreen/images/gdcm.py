"""Pixels of DICOM files, decoded by GDCM: compressed ones in a process that may die of them.

Over some damaged JPEG data GDCM reads memory that is not there, and over other data it says so on standard error and
returns a wrong picture. A user should see one sentence of ours instead, and no wrong picture.

Thread contract: several threads may ask; compressed files are decoded for one of them at a time.
"""

import atexit
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ..limits import Limits, variable_of
from ..subprocesses.child import GoneError
from ..subprocesses.children import Children
from .faults import DamagedError, DimensionError

_MODULE = "pneumoscreen.images.decoding_process"
_PATIENCE = 10
"""Ours: seconds that may pass for each second of the processor that a decoding may take."""
_lock = threading.Lock()
_children = Children(_MODULE, most=1)
atexit.register(_children.close)


def decode_by_gdcm(path: Path) -> NDArray[Any]:
    """Pixels of a file, in this process.

    Raises:
        RuntimeError: if ITK cannot read it.
    """
    # ITK's warnings quote header fields.
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    return sitk.GetArrayFromImage(reader.Execute())


def decode_compressed(paths: Sequence[Path], name: str) -> list[NDArray[Any]]:
    """Pixels of compressed files.

    Args:
        paths: of the files.
        name: what sentences call them together.

    Raises:
        DamagedError: if one of them cannot be decoded, or not without a complaint.
        DimensionError: if they need more memory or time than is allowed.
    """
    limits = Limits.of_environment()
    with _lock:
        child = _children.taken(limits)
        try:
            # The system counts the seconds of the processor; on a busy machine they take longer than that.
            end = time.monotonic() + _PATIENCE * limits.read_seconds
            order = {"kind": "frames", "paths": [str(path) for path in paths]}
            answer, data = child.ask(order, end, bool)
            values: dict[str, Any] = answer["values"]
        except GoneError as gone:
            child.end()
            if gone.is_late:
                raise DimensionError(
                    f"{name} takes too long to decode; give a smaller scan, or raise {variable_of('read_seconds')}"
                ) from None
            raise DamagedError(f"{name} holds damaged pixels, over which the decoder ended; copy it again") from None
        except KeyError:
            child.end()
            raise DimensionError(
                f"{name} needs too much memory to be decoded; give the chest only, "
                f"or raise {variable_of('read_memory_mb')}"
            ) from None
        except BaseException:
            child.end()
            raise
        _children.put_back(child)
    if values["failed"] is not None:
        raise DamagedError(
            f"{paths[values['failed']]} holds pixels that cannot be decoded (truncated or damaged); copy it again from "
            "the archive"
        )
    if values["complained"] or data is None:
        raise DamagedError(f"{name} holds damaged compressed pixels; copy it again from the scanner or archive")
    return _cut(data, values["frames"])


def warm_up() -> None:
    """Start the process that decodes, so that it is there when the first compressed file is read."""
    if _lock.acquire(blocking=False):  # else one decodes already
        try:
            _children.warm_up(Limits.of_environment())
        finally:
            _lock.release()


def _cut(data: NDArray[np.uint8], frames: Sequence[dict[str, Any]]) -> list[NDArray[Any]]:
    found, begun = [], 0
    for frame in frames:
        kind, shape = np.dtype(frame["dtype"]), tuple(frame["shape"])
        count = kind.itemsize * int(np.prod(shape))
        found.append(data[begun : begun + count].view(kind).reshape(shape))
        begun += count
    return found

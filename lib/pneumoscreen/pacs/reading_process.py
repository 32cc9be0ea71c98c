"""The process that reads what a PACS or a scanner sent: ``python -m pneumoscreen.pacs.reading_process``."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pydicom

from ..errors import ImageError
from ..reading.process import run
from ..subprocesses.serving import Reply
from .headers import encoded
from .source import only_input, source_of

_RECEIVED = ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", "Modality", "InstanceNumber"]
_LONGEST = 100
"""Letters of a value that are looked at: more than a UID has."""
_LAST_NUMBER = 10**9


def _source(order: dict[str, Any]) -> Reply:
    item = only_input(Path(order["path"]))
    source = source_of(item)
    values = {"modality": item.modality, "path": str(item.path), "frames": source.frames}
    return values, np.frombuffer(encoded(source.images), np.uint8)


def _received(order: dict[str, Any]) -> Reply:
    header = _header(order, _RECEIVED)
    try:
        number = int(header.get("InstanceNumber") or 0)
    except (TypeError, ValueError):
        number = 0
    names = {"study": "StudyInstanceUID", "series": "SeriesInstanceUID", "instance": "SOPInstanceUID"}
    names |= {"sop_class": "SOPClassUID", "modality": "Modality"}
    texts = {name: str(header.get(keyword) or "")[:_LONGEST] for name, keyword in names.items()}
    return {**texts, "number": min(max(number, 0), _LAST_NUMBER)}, None


def _told(order: dict[str, Any]) -> Reply:
    return {}, np.frombuffer(encoded([_header(order)]), np.uint8)


def _header(order: dict[str, Any], keywords: list[str] | None = None) -> pydicom.Dataset:
    try:
        return pydicom.dcmread(order["path"], stop_before_pixels=True, specific_tags=keywords)
    except (OSError, MemoryError):
        raise
    except Exception:
        # pydicom raises whatever a damaged file happens to break.
        raise ImageError(f"{order['path']} is damaged; send it again") from None


if __name__ == "__main__":
    sys.exit(run({"source": _source, "received": _received, "header": _told}))

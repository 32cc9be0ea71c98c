"""Headers between the process that reads files and this one: as DICOM's JSON, without pixels and private fields.

The process that reads has parsed what others wrote; what comes here is JSON that pydicom wrote, and each element of it
was read back there once.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from ..errors import ImageError

_BINARY = ("OB", "OD", "OF", "OL", "OV", "OW", "UN")
_MOST_BYTES = 256 << 20
"""Ours: a hundred times the headers of 1000 slices."""


def encoded(headers: Sequence[Dataset]) -> bytes:
    """Headers of one series as text.

    Raises:
        ImageError: if they are larger than those of any series.
    """
    parts, size = [], 0
    for number, header in enumerate(headers):
        part = json.dumps(_plain(header, is_first=number == 0))
        size += len(part)
        if size > _MOST_BYTES:
            raise ImageError("the headers of a series are larger than any series' are; export it again")
        parts.append(part)
    return f"[{','.join(parts)}]".encode()


def decoded(text: bytes) -> tuple[Dataset, ...]:
    """What ``encoded`` was given, as far as it tells."""
    return tuple(Dataset.from_json(item) for item in json.loads(text))


def _plain(header: Dataset, is_first: bool = True) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for element in _elements(header):
        if element.tag.is_private or element.VR in _BINARY or element.tag.group >= 0x5000:
            continue
        if not is_first and element.VR == "SQ":
            continue  # the results say of each image who it is, and of the first more
        try:
            if element.VR == "SQ":
                told: dict[str, Any] = {"vr": "SQ", "Value": [_plain(item) for item in element.value]}
            else:
                told = element.to_json_dict(None, 0)
                Dataset.from_json({f"{element.tag:08X}": told})
        except Exception:
            continue  # no value of its field: pydicom raises whatever it happens to break
        found[f"{element.tag:08X}"] = told
    return found


def _elements(header: Dataset) -> Iterator[DataElement]:
    for tag in list(header.keys()):
        try:
            yield header[tag]
        except Exception:
            continue

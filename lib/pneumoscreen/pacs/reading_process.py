"""The process that reads what a PACS or a scanner sent: ``python -m pneumoscreen.pacs.reading_process``."""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ImageError
from ..images.inputs import Input, search
from ..reading.process import Reply, run
from .headers import encoded
from .source import source_of


def _source(order: dict[str, Any]) -> Reply:
    item = _only_input(Path(order["path"]))
    source = source_of(item)
    values = {"modality": item.modality, "path": str(item.path), "frames": source.frames}
    return values, np.frombuffer(encoded(source.images), np.uint8)


def _only_input(path: Path) -> Input:
    found = search([path])
    inputs = [item for item in found if isinstance(item, Input)]
    if len(inputs) == 1:
        return inputs[0]
    if inputs:
        raise ImageError(f"{path} holds {len(inputs)} images where one series was expected; check the series")
    reasons = [str(item.reason) for item in found if not isinstance(item, Input)]
    raise ImageError(f"{path} holds no image that can be screened" + (f": {reasons[0]}" if reasons else ""))


if __name__ == "__main__":
    sys.exit(run({"source": _source}))

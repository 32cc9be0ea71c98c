"""Arrays that a training prepares once and keeps."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..models.atomic_files import replace_durably


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], is_compressed: bool = False) -> None:
    """Write arrays by name to an ``.npz`` file; a killed run never leaves half a file under the name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    save = np.savez_compressed if is_compressed else np.savez
    save(content, **arrays)
    replace_durably(path, content.getvalue())

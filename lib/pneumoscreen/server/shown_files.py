"""Where the images lie that are made for clients: one file for each image that is no file that clients can open."""

import hashlib
import os
from pathlib import Path

from . import WORK_FOLDER

SHOWN = Path(WORK_FOLDER) / "images"
"""Below the studies folder."""


def shown_name(source: Path) -> str:
    """The beginning of the names of the files that are made of an image."""
    return hashlib.sha256(os.fsencode(os.path.realpath(source))).hexdigest()[:16]

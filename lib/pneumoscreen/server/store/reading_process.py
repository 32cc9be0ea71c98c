"""The process that reads scans for the server: ``python -m pneumoscreen.server.store.reading_process``."""

import sys
from pathlib import Path
from typing import Any

from ...reading.process import run
from ...subprocesses.serving import Reply
from .unpacking import ArchiveLimits, unpack


def _unpack(order: dict[str, Any]) -> Reply:
    unpack(Path(order["path"]), Path(order["folder"]), ArchiveLimits(order["entries"], order["bytes"]))
    return {}, None


if __name__ == "__main__":
    sys.exit(run({"unpack": _unpack}))

"""The version of what the server keeps among the studies.

``.pneumoscreen/state.json`` has it; a folder of a time before there were versions is version 0. ``migration`` brings an
older one up to date.
"""

import json
from pathlib import Path

from ...errors import PneumoScreenError
from ...studies.layout import ANNOTATIONS, AUDIT
from .. import WORK_FOLDER

STATE_FILE = Path(WORK_FOLDER) / "state.json"
BACKUPS = Path(WORK_FOLDER) / "backups"
VERSION = 1
"""Of what this program writes."""

SCHEMA = "pneumoscreen.state"


class StateError(PneumoScreenError):
    """What was kept among the studies cannot be used by this program."""


def version_of(studies: Path) -> int | None:
    """The version of a studies folder's state; None where no server has kept anything yet.

    Raises:
        StateError: if the file that has it is damaged.
    """
    path = studies / STATE_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version = content["version"]
        if content["schema"] != SCHEMA or not isinstance(version, int) or version < 0:
            raise ValueError
    except (FileNotFoundError, NotADirectoryError):
        kept = (studies / WORK_FOLDER, studies / ANNOTATIONS, studies / AUDIT)
        return 0 if any(_holds_something(folder) for folder in kept) else None
    except (OSError, ValueError, TypeError, KeyError):
        raise StateError(f"{path} is damaged; restore it from a backup, or write the version that it had") from None
    return version


def _holds_something(folder: Path) -> bool:
    return folder.is_dir() and any(not entry.name.startswith(".") for entry in folder.iterdir())


def require_not_newer(version: int | None, what: object) -> None:
    """Refuse what a newer program has written.

    Raises:
        StateError: if so.
    """
    if version is not None and version > VERSION:
        raise StateError(
            f"{what} was written by a newer program (version {version} of the state, this one knows {VERSION}); "
            "update this one, or restore the backup that the newer one took before"
        )

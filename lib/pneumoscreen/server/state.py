"""The version of what the server keeps among the studies, and the way from an older one.

``.pneumoscreen/state.json`` has it; a folder of a time before there were versions is version 0. An older folder is
backed up into ``.pneumoscreen/backups`` and then brought up to date, a version at a time; a newer one is left alone.
"""

import json
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from ..errors import PneumoScreenError
from ..models.durable import replace_durably
from ..studies.layout import ANNOTATIONS, AUDIT
from . import WORK_FOLDER
from .failures import may_write

STATE_FILE = Path(WORK_FOLDER) / "state.json"
BACKUPS = Path(WORK_FOLDER) / "backups"
VERSION = 1
"""Of what this program writes."""

_SCHEMA = "pneumoscreen.state"
_LOCK_S = 600.0

logger = logging.getLogger(__name__)


class StateError(PneumoScreenError):
    """What was kept among the studies cannot be used by this program."""


def _first_version(studies: Path) -> None:
    """From version 0: the files are the same, and from now on the folder says so."""


Migrations = Mapping[int, Callable[[Path], None]]
MIGRATIONS: Migrations = {0: _first_version}
"""What brings a folder of each older version to the next one. It may be broken off and done again."""


def version_of(studies: Path) -> int | None:
    """The version of a studies folder's state; None where no server has kept anything yet.

    Raises:
        StateError: if the file that has it is damaged.
    """
    path = studies / STATE_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version = content["version"]
        if content["schema"] != _SCHEMA or not isinstance(version, int) or version < 0:
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


def bring_up_to_date(studies: Path, migrations: Migrations = MIGRATIONS, version: int = VERSION) -> Path | None:
    """Make a studies folder one of the present version.

    Args:
        studies: the folder; one that nothing can be kept in is left as it is.
        migrations: what there is to do.
        version: the present one.

    Returns:
        The backup that was taken; None where there was nothing to do.

    Raises:
        StateError: if it is newer, damaged, or could not be backed up.
    """
    require_not_newer(version_of(studies), studies)
    if version_of(studies) == version or not may_write(str(studies)):
        return None
    try:
        return _brought_up_to_date(studies, migrations, version)
    except OSError as error:
        # As all that the server keeps: where it cannot, it goes on without.
        logger.warning("the version of the state cannot be kept (%s)", error.strerror)
        return None


def _brought_up_to_date(studies: Path, migrations: Migrations, version: int) -> Path | None:
    (studies / WORK_FOLDER).mkdir(exist_ok=True)
    with FileLock(studies / WORK_FOLDER / ".state.lock", timeout=_LOCK_S):
        found = version_of(studies)  # another process may have been quicker
        if found == version:
            return None
        backup = None
        if found is not None:
            backup = _backed_up(studies, found)
            for number in range(found, version):
                migrations[number](studies)
            logger.info("the state of the studies was brought from version %d to %d", found, version)
        content = {"schema": _SCHEMA, "version": version}
        replace_durably(studies / STATE_FILE, (json.dumps(content) + "\n").encode())
        return backup


def _backed_up(studies: Path, version: int) -> Path:
    from .backup import make_backup

    target = studies / BACKUPS / f"version-{version}-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}.zip"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        make_backup(studies, target)
    except (OSError, PneumoScreenError) as error:
        raise StateError(
            f"{studies} must be backed up before it is brought up to date, and cannot be: {error}"
        ) from None
    return target

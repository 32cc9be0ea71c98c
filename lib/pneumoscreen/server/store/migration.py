"""From an older state of a studies folder to the present one.

An older folder is backed up into ``.pneumoscreen/backups`` and then brought up to date, a version at a time; a newer
one is left alone.
"""

import json
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from ...errors import PneumoScreenError
from ...models.atomic_files import replace_durably
from .. import WORK_FOLDER
from ..failures import may_write
from .state import BACKUPS, SCHEMA, STATE_FILE, VERSION, StateError, require_not_newer, version_of

_LOCK_S = 600.0

logger = logging.getLogger(__name__)


def _first_version(studies: Path) -> None:
    """From version 0: the files are the same, and from now on the folder says so."""


Migrations = Mapping[int, Callable[[Path], None]]
MIGRATIONS: Migrations = {0: _first_version}
"""What brings a folder of each older version to the next one. It may be broken off and done again."""


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
        content = {"schema": SCHEMA, "version": version}
        replace_durably(studies / STATE_FILE, (json.dumps(content) + "\n").encode())
        return backup


def _backed_up(studies: Path, version: int) -> Path:
    from .backup import make_backup  # takes seconds to import, and a start seldom needs it

    target = studies / BACKUPS / f"version-{version}-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}.zip"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        make_backup(studies, target)
    except (OSError, PneumoScreenError) as error:
        raise StateError(
            f"{studies} must be backed up before it is brought up to date, and cannot be: {error}"
        ) from None
    return target

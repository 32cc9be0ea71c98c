"""What ``serve --studies`` names: a folder, or the address of a PACS, whose server writes into a state folder."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError
from ..studies.audit import utc_text
from .failures import ServeError
from .image_source import is_state_folder

if TYPE_CHECKING:
    from ..pacs.settings import PacsSettings


def is_address(studies: str) -> bool:
    """Whether studies are named by an address, of whatever kind."""
    return "://" in studies


def require_folder(studies: str, given: Sequence[str]) -> Path:
    """The studies folder of a server that has nothing to do with a PACS.

    Args:
        studies: as the user named it.
        given: the options for a PACS that were given.

    Raises:
        ServeError: if there are such, or the folder is the state of a server on a PACS.
    """
    if given:
        does = "do" if len(given) > 1 else "does"
        raise ServeError(
            f"{', '.join(given)}: {does} not go with a folder of studies; give --studies the address of a PACS, "
            "or leave out what belongs to one"
        )
    folder = Path(studies)
    if is_state_folder(folder):
        raise ServeError(
            f"{folder} is the state of a server on a PACS; start it with --studies ADDRESS --state {folder}"
        )
    return folder


def state_folder(state: Path | None, wanted: "PacsSettings") -> Path:
    """The state folder of a server on a PACS, ready to be served.

    Args:
        state: as the user named it.
        wanted: how the PACS is to be used.

    Raises:
        ServeError: if none was named.
        ConfigError: if address, options and folder do not go together.
    """
    from ..pacs.client import Pacs
    from ..pacs.settings import take_state

    if state is None:
        raise ServeError(
            "--state: is missing; a server on a PACS keeps annotations, models' results and fetched images in a "
            "folder of its own, which this names"
        )
    Pacs(wanted.access())  # what is wrong with the options is said before anything is written
    if wanted.cache_gb <= 0:
        raise ConfigError("--cache-gb: must be more than 0")
    take_state(state.resolve(), wanted, utc_text(datetime.now(UTC)))
    return state.resolve()

"""Which images a folder stands for: those in it, or where it is the state folder of a server on a PACS, the PACS'."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import ConfigError
from ...images.inputs import Modality
from ...pacs.faults import PacsGoneError
from ...studies.audit import utc_text
from ...studies.layout import FINAL_LABELS
from .. import WORK_FOLDER
from ..failures import ServeError
from .image_files import ImageFiles
from .images import Images
from .reading import Reading

_SETTINGS = Path(WORK_FOLDER) / "pacs" / "settings.json"


def is_state_folder(studies: Path) -> bool:
    """Whether a folder is the state folder of a server on a PACS."""
    return (studies / _SETTINGS).exists()


def images_of(studies: Path, reading: Reading | None = None) -> Images:
    """The images of a studies folder or state folder.

    Raises:
        ConfigError: if it is a state folder that cannot be used.
    """
    if is_state_folder(studies):
        # Only here: what speaks DICOMweb takes time and memory to import.
        from ...pacs.settings import settings_of
        from .pacs_images import PacsImages

        settings = settings_of(studies)
        assert settings is not None
        return PacsImages(studies, settings)
    return ImageFiles(studies, reading)


@contextmanager
def labelled_at_hand(studies: Path, modality: Modality, say: Callable[[str], object]) -> Iterator[None]:
    """While the block runs, the images of all labelled cases of a kind are on this disk.

    Args:
        studies: a studies folder, where they are anyway, or a state folder.
        modality: the kind.
        say: takes a line on what is being fetched, and for each case that is left out.

    Raises:
        PneumoScreenError: if they cannot be brought, or do not fit into the cache together.
    """
    if not is_state_folder(studies):
        yield
        return
    images, wanted = images_of(studies), sorted(_labelled(studies, modality))
    there = images.search()
    with ExitStack() as stack:
        for number, case_id in enumerate(wanted, start=1):
            if case_id not in there:
                say(f"left out: case {case_id} is not in the list of the PACS any more")
                continue
            say(f"fetching the images of case {number} of {len(wanted)}")
            try:
                stack.enter_context(images.held(case_id))
            except PacsGoneError as error:
                say(f"left out: {error}")
        yield


def _labelled(studies: Path, modality: Modality) -> Iterator[str]:
    for path in (studies / FINAL_LABELS).glob("*.json"):
        try:
            if json.loads(path.read_bytes())["modality"] == modality:
                yield path.stem
        except (OSError, ValueError, KeyError, TypeError):
            continue  # whoever reads the labels says what is wrong with it


if TYPE_CHECKING:
    from ...pacs.settings import PacsSettings


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
    from ...pacs.client import Pacs
    from ...pacs.settings import take_state

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

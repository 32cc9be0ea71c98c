"""Phantoms as a studies folder: what those of every method share."""

from collections.abc import Callable
from pathlib import Path

from ..errors import PneumoScreenError
from ..studies.layout import FINAL_LABELS, LESION_MASKS, LUNG_MASKS

TRUTH_READER = "phantom truth"


TRUTH_TIME = "2020-01-01T00:00:00Z"


def write_all(
    out: Path, cases: int, write: Callable[[int], Path], progress: Callable[[int, int], None] | None
) -> list[Path]:
    """Make the folders of a studies folder and call ``write`` for 0 to ``cases - 1``.

    Args:
        out: the studies folder.
        cases: how many.
        write: writes one case and returns the path of its scan or picture.
        progress: called with (done, cases).

    Raises:
        PneumoScreenError: if the folder cannot be written.
    """
    written = []
    try:
        for folder in (FINAL_LABELS, LESION_MASKS, LUNG_MASKS):
            (out / folder).mkdir(parents=True, exist_ok=True)
        for done in range(cases):
            written.append(write(done))
            if progress is not None:
                progress(done + 1, cases)
    except OSError as error:
        raise PneumoScreenError(f"{out}: phantoms cannot be written here ({error.strerror or error})") from None
    return written

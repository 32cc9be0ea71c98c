"""Synthetic cases as a studies folder, whichever the method: what is asked for, and how it is written."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigError, PneumoScreenError
from ..studies.layout import FINAL_LABELS, LESION_MASKS, LUNG_MASKS

TRUTH_READER = "phantom truth"
TRUTH_TIME = "2020-01-01T00:00:00Z"

Writer = Callable[[Path, Callable[[int, int], None]], list[Path]]
"""Writes the cases into a studies folder, tells (done, of how many), and returns the images' paths."""


@dataclass(frozen=True)
class PhantomRequest:
    """Synthetic cases ``seed`` to ``seed + cases - 1``.

    Attributes:
        cases: their number.
        seed: of the first.
        diagnosis: of all; None: in turn.
        matrix: pixels a side; None leaves it to the method.
        slices: of a scan; None leaves it to the method.
        onto: a real image that the findings are put into.
        clear_side: the lung of it without findings: left, right or both.
    """

    cases: int
    seed: int
    diagnosis: str | None = None
    matrix: int | None = None
    slices: int | None = None
    onto: Path | None = None
    clear_side: str = "both"

    def require_diagnosis(self, classes: Sequence[str]) -> None:
        """See that the diagnosis is one that there is.

        Raises:
            ConfigError: if it is not.
        """
        if self.diagnosis is not None and self.diagnosis not in classes:
            raise ConfigError(f"--diagnosis {self.diagnosis}: not one of {', '.join(classes)}")


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

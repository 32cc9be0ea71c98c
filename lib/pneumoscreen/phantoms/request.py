"""Which synthetic cases are asked for, whichever the method."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigError

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

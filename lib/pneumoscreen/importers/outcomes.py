"""What becomes of the cases of an import, and the lock that keeps two imports apart."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from filelock import FileLock, Timeout

from .found import SourceError

_LOCK = Path(".pneumoscreen") / "import.lock"


class Action(StrEnum):
    """What became of a case."""

    IMPORTED = "imported"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    IMAGE_ONLY = "image only"
    KEPT = "kept"
    REFUSED = "refused"


@dataclass(frozen=True)
class Outcome:
    """What became of one case.

    Attributes:
        action: imported; updated (an earlier import says something else); unchanged; image only (nothing was
            marked, so it has no document); kept (somebody else annotated it: left alone); refused.
        case_id: its name in the studies folder; of a refused path that never became a case, the path's name.
        diagnosis: of its document, or None.
        regions: number of regions in its document.
        reason: of a case that was kept or refused, the sentence that says why.
    """

    action: Action
    case_id: str
    diagnosis: str | None = None
    regions: int = 0
    reason: str | None = None


@contextmanager
def alone(studies: Path) -> Iterator[None]:
    """Make the folder and keep other imports out of it."""
    lock = studies / _LOCK
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock, timeout=0):
            yield
    except Timeout:
        raise SourceError(f"{studies}: another import is at work on it; wait for its end") from None

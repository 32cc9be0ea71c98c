"""A second reader sees nobody's document before submitting: two readings agree only if neither knew the other.

Ours. A reader sees what others submitted of a case once an own submission of it counts; a trainer, who settles cases,
sees all. It holds where tokens say who speaks: the single user of a server on loopback may do everything.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ...studies.versions import Annotation, current_of
from ..failures import ForbiddenError
from .identity import Role, speaker

SHOWN = ("version", "reader", "at", "kind", "ts", "name")
"""Of a label's entry in the index: who submitted it and when, and nothing that the client said of it."""


def may_see_others(readers: Collection[str]) -> bool:
    """Whether the speaker may see what others submitted of a case.

    Args:
        readers: those whose submission of it counts.
    """
    return speaker().role >= Role.TRAINER or speaker().reader in readers


def may_see(versions: Sequence[Annotation], wanted: Annotation) -> bool:
    """Whether the speaker may see one of all versions of a case: an own one, or any once an own one counts."""
    return wanted.reader == speaker().reader or may_see_others(current_of(versions))


def require_may_see(versions: Sequence[Annotation], wanted: Annotation | None) -> None:
    """Refuse a version that the speaker may not see yet.

    Args:
        versions: all versions of the case.
        wanted: the one that is asked for; None where there is none.

    Raises:
        ForbiddenError: if the speaker has to submit before.
    """
    if wanted is None or may_see(versions, wanted):
        return
    raise ForbiddenError(
        f"version {wanted.version} of this case is another reader's; submit your own reading first, then it is shown"
    )


def shown_info(info: Mapping[str, Any]) -> dict[str, Any]:
    """A final label's entry in the index as whoever has not submitted sees it."""
    return {name: value for name, value in info.items() if name in SHOWN}

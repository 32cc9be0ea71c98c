"""How far a reading is: what nobody has looked at yet, and what must still be said before it can be submitted."""

from typing import Dict, List, Optional, Sequence

from ..contract import Region
from ..translation import _


def is_open(region: Region) -> bool:
    """Whether no reader has spoken on a region; such a one is submitted as not looked at (``state``: ``open``)."""
    return region.reader is None


def open_ids(regions: Sequence[Region]) -> List[str]:
    """Ids of the regions that no reader has spoken on."""
    return [region.id for region in regions if is_open(region)]


def progress_in_words(regions: Sequence[Region]) -> str:
    """How many regions have been read, such as ``3 of 6 read``."""
    count = len(regions)
    return (
        _("{read} of {count} read").format(read=count - len(open_ids(regions)), count=count)
        if count
        else _("no regions")
    )


def unread_in_words(regions: Sequence[Region]) -> str:
    """What is asked before unread regions are submitted; empty where all are read."""
    unread = len(open_ids(regions))
    if not unread:
        return ""
    text = (
        _(
            "1 of {count} regions is not read. Submit once more to store it as not looked at, or accept the rest first "
            "(Shift+A)."
        )
        if unread == 1
        else _(
            "{unread} of {count} regions are not read. Submit once more to store them as not looked at, or accept the "
            "rest first (Shift+A)."
        )
    )
    return text.format(unread=unread, count=len(regions))


def problem(regions: Sequence[Region], numbers: Dict[str, int]) -> Optional[str]:
    """Why regions cannot be submitted yet, in one sentence; None where they can.

    Args:
        regions: as they stand.
        numbers: of the regions in the table, by id.
    """
    for region in regions:
        number = numbers[region.id]
        if region.source == "reader" and region.reader is None:
            return _("Region {number} is new and has no type yet: select it and press 1, 2 or 3, or delete it.").format(
                number=number
            )
        if region.opinion is None:
            return _(
                "Region {number} was moved and has no type any more: select it and press 1, 2 or "
                "3, or let the server classify it."
            ).format(number=number)
    return None

"""Colours and words of boxes in the views."""

from typing import Optional

from ..contract import DEFAULT_CLASSES, Classes, Region
from ..palette import Colour, hue_of
from ..translation import _
from ..wording import display_name


def colour_of(label: Optional[str], classes: Classes = DEFAULT_CLASSES) -> Colour:
    """Red, green and blue in [0, 1] of a region's label; None is a region without one."""
    return hue_of(label, classes).view


def label_text(region: Region) -> str:
    """What stands beside a box: its type, and the network's confidence where no reader has spoken."""
    if region.opinion is None:
        return _("Unlabelled")
    label, confidence = region.opinion
    name = display_name(label)
    return _("{name} (reader)").format(name=name) if region.reader is not None else f"{name} {100 * confidence:.0f} %"

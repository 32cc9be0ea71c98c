"""Colours and words of boxes and masks in the views."""

from typing import Optional

from ..contract import DEFAULT_CLASSES, Classes, Region
from ..palette import Colour, hue_of
from ..translation import _
from ..wording import display_name

LEFT_LUNG: Colour = (0.30, 0.50, 0.95)
RIGHT_LUNG: Colour = (0.20, 0.80, 0.50)
INFECTION: Colour = (0.90, 0.25, 0.20)
GROUND_GLASS: Colour = (0.98, 0.72, 0.15)
LUNGS: Colour = (0.62, 0.74, 0.86)
"""Both lungs, where one surface stands for them."""


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

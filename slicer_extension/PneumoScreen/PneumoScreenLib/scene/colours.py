"""Colours and names of the region types: told apart by colour-blind readers, seen on lung and on soft tissue."""

from typing import Optional, Tuple

from ..contract import DEFAULT_CLASSES, Classes, Region

Colour = Tuple[float, float, float]

# After Okabe and Ito's palette, a little brighter for the dark ground of a lung window.
INFECTIONS: Tuple[Colour, ...] = ((0.95, 0.42, 0.05), (0.30, 0.70, 0.95), (0.0, 0.72, 0.52))
IRRELEVANT: Colour = (0.78, 0.37, 0.63)
UNLABELLED: Colour = (0.95, 0.90, 0.25)
LEFT_LUNG: Colour = (0.30, 0.50, 0.95)
RIGHT_LUNG: Colour = (0.20, 0.80, 0.50)
INFECTION: Colour = (0.90, 0.25, 0.20)

NAMES = {"covid19": "COVID-19", "influenza_a": "influenza-A"}


def colour_of(label: Optional[str], classes: Classes = DEFAULT_CLASSES) -> Colour:
    """Red, green and blue in [0, 1] of a region's label; None is a region without one."""
    if label is None:
        return UNLABELLED
    if label in classes.infections:
        return INFECTIONS[classes.infections.index(label) % len(INFECTIONS)]
    return IRRELEVANT


def label_text(region: Region) -> str:
    """What stands beside a box: its type, and the network's confidence where no reader has spoken."""
    if region.opinion is None:
        return "unlabelled"
    label, confidence = region.opinion
    name = NAMES.get(label, label.replace("_", " "))
    return f"{name} (reader)" if region.reader is not None else f"{name} {100 * confidence:.0f} %"

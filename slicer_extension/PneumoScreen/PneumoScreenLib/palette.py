"""The colours of region types and masks, in views and as text: one place for all, so that a box and its row agree."""

from dataclasses import dataclass
from typing import Dict, Optional, Tuple

from .contract import DEFAULT_CLASSES, Classes

Colour = Tuple[float, float, float]


@dataclass(frozen=True)
class Hue:
    """One colour.

    Attributes:
        view: red, green and blue in [0, 1], of lines on the dark ground of a lung window.
        on_light: ``#rrggbb``, dark enough to be read as text on a light panel.
        on_dark: the same on a dark panel.
    """

    view: Colour
    on_light: str
    on_dark: str


# After Okabe and Ito's palette, a little brighter for lung windows: told apart by colour-blind readers.
INFECTIONS = (
    Hue((0.95, 0.42, 0.05), "#c2410c", "#ff9a5c"),
    Hue((0.30, 0.70, 0.95), "#1d5fa8", "#6cb8f5"),
    Hue((0.0, 0.72, 0.52), "#15803d", "#4ade80"),
    Hue((0.62, 0.50, 0.95), "#7b3fa0", "#d19be8"),
)
IRRELEVANT = Hue((0.78, 0.37, 0.63), "#97477f", "#dc93c8")
UNLABELLED = Hue((0.95, 0.90, 0.25), "#5f6b7a", "#b4bfcb")
NONE_FOUND = Hue((0.06, 0.46, 0.43), "#0f766e", "#5eccbf")

LEFT_LUNG: Colour = (0.30, 0.50, 0.95)
RIGHT_LUNG: Colour = (0.20, 0.80, 0.50)
INFECTION: Colour = (0.90, 0.25, 0.20)
GROUND_GLASS: Colour = (0.98, 0.72, 0.15)
LUNGS: Colour = (0.86, 0.90, 0.93)
"""Both lungs, where one surface stands for them: paler than what is infected in it, for readers of any sight."""


def hue_of(label: Optional[str], classes: Classes = DEFAULT_CLASSES) -> Hue:
    """The colour of a label of the site; None is a region without one."""
    if label in classes.infections:
        return INFECTIONS[classes.infections.index(label) % len(INFECTIONS)]
    others: Dict[Optional[str], Hue] = {classes.none_found: NONE_FOUND, classes.irrelevant: IRRELEVANT}
    return others.get(label, UNLABELLED)

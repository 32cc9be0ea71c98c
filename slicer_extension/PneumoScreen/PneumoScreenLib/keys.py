"""Which key does what: a whole reading session needs no mouse.

An action is a patch label of the site or a word of ``ACTIONS``. No key is one of Slicer's own: a key that stands for
two things does neither (Ctrl+S saves the scene), and slice views take some letters (B and F step through slices).
"""

from typing import Dict

from .contract import DEFAULT_CLASSES, Classes

ACTIONS: Dict[str, str] = {
    "A": "accept",
    "Shift+A": "accept_rest",
    "N": "select_next",
    "P": "select_previous",
    "M": "add_box",
    "C": "classify",
    "D": "delete",
    "Del": "delete",
    "Ctrl+Z": "undo",
    "Ctrl+Y": "redo",
    "Ctrl+Shift+Z": "redo",
    "Ctrl+Shift+S": "submit",
    "Ctrl+Return": "submit_and_next",
    "Ctrl+Enter": "submit_and_next",
    "Ctrl+N": "next_case",
    "Ctrl+R": "screen",
}


def keys_for(classes: Classes = DEFAULT_CLASSES) -> Dict[str, str]:
    """The table for a site: its labels by number, at most nine, and the actions."""
    labels = {str(number): label for number, label in enumerate(classes.patch_labels[:9], start=1)}
    return {**labels, **ACTIONS}


def key_of(action: str, classes: Classes = DEFAULT_CLASSES) -> str:
    """The first key of an action; empty where it has none."""
    return next((key for key, name in keys_for(classes).items() if name == action), "")


KEYS = keys_for()
"""Key, as Qt writes it, to action, for the classes of the method."""

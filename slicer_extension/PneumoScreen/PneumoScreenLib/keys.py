"""Which key does what: a whole reading session needs no mouse.

An action is a patch label of the site or a word of ``ACTIONS``.
"""

from typing import Dict

from .contract import DEFAULT_CLASSES, Classes

ACTIONS: Dict[str, str] = {
    "A": "accept",
    "N": "select_next",
    "P": "select_previous",
    "B": "add_box",
    "C": "classify",
    "D": "delete",
    "Del": "delete",
    "Ctrl+Z": "undo",
    "Ctrl+Y": "redo",
    "Ctrl+Shift+Z": "redo",
    "Ctrl+S": "submit",
    "Ctrl+Return": "submit_and_next",
    "Ctrl+Enter": "submit_and_next",
    "Ctrl+N": "next_case",
    "Ctrl+R": "screen",
}

MEANINGS: Dict[str, str] = {
    "accept": "accept the model's label",
    "select_next": "next region",
    "select_previous": "previous region",
    "add_box": "add a box: drag it in a slice view",
    "classify": "let the server classify new and moved boxes",
    "delete": "delete the region",
    "undo": "undo",
    "redo": "redo",
    "submit": "submit",
    "submit_and_next": "submit and open the next case",
    "next_case": "open the next case",
    "screen": "screen the case",
}


def keys_for(classes: Classes = DEFAULT_CLASSES) -> Dict[str, str]:
    """The table for a site: its labels by number, at most nine, and the actions."""
    labels = {str(number): label for number, label in enumerate(classes.patch_labels[:9], start=1)}
    return {**labels, **ACTIONS}


KEYS = keys_for()
"""Key, as Qt writes it, to action, for the classes of the method."""

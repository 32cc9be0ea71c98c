"""Which key does what: a whole reading session needs no mouse.

An action is a patch label of the site or a word of ``ACTIONS``. No key is one of Slicer's own: a key that stands for
two things does neither (Ctrl+S saves the scene), and slice views take some letters (B and F step through slices).
"""

from typing import Dict

from .contract import CXR_CLASSES, CXR_LOCATIONS, DEFAULT_CLASSES, Classes
from .translation import _
from .wording import display_name, location_name

ACTIONS: Dict[str, str] = {
    "A": "accept",
    "Shift+A": "accept_rest",
    "N": "select_next",
    "P": "select_previous",
    "M": "add_box",
    "E": "edit_box",
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
    "Ctrl+Shift+C": "report",
    "Ctrl+Shift+E": "save_report",
    "L": "lung",
    "S": "mediastinum",
    "O": "bone",
    "X": "slab",
    "W": "ground_glass",
    "I": "ruler",
    "K": "lung_surface",
    "Y": "prior",
    "H": "hide_overlays",
    "?": "show_keys",
}

XRAY: Dict[str, str] = {
    **{str(number): name for number, name in enumerate(CXR_CLASSES, start=1)},
    **{str(number): side for number, side in enumerate(CXR_LOCATIONS, start=1 + len(CXR_CLASSES))},
}
"""Keys of a radiograph: its class, then its affected side."""

MEANINGS: Dict[str, str] = {
    "accept": _("accept the model's label, go on"),
    "accept_rest": _("accept all that is still open"),
    "select_next": _("next region"),
    "select_previous": _("region before"),
    "add_box": _("mark a new box"),
    "edit_box": _("handles of the box on or off"),
    "classify": _("classify new and moved boxes"),
    "delete": _("delete the region"),
    "undo": _("undo"),
    "redo": _("redo"),
    "submit": _("submit"),
    "submit_and_next": _("submit and next case"),
    "next_case": _("next case"),
    "screen": _("screen"),
    "report": _("copy the sentence for the report"),
    "save_report": _("save the report as HTML or PDF"),
    "lung": _("lung window"),
    "mediastinum": _("mediastinal window"),
    "bone": _("bone window"),
    "slab": _("slab (MIP) on or off"),
    "ground_glass": _("ground glass (-750 to -300 HU) on or off"),
    "ruler": _("measure: two clicks"),
    "lung_surface": _("lungs in 3-D on or off"),
    "prior": _("earlier scan beside it, on or off"),
    "hide_overlays": _("hide all overlays while held"),
    "show_keys": _("this list"),
}
"""What each action does, in a few words."""

REPEATING = ("select_next", "select_previous", "hide_overlays")
"""Actions that go on while their key is held; any other is done once: no held key labels a second region."""


def keys_for(classes: Classes = DEFAULT_CLASSES) -> Dict[str, str]:
    """The table for a site: its labels by number, at most nine, and the actions."""
    labels = {str(number): label for number, label in enumerate(classes.patch_labels[:9], start=1)}
    return {**labels, **ACTIONS}


def meanings(classes: Classes = DEFAULT_CLASSES) -> Dict[str, str]:
    """Keys, joined where several do the same, to what they do: the whole map."""
    found: Dict[str, str] = {}
    for key, action in keys_for(classes).items():
        text = MEANINGS.get(action) or _("{label}, go on").format(label=display_name(action))
        found[text] = f"{found[text]}, {key}" if text in found else key
    return {
        **{keys: text for text, keys in found.items()},
        _("1 to 3 (X-ray)"): ", ".join(map(display_name, CXR_CLASSES)),
        _("4 to 7 (X-ray)"): ", ".join(map(location_name, CXR_LOCATIONS)),
    }


def key_of(action: str, classes: Classes = DEFAULT_CLASSES) -> str:
    """The first key of an action; empty where it has none."""
    return next((key for key, name in keys_for(classes).items() if name == action), "")


KEYS = keys_for()
"""Key, as Qt writes it, to action, for the classes of the method."""

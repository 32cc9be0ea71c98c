"""The keys of a reading session: a whole one can be done without the mouse."""

from functools import partial
from typing import Any, Callable, Dict, List, Mapping

import qt

from ..keys import KEYS, REPEATING, XRAY


class Shortcuts:
    """Binds the table of keys; while a text is typed, letters stay letters.

    They hold in all windows of the application, as views may stand in a second one; but only between ``enter`` and
    ``exit`` of the module, and not beside a dialog that is open.

    Args:
        window: to which they belong.
        session: what most keys speak to.
        submission: what the others speak to.
        more: what the rest do, by action.
    """

    def __init__(self, window: Any, session: Any, submission: Any, more: Mapping[str, Callable[[], None]]) -> None:
        self._session = session
        self._others: Dict[str, Callable[[], None]] = {
            "next_case": session.next_case,
            "screen": session.screen,
            "add_box": session.place_box,
            "classify": session.classify,
            "submit": submission.submit,
            "submit_and_next": submission.submit_and_next,
            **more,
        }
        self._shortcuts: List[Any] = []
        for key, action in {**dict.fromkeys(XRAY, ""), **KEYS}.items():
            shortcut = qt.QShortcut(window)
            shortcut.setKey(qt.QKeySequence(key))
            shortcut.setContext(qt.Qt.ApplicationShortcut)
            shortcut.setAutoRepeat(action in REPEATING)
            shortcut.setEnabled(False)
            shortcut.connect("activated()", partial(self._press, key, action))
            self._shortcuts.append(shortcut)

    def set_enabled(self, is_enabled: bool) -> None:
        """Let the keys hold or not."""
        for shortcut in self._shortcuts:
            shortcut.setEnabled(is_enabled)

    def close(self) -> None:
        """Give the keys back."""
        for shortcut in self._shortcuts:
            shortcut.setEnabled(False)
            shortcut.disconnect("activated()")
            shortcut.setParent(None)
        self._shortcuts = []

    def _press(self, key: str, action: str) -> None:
        other = self._others.get(action)
        if self._session.is_xray and (key in XRAY or action == "accept"):
            self._session.correct_xray(XRAY.get(key, action))
        elif other is not None:
            other()
        else:
            self._session.correct(action)

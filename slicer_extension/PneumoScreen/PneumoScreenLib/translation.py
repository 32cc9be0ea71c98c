"""Texts in the reader's language, where Slicer has a translation of them: ``_("Submit")``.

A text is a literal inside of ``_()``, so that Slicer's tools find it; its values come by ``format`` afterwards. The
context of a text is the file that it stands in, which Slicer's ``tr`` looks up by itself.
"""

import sys
from typing import Callable


def _as_written(text: str) -> str:
    """Where there is no Slicer, as in the child process, or one without translations (before 5.6)."""
    return text


def _translator() -> Callable[[str], str]:
    # The application has loaded `slicer` long before; the child process must not do so, which takes seconds.
    if "slicer" not in sys.modules:
        return _as_written
    try:
        from slicer.i18n import tr
    except ImportError:
        return _as_written
    return tr  # type: ignore[no-any-return]


_ = _translator()
"""Slicer's own ``tr``, which looks for the file of whoever calls it: nothing may stand between."""

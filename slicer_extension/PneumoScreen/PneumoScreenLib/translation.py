"""Texts in the reader's language, where Slicer has a translation of them: ``_("Submit")``.

A text is a literal inside of ``_()``, so that Slicer's tools find it; its values come by ``format`` afterwards. The
context of a text is the file that it stands in, as for Slicer's own ``tr``.
"""

import re
import sys
from typing import Callable, Dict, Tuple

_PLACES = re.compile(r"\{[^{}]+\}")


def _as_written(context: str, text: str) -> str:
    """Where there is no Slicer, as in the child process, or one without translations (before 5.6)."""
    return text


def _context_as_written(file: str) -> str:
    return file


def _translator() -> Tuple[Callable[[str, str], str], Callable[[str], str]]:
    # The application has loaded `slicer` long before; the child process must not do so, which takes seconds.
    if "slicer" not in sys.modules:
        return _as_written, _context_as_written
    try:
        from slicer.i18n import getContext, translate
    except ImportError:
        return _as_written, _context_as_written
    return translate, getContext


_translate, _context_of = _translator()
_known: Dict[Tuple[str, str], str] = {}


def _(text: str) -> str:
    """A text in the reader's language; it is looked up once, as the language is that of the application's start.

    Slicer's own ``tr`` does the same at each call, and in 5.6 walks the whole stack with its sources for it
    (``inspect.stack()``, which Slicer's later versions say takes up to a tenth of a second). A translation without the
    places of the text's values is not used: 5.6 does not look.
    """
    key = (sys._getframe(1).f_code.co_filename, text)
    found = _known.get(key)
    if found is None:
        found = _translate(_context_of(key[0]), text)
        if sorted(_PLACES.findall(found)) != sorted(_PLACES.findall(text)):
            found = text
        _known[key] = found
    return found

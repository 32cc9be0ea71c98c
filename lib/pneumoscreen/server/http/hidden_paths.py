"""Answers that do not say where things lie on the server's disk: names below the studies, or names alone, stand there.

MONAI Label's own answers hold paths (an image's, a session's), and so do the sentences of the readers of images, which
are written for whoever sits at the machine.
"""

import json
import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import monailabel
from fastapi.responses import JSONResponse

import pneumoscreen

_SHORTEST = 2
"""A folder with fewer signs, such as ``/``, would take the addresses of the interface with it."""


class Places:
    """Knows the server's folders.

    Args:
        studies: the studies folder; names below it stay, since clients know them.
        others: folders of which not even the names in them are anybody's concern but the last one.
    """

    def __init__(self, studies: str | Path, others: Iterable[str | Path] = ()) -> None:
        self._studies = _spellings([studies])
        libraries = [Path(module.__file__ or "").parents[1] for module in (pneumoscreen, monailabel)]
        known = [*others, *libraries, os.path.expanduser("~"), tempfile.gettempdir()]
        self._others = [folder for folder in _spellings(known) if folder not in self._studies]

    def hidden(self, text: str) -> str:
        """A text without them."""
        for folder in self._studies:
            text = text.replace(folder + os.sep, "")
            text = re.sub(rf"{re.escape(folder)}(?![\w.-])", "the studies folder", text)
        for folder in self._others:
            text = re.sub(rf"{re.escape(folder)}/(?:[^/\s'\"\\]+/)*", "", text)
            text = re.sub(rf"{re.escape(folder)}(?![\w.-])", os.path.basename(folder), text)
        return text


class PlacelessResponse(JSONResponse):
    """A JSON answer without the places of this server's disk."""

    places: Places | None = None
    """Of this process; set once it knows its folders."""

    def render(self, content: Any) -> bytes:
        """Write the answer."""
        body = super().render(content)
        if self.places is None:
            return body
        return self.places.hidden(body.decode()).encode()


def _spellings(folders: Iterable[str | Path]) -> list[str]:
    """Folders as given, links resolved, and as JSON text writes them; the longest first, as one may hold another."""
    found = set()
    for folder in map(str, folders):
        for spelling in (os.path.abspath(folder), os.path.realpath(folder)):
            found |= {spelling, json.dumps(spelling, ensure_ascii=False)[1:-1]}
    return sorted((name for name in found if len(name) >= _SHORTEST), key=len, reverse=True)

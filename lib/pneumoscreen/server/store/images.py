"""Where the images of a server are: in the studies folder (``image_files``), or in a PACS (``pacs_images``).

Whoever opens the files of an image does so while it is held: those of a PACS are fetched then, and stay. What else the
server keeps of a case - labels, annotations, scores, reports - lies in the folder either way.
"""

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...case import Case
from ...images.examination import Examination
from ...studies.versions import Annotation
from ...verdict import Classes
from .. import WORK_FOLDER
from .allowed_files import AllowedFiles

SHOWN = Path(WORK_FOLDER) / "images"
"""Below the studies folder."""


def shown_name(source: Path) -> str:
    """The beginning of the names of the files that are made of an image."""
    return hashlib.sha256(os.fsencode(os.path.realpath(source))).hexdigest()[:16]


Progress = Callable[[float], object]
"""Told of the share of an image's files that is here; raises to stop."""


def unwatched(share: float) -> None:
    """Tells nobody."""


class Images(ABC):
    """The images of one server.

    Attributes:
        allowed: says what of the folder is passed over, and why.
        waits_for_copies: whether an image is left out until nobody writes it any more.
        being_copied: ids of the images that were left out for that.
        are_elsewhere: whether the files of an image are fetched before it can be opened.
    """

    allowed: AllowedFiles
    waits_for_copies: bool = False
    being_copied: frozenset[str] = frozenset()
    are_elsewhere = False

    @abstractmethod
    def search(self) -> dict[str, str]:
        """Path of every image relative to the studies folder, by its id."""

    @abstractmethod
    def has_changed(self) -> bool:
        """Whether a search would find other images than the last one."""

    @abstractmethod
    def is_whole(self, path: Path) -> None:
        """Take a file as complete: whoever says so put it there as a whole."""

    def begin(self) -> None:  # noqa: B027 (of those who do nothing by themselves)
        """Called once the server stands."""

    @contextmanager
    def held(self, image_id: str, progress: Progress = unwatched) -> Iterator[None]:
        """While the block runs, the files of an image are on this disk.

        Raises:
            PneumoScreenError: if they cannot be.
        """
        del image_id, progress
        yield

    def find(self, name: str) -> str | None:
        """The id of an image by another name that it has where it comes from; None where there is none."""
        del name
        return None

    def unknown(self, name: str) -> str:
        """The sentence on a name that no image has."""
        return f"image {name[:200]} is not in the studies folder; GET /datastore/ lists what is there"

    def note(self, image_id: str) -> str:
        """What documents say of how an image was chosen; may be empty."""
        del image_id
        return ""

    def marked_file(self, image_id: str) -> Path | None:
        """Where what a screening marks in an image is kept for results; None where none are made."""
        del image_id
        return None

    def screened(self, case: Case, classes: Classes) -> None:  # noqa: B027 (of those who send no results)
        """Somebody has screened an image, by the networks of a class list."""

    def submitted(self, stored: Annotation) -> None:  # noqa: B027
        """A version of a case was stored that counts."""

    def state(self) -> dict[str, Any] | None:
        """How the place does that they come from, as JSON values; None where they are here."""
        return None

    def examination(self, image_id: str) -> Examination | None:
        """Whose image it is and when it was taken; None where that stands in its files."""
        del image_id
        return None

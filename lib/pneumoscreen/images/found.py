"""What a search of the user's paths finds: inputs, what is refused, and what is passed over; no path in silence."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from .dicom_header import SliceHeader

Modality = str
"""As case documents name it, such as "CT"; see ``case_kinds``."""
_NAMED = 3
"""Files that a sentence names before it says "and more"."""


@dataclass(frozen=True)
class Input:
    """One case to read.

    Attributes:
        case_id: unique among the inputs found together, and safe as a file name; see also ``stable_id``.
        path: the file, or the folder of the DICOM series: the first one where it lies in several.
        series_uid: which series of the folder, or None for a file of another format.
        headers: the headers of that series or DICOM radiograph, so that they are read once.
        modality: "CT", "CXR" for a chest X-ray, or what the ending of the name says (``case_kinds``). Nothing but the
            kind of the file is known yet.
        source_below: where it lies below what the user named; see ``below``.
        place: the same with the name of the folder that was named before it; None where that is to be hidden.
        notes: sentences for the document on how it was found.
    """

    case_id: str
    path: Path
    series_uid: str | None = None
    headers: tuple[SliceHeader, ...] = field(default=(), repr=False, compare=False)
    modality: Modality = "CT"
    source_below: str | None = None
    place: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Refused:
    """A path that cannot become a case; ``reason`` is the whole sentence to show, the path included."""

    path: Path
    reason: str


@dataclass(frozen=True)
class PassedOver:
    """A path that was left out of the search, such as a scout view; ``reason`` goes on from the path: "is a …"."""

    path: Path
    reason: str


Found = Input | Refused | PassedOver
_Item = TypeVar("_Item", Refused, PassedOver)


def names_of(paths: Sequence[Path]) -> str:
    """The names of some files in a sentence: the first ones, and whether there are more."""
    names = list(dict.fromkeys(path.name for path in paths))
    return ", ".join(names[:_NAMED]) + (" and more" if len(names) > _NAMED else "")


def folded(items: Iterable[_Item]) -> list[tuple[Path, str]]:
    """Path and whole sentence for each; what is the same for several files of a folder is one sentence for it."""
    alike: dict[tuple[Path, str], list[Path]] = {}
    for item in items:
        alike.setdefault((item.path.parent, item.reason.removeprefix(f"{item.path} ")), []).append(item.path)
    found = []
    for (folder, reason), paths in alike.items():
        if len(paths) == 1:
            found.append((paths[0], f"{paths[0]} {reason}"))
        else:
            found.append((folder, f"{folder} holds {len(paths)} files ({names_of(paths)}) each of which {reason}"))
    return found

"""Readers' marks in a case document: whose they are, and that nobody's name is put under another's words."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..case import Case

Mark = tuple[str, str, str, str, float]
"""Region, reader, label, time and confidence. An X-ray case has one mark, without region and label."""


@dataclass(frozen=True)
class Painting:
    """A reader's label map on the grid of an image.

    Attributes:
        values: uint16 [z, y, x], canonical orientation.
        names: what the client calls its values; empty where it does not say.
        reader: who painted.
        at: when, UTC, ISO 8601.
    """

    values: NDArray[np.uint16]
    names: Mapping[int, str]
    reader: str
    at: str


def marks_of(case: Case) -> Iterator[Mark]:
    """The marks of a document, in the order of its regions."""
    for region in case.regions:
        if region.reader is not None:
            mark = region.reader
            yield region.id, mark.name, mark.label, mark.at, mark.confidence
    if case.cxr is not None and case.cxr.reader is not None:
        yield _cxr_mark(case.cxr.reader)


def author_of(case: Case, known: Collection[Mark] = ()) -> str | None:
    """The one reader whose marks are new in a document; where none is new, the one reader it names; else None."""
    marks = list(marks_of(case))
    for candidates in ([mark for mark in marks if mark not in known], marks):
        names = {mark[1] for mark in candidates if mark[1]}
        if len(names) == 1:
            return names.pop()
        if names:
            return None
    return None


def newest_reader(case: Case) -> str | None:
    """The reader of the newest mark of a document."""
    return max(((mark[3], mark[1]) for mark in marks_of(case) if mark[1]), default=("", None))[1]


def signed_by(case: Case, reader: str, known: Collection[Mark]) -> Case:
    """The document with every mark that is not known from a stored version under its reader's own name."""
    regions = tuple(
        replace(region, reader=replace(region.reader, name=reader))
        if region.reader is not None
        and (region.id, region.reader.name, region.reader.label, region.reader.at, region.reader.confidence)
        not in known
        else region
        for region in case.regions
    )
    cxr = case.cxr
    if cxr is not None and cxr.reader is not None and _cxr_mark(cxr.reader) not in known:
        cxr = replace(cxr, reader={**cxr.reader, "name": reader})
    return replace(case, regions=regions, cxr=cxr)


def _cxr_mark(reader: dict[str, Any]) -> Mark:
    # The contract leaves the inside of this entry open: whatever else it holds tells it from another one.
    name = reader.get("name")
    return "", name if isinstance(name, str) else "", "", repr(sorted(reader.items())), 1.0

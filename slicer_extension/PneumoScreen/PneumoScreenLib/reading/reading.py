"""The case that a reader has open: every correction, its verdict at once, undo and redo. No Qt, no MRML.

Coordinates are the document's: millimetres, LPS, at the centre of a box.
"""

from dataclasses import replace
from datetime import datetime, timezone
from typing import Any, Callable, Dict, Iterable, Mapping, Optional, Sequence, Tuple, Union

from ..contract import (
    CXR_CLASSES,
    CXR_LOCATIONS,
    DEFAULT_CLASSES,
    Case,
    Classes,
    ReaderMark,
    Region,
    state_of,
)
from .course import Course
from .draft_document import Draft, Written, parse_region
from .notes import note_of, with_note
from .progress import is_open, problem
from .region_changes import box_of, fresh_id, is_same_box, side_of, with_answers

NOBODY = "local"
"""Signs where the reader gave no name; the server, too, calls its single user so."""

ADDED, MOVED, _NOTE = "added", "moved", "note"


def utc_now() -> str:
    """The time, UTC, ISO 8601 with Z."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Reading(Course):
    """A reader's work on one case.

    Args:
        case: what it begins with, such as a screening or an earlier submission.
        base: annotation version that this work builds on; 0 where there is none.
        reader: name that signs the marks.
        classes: of the site.
        now: the clock of the marks.
    """

    def __init__(
        self,
        case: Case,
        base: int = 0,
        reader: str = "",
        classes: Classes = DEFAULT_CLASSES,
        now: Callable[[], str] = utc_now,
    ) -> None:
        super().__init__(case, base, classes)
        self.reader, self._now = reader or NOBODY, now
        self._written: Written = {}

    # What stands ------------------------------------------------------------------------------------------------------

    @property
    def note(self) -> str:
        """The reader's own note on the case; it travels among the document's ``notes``."""
        return note_of(self.case, self.reader)

    def state(self, region_id: str) -> str:
        """What the reader did to a region: ``open``, ``accepted``, ``corrected``, ``added`` or ``moved``."""
        region = self.region(region_id)
        if region.source == "reader":
            return ADDED
        before = next((known for known in self._opened.regions if known.id == region_id), region)
        if not is_same_box(before, region.center_mm, region.size_mm):
            return MOVED
        return region.state

    def problem(self) -> Optional[str]:
        """Why the case cannot be submitted yet, in one sentence; None where it can."""
        return problem(self.case.regions, self.numbers)

    # Regions ----------------------------------------------------------------------------------------------------------

    def mark(self, region_id: str, label: str) -> None:
        """Say what a region is.

        Raises:
            ValueError: if the label is none of the site's.
        """
        region = self.region(region_id)
        mark = self._mark(label)
        if region.reader is None or (region.reader.label, region.reader.name) != (label, mark.name):
            self._put(_marked(region, mark))

    def accept(self, region_id: str) -> None:
        """Say that the vote of a region is right; one without a vote stays as it is."""
        label = self.region(region_id).label
        if label is not None:
            self.mark(region_id, label)

    def accept_rest(self) -> None:
        """Say that the votes of all regions that nobody has spoken on are right, in one step."""
        regions = tuple(
            _marked(region, self._mark(region.label)) if is_open(region) and region.label is not None else region
            for region in self.case.regions
        )
        if regions != self.case.regions:
            self._record(replace(self.case, regions=regions))

    def add(
        self,
        center_mm: Sequence[float],
        size_mm: Sequence[float],
        label: Optional[str] = None,
        side: Optional[str] = None,
    ) -> str:
        """Add a box that the model did not find; it needs a label before it can be submitted.

        Args:
            center_mm: LPS.
            size_mm: of its edges.
            label: what it is, where the reader has said so already.
            side: the patient's side; default: by the other regions.

        Returns:
            Its id.

        Raises:
            ValueError: if an edge is not longer than 0 or the label is none of the site's.
        """
        center, size = box_of(center_mm, size_mm)
        region = Region(
            id=fresh_id((*self._opened.regions, *self.case.regions)),
            source="reader",
            center_mm=center,
            size_mm=size,
            score=1.0,
            side=side or side_of(center, self.case.regions),
            reader=None if label is None else self._mark(label),
        )
        self._record(replace(self.case, regions=(*self.case.regions, region)))
        return region.id

    def move(
        self, region_id: str, center_mm: Sequence[float], size_mm: Sequence[float], side: Optional[str] = None
    ) -> None:
        """Put a region elsewhere or change its size.

        Its patches and vote belonged to the old box and go; what a reader said of it stays.

        Raises:
            ValueError: if an edge is not longer than 0.
        """
        region, (center, size) = self.region(region_id), box_of(center_mm, size_mm)
        if is_same_box(region, center, size):
            return
        others = [other for other in self.case.regions if other.id != region_id]
        side = side or side_of(center, [*others, region])
        moved = replace(region, center_mm=center, size_mm=size, side=side, patches=(), label=None, confidence=None)
        self._put(replace(moved, infected_ml=None))

    def delete(self, region_id: str) -> None:
        """Take a region out; the one after it is selected where it was the selected one."""
        ids = self._ids()
        at = ids.index(self.region(region_id).id)
        if self.selected == region_id:
            following = ids[at + 1 :] or ids[:at][-1:]
            self.select(following[0] if following else None)
        self._record(replace(self.case, regions=tuple(r for r in self.case.regions if r.id != region_id)))

    def classified(self, regions: Iterable[Union[Region, Mapping[str, Any]]]) -> None:
        """Take the server's patches, votes and sides of regions in; readers' marks stay.

        This is no step of the reader, so undo passes over it. Answers for boxes that have moved meanwhile are dropped.
        """
        parsed = (r if isinstance(r, Region) else parse_region(r, self.classes) for r in regions)
        answers = {region.id: region for region in parsed}

        self._rewrite(lambda case: with_answers(case, answers))

    # The case as a whole ----------------------------------------------------------------------------------------------

    @property
    def diagnoses(self) -> Tuple[str, ...]:
        """What a case of this kind can clinically be."""
        return CXR_CLASSES if self.case.modality == "CXR" else tuple(self.classes.case_labels)

    def set_diagnosis(self, label: Optional[str]) -> None:
        """Say what the case clinically is; None: not known.

        Raises:
            ValueError: if the label is none of the site's.
        """
        if label is not None and label not in self.diagnoses:
            raise ValueError(f"{label!r} is none of {', '.join(self.diagnoses)}")
        if label != self.case.diagnosis:
            self._record(replace(self.case, diagnosis=label))

    def set_note(self, text: str) -> None:
        """Write the reader's note; an empty text takes it back."""
        case = with_note(self.case, self.reader, text)
        if case != self.case:
            self._record(case, _NOTE)

    def mark_xray(self, label: str, location: str) -> None:
        """Say what a radiograph shows and where.

        Raises:
            ValueError: if it is no radiograph or one of the words is not of the contract.
        """
        cxr = self.case.cxr
        if cxr is None or label not in CXR_CLASSES or location not in CXR_LOCATIONS:
            raise ValueError(f"{label!r} ({location!r}) cannot be said of this case")
        said = {"label": label, "location": location, "name": self.reader, "at": self._now()}
        if {**(cxr.reader or {}), "at": said["at"]} != said:
            self._record(replace(self.case, cxr=replace(cxr, reader=said)))

    # Keeping ----------------------------------------------------------------------------------------------------------

    def to_draft(self) -> Dict[str, Any]:
        """All of this work as plain JSON values, but for the steps to undo."""
        held = (self.case, self._opened, self._saved, self.base, self.reader, self.classes, self.selected)
        return Draft(*held).to_dict(self._written)

    @classmethod
    def from_draft(cls, draft: Mapping[str, Any], now: Callable[[], str] = utc_now) -> "Reading":
        """The work of a draft.

        Raises:
            CaseError: if it is none or damaged.
        """
        found = Draft.from_dict(draft)
        reading = cls(found.opened, found.base, found.reader, found.classes, now)
        reading._saved = reading._handed_out = reading._judged(found.saved)
        case = reading._judged(found.case)
        if case != reading.case:
            reading._history.record(case)
        if found.selected in reading._ids():
            reading.select(found.selected)
        return reading

    # Inside -----------------------------------------------------------------------------------------------------------

    def _mark(self, label: str) -> ReaderMark:
        if label not in self.classes.patch_labels:
            raise ValueError(f"{label!r} is none of {', '.join(self.classes.patch_labels)}")
        return ReaderMark(label, self.reader, self._now())


def _marked(region: Region, mark: ReaderMark) -> Region:
    return replace(region, reader=mark, state=state_of(region.source, region.label, mark.label))

"""What a case document says of a lung and of a candidate region in it: dataclasses and their reading.

Standard library only and Python 3.9 syntax. Coordinates are millimetres, LPS, at the centre of a box; ``slice``
counts the axial slices of the image as stored, from 0; a side is the patient's side.
"""

from dataclasses import dataclass, field, replace
from typing import Dict, Iterable, List, Optional, Tuple

from .case_fields import FieldReader, Vector, names_of
from .errors import CaseError
from .verdict import Classes, LabelledConfidence, vote

SIDES = ("left", "right")
MODEL, READER = "model", "reader"
SOURCES = (MODEL, READER)
OPEN, ACCEPTED, CORRECTED = "open", "accepted", "corrected"
STATES = (OPEN, ACCEPTED, CORRECTED)


@dataclass(frozen=True)
class LungInfo:
    """Volume of one lung in ml and the percentage of it that is infected."""

    volume_ml: float
    affected_percent: float


@dataclass(frozen=True)
class Patch:
    """One axial patch of a region: stored slice, label, confidence and relative distance-from-edge."""

    slice: int
    label: str
    confidence: float
    distance_from_edge: float
    probabilities: Dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ReaderMark:
    """What a reader said of a region: label, name, time (ISO 8601, UTC) and how sure (default 1)."""

    label: str
    name: str
    at: str
    confidence: float = 1.0


@dataclass(frozen=True)
class Region:
    """A candidate region: a box (centre and size in mm, LPS), its patches and its label.

    Attributes:
        score: of the candidate network, in [0, 1]; 1 for a region that a reader drew.
        label: as the region counts without its reader: what its patches vote, or irrelevant where that vote is
            not borne out (``evidence.py``).
        infected_ml: infected millilitres inside the box; None where the server has not measured it.
        state: ``open`` until a reader has looked at it, then ``accepted`` or ``corrected``.
    """

    id: str
    source: str
    center_mm: Vector
    size_mm: Vector
    score: float
    side: str
    patches: Tuple[Patch, ...] = ()
    label: Optional[str] = None
    confidence: Optional[float] = None
    reader: Optional[ReaderMark] = None
    infected_ml: Optional[float] = None
    state: str = OPEN

    @property
    def opinion(self) -> Optional[LabelledConfidence]:
        """Label and confidence that enter the verdict: the reader's where there is one, else the region's own."""
        if self.reader is not None:
            return self.reader.label, self.reader.confidence
        if self.label is None or self.confidence is None:
            return None
        return self.label, self.confidence

    @property
    def patch_vote(self) -> Optional[LabelledConfidence]:
        """The plain vote of the patches (the paper's); without patches the region's own label; None without either."""
        if self.patches:
            return vote([(patch.label, patch.confidence) for patch in self.patches])
        return None if self.label is None or self.confidence is None else (self.label, self.confidence)

    def with_vote(self) -> "Region":
        """The region with the label and confidence that its patches vote for, borne out or not."""
        label, confidence = vote([(patch.label, patch.confidence) for patch in self.patches])
        return replace(self, label=label, confidence=confidence)


def opinions(regions: Iterable[Region]) -> List[LabelledConfidence]:
    """Label and confidence of every region that has one, readers' labels first (see ``Region``)."""
    return [region.opinion for region in regions if region.opinion is not None]


def state_of(source: str, label: Optional[str], mark: Optional[str]) -> str:
    """The state of a region that says nothing of it.

    Args:
        source: ``model`` or ``reader``.
        label: the region's own label.
        mark: the reader's label; None where no reader has spoken.
    """
    if mark is None:
        return OPEN
    return ACCEPTED if source == MODEL and mark == label else CORRECTED


def parse_lungs(lungs: FieldReader) -> Dict[str, LungInfo]:
    """The field ``lungs``."""
    lungs.known(SIDES)
    found = {}
    for side in lungs.value:
        lung = lungs.child(side)
        lung.known(names_of(LungInfo))
        found[side] = LungInfo(lung.number("volume_ml", 0.0), lung.number("affected_percent", 0.0, 100.0))
    return found


def parse_region(reader: FieldReader, classes: Classes) -> Region:
    """One entry of the field ``regions``."""
    reader.known(names_of(Region))
    size = reader.vector("size_mm", (3,), 0.0)
    if min(size) <= 0.0:
        raise CaseError(f"field {reader.at('size_mm')} must be greater than 0")
    patches = reader.items("patches") if reader.optional("patches") else []
    region = Region(
        id=reader.text("id"),
        source=reader.text("source", SOURCES),
        center_mm=reader.vector("center_mm", (3,)),
        size_mm=size,
        score=reader.number("score", 0.0, 1.0),
        side=reader.text("side", SIDES),
        patches=tuple(
            _parse_patch(FieldReader(item, f"{reader.at('patches')}[{i}]"), classes) for i, item in enumerate(patches)
        ),
        label=reader.text_or_none("label", classes.patch_labels),
        confidence=reader.number_or_none("confidence", 0.0, 1.0),
        reader=_parse_mark(reader.child("reader"), classes) if reader.optional("reader") else None,
        infected_ml=reader.number_or_none("infected_ml", 0.0),
        state=reader.text_or_none("state", STATES) or OPEN,
    )
    if (region.label is None) != (region.confidence is None):
        raise CaseError(f"fields {reader.at('label')} and {reader.at('confidence')} go together")
    if region.source == READER and region.reader is None:
        raise CaseError(f"field {reader.at('reader')} is missing: a region drawn by a reader names its reader")
    return region


def _parse_patch(reader: FieldReader, classes: Classes) -> Patch:
    reader.known(names_of(Patch))
    labels = classes.patch_labels
    return Patch(
        slice=reader.integer("slice"),
        label=reader.text("label", labels),
        confidence=reader.number("confidence", 0.0, 1.0),
        distance_from_edge=reader.number("distance_from_edge", 0.0, 1.0),
        probabilities=reader.shares("probabilities", labels) if reader.optional("probabilities") else {},
    )


def _parse_mark(reader: FieldReader, classes: Classes) -> ReaderMark:
    reader.known(names_of(ReaderMark))
    confidence = reader.number_or_none("confidence", 0.0, 1.0)
    return ReaderMark(
        label=reader.text("label", classes.patch_labels),
        name=reader.text("name"),
        at=reader.text("at"),
        confidence=1.0 if confidence is None else confidence,
    )

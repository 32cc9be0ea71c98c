"""Findings of a chest X-ray in a case document: dataclasses and their reading.

Standard library only and Python 3.9 syntax. Boxes are x, y, w, h in image pixels; a side is the patient's side.
"""

import math
from dataclasses import dataclass, replace
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

from .case_fields import FieldReader, Vector, names_of
from .errors import CaseError
from .regions import MODEL, READER, SIDES, SOURCES
from .verdict import RULE_SOFTMAX, Verdict

CXR_CLASSES = ("covid19", "healthy", "cap")
CXR_POSITIVE = "covid19"
"""The class whose affected side is looked for (Wang et al. 2020)."""
CXR_HEALTHY = "healthy"
SEEN = "What these weights have learnt from:"
"""How the note begins by which every document says what the networks behind it have seen."""
CXR_LOCATIONS = ("left", "right", "bipulmonary", "none")
SAME_PIXELS = 0.5
"""Ours: boxes whose places and sizes differ by no more are the same: a client may round."""
ZONES = ("upper", "middle", "lower")
"""Thirds of a lung's box from above, as ``Cxr.severity`` names them: ``<side>_<zone>``."""
MOST_A_ZONE = 3
"""Ours: the score of a zone that is opaque throughout, as in the Brixia score (Borghesi and Maroldi 2020)."""
INFECTED = 0.5
"""Ours: a lung counts as infected from this probability."""


@dataclass(frozen=True)
class LungBox:
    """Box of a lung on an X-ray: x, y, w, h in image pixels, and whether a model or a reader put it there."""

    box: Vector
    source: str = MODEL


@dataclass(frozen=True)
class Cxr:
    """Findings of a chest X-ray.

    Attributes:
        lung_boxes: by side.
        probabilities: of the classes.
        sides: probability of infection, by side.
        location: which lungs are infected.
        reader: what a reader said.
        opacity: share of each lung that is opaque, in [0, 1]; None where it was not measured.
        severity: score by zone of the lungs, from 0 to ``MOST_A_ZONE``; None where it was not measured.
    """

    lung_boxes: Dict[str, LungBox]
    probabilities: Dict[str, float]
    sides: Dict[str, float]
    location: str
    reader: Optional[Dict[str, Any]] = None
    opacity: Optional[Dict[str, float]] = None
    severity: Optional[Dict[str, float]] = None

    @property
    def boxes(self) -> Dict[str, Vector]:
        """The lung boxes by side, as x, y, w, h in pixels."""
        return {side: found.box for side, found in self.lung_boxes.items()}


def placed(boxes: Mapping[str, Vector], source: str = MODEL) -> Dict[str, LungBox]:
    """Lung boxes of one source."""
    return {side: LungBox(box, source) for side, box in boxes.items()}


def location_of(infected: Sequence[bool]) -> str:
    """The affected side of (left, right): ``left``, ``right``, ``bipulmonary`` or ``none``."""
    left, right = infected
    return "bipulmonary" if left and right else "left" if left else "right" if right else "none"


def derived_findings(cxr: Cxr, verdict: Optional[Verdict]) -> Tuple[Cxr, Optional[Verdict]]:
    """Findings and verdict with what follows from the probabilities of the classes and of the lungs.

    The verdict is the likeliest class, with the probabilities as its confidence; a class that is as likely as any other
    stays. The location is that of the lungs that count as infected, and none for a healthy picture. What the document
    does not tell (a class or a lung without a probability) is no reason to change anything.
    """
    found = cxr.probabilities
    if verdict is not None and all(name in found for name in CXR_CLASSES):
        label = verdict.label
        if found.get(label, 0.0) < max(found.values()):
            label = max(CXR_CLASSES, key=lambda name: found[name])
        verdict = replace(verdict, label=label, rule=RULE_SOFTMAX, probability=dict(found), confidence=dict(found))
    likeliest = max(found, key=lambda name: found[name], default=None)
    location = cxr.location
    if (likeliest if verdict is None else verdict.label) == CXR_HEALTHY:
        location = "none"
    elif all(side in cxr.sides for side in SIDES):
        location = location_of([cxr.sides[side] >= INFECTED for side in SIDES])
    return replace(cxr, location=location), verdict


def with_sources(cxr: Cxr, found: Sequence[Cxr], is_of_found: bool) -> Tuple[Dict[str, LungBox], Tuple[str, ...]]:
    """The lung boxes of a submission with their true sources, and in sentences what that changed.

    A box that lies where a network put it is the network's, whatever the document says: a reader who leaves it drew
    nothing, and a network must not learn from itself. One that lies elsewhere was placed by a reader, if the document
    was made from what the networks found; else only the document can tell.

    Args:
        cxr: the findings that are submitted.
        found: the findings of screenings of this picture, and those of its versions.
        is_of_found: whether the document was made from the last of these screenings.
    """
    boxes, notes = {}, []
    for side, own in cxr.lung_boxes.items():
        known = [each.lung_boxes[side] for each in found if side in each.lung_boxes]
        is_models = any(each.source == MODEL and _are_same(own.box, each.box) for each in known)
        source = MODEL if is_models else READER if is_of_found else own.source
        if own.source == READER and source == MODEL:
            notes.append(f"The box of the {side} lung counts as the model's: nobody moved it.")
        boxes[side] = replace(own, source=source)
    return boxes, tuple(notes)


def _are_same(one: Vector, other: Vector) -> bool:
    return all(abs(value - other[i]) <= SAME_PIXELS for i, value in enumerate(one))


def parse_cxr(reader: FieldReader) -> Cxr:
    reader.known(names_of(Cxr))
    return Cxr(
        lung_boxes=_parse_lung_boxes(reader.child("lung_boxes")),
        probabilities=reader.shares("probabilities", CXR_CLASSES),
        sides=reader.numbers("sides", SIDES, 0.0, 1.0),
        location=reader.text("location", CXR_LOCATIONS),
        reader=_parse_cxr_reader(reader.child("reader")) if reader.optional("reader") else None,
        opacity=reader.numbers("opacity", SIDES, 0.0, 1.0) if reader.optional("opacity") else None,
        severity=reader.numbers("severity", None, 0.0, math.inf) if reader.optional("severity") else None,
    )


def _parse_lung_boxes(boxes: FieldReader) -> Dict[str, LungBox]:
    boxes.known(SIDES)
    found = {}
    for side in boxes.value:
        entry = boxes.child(side)
        entry.known(names_of(LungBox))
        box = entry.vector("box", (4,))
        if min(box[2:]) <= 0:
            raise CaseError(f"field {entry.at('box')} must have a width and a height greater than 0")
        found[side] = LungBox(box, entry.text_or_none("source", SOURCES) or MODEL)
    return found


def _parse_cxr_reader(reader: FieldReader) -> Dict[str, Any]:
    """What a reader said: its class and side, if named, are of those that there are; more may stand beside them."""
    label, location = reader.text_or_none("label", CXR_CLASSES), reader.text_or_none("location", CXR_LOCATIONS)
    if label is not None and location is not None:
        require_place(reader.at("location"), label, location)
    return reader.value


def require_place(path: str, label: str, location: str) -> None:
    if label == CXR_HEALTHY and location != "none":
        raise CaseError(f"field {path} must be none for a picture that is labelled {CXR_HEALTHY}, not {location!r}")

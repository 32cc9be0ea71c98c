"""The case document, contract ``pneumoscreen.case/1``: its dataclasses, JSON form and validation.

Standard library only and Python 3.9 syntax: the server writes a document, the command line saves it,
the Slicer extension draws and corrects it, training reads it back, all through this module.
World coordinates are millimetres, LPS, at the centre of a box; ``slice`` counts the axial slices of
the image as stored, from 0; a side is the patient's side.
"""

import json
import math
import sys
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, Type

from .errors import CaseError
from .verdict import DEFAULT_CLASSES, RULES, Classes, LabelledConfidence, Verdict, decide, vote

SCHEMA = "pneumoscreen.case/1"
SIDES = ("left", "right")
SOURCES = ("model", "reader")
MODALITIES = ("CT", "CXR")
CXR_CLASSES = ("covid19", "healthy", "cap")
CXR_POSITIVE = "covid19"
"""The class whose affected side is looked for (Wang et al. 2020)."""
CXR_LOCATIONS = ("left", "right", "bipulmonary", "none")

Vector = Tuple[float, ...]

_LARGEST = sys.float_info.max


@dataclass(frozen=True)
class ImageInfo:
    """Size in voxels and spacing in mm, both (x, y, z) of the image as stored; SHA-256 of the input."""

    size: Tuple[int, ...]
    spacing_mm: Vector
    sha256: str
    series_uid: Optional[str] = None


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
    """A candidate region: a box (centre and size in mm, LPS), its patches and its label."""

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

    @property
    def opinion(self) -> Optional[LabelledConfidence]:
        """Label and confidence that enter the verdict: the reader's where there is one, else the vote's."""
        if self.reader is not None:
            return self.reader.label, self.reader.confidence
        if self.label is None or self.confidence is None:
            return None
        return self.label, self.confidence

    def with_vote(self) -> "Region":
        """The region with the label and confidence that its patches vote for."""
        label, confidence = vote([(p.label, p.confidence) for p in self.patches])
        return replace(self, label=label, confidence=confidence)


@dataclass(frozen=True)
class ModelInfo:
    """Version and SHA-256 of the weights that a step used."""

    version: int
    sha256: str


@dataclass(frozen=True)
class Cxr:
    """Findings of a chest X-ray; boxes are x, y, w, h in image pixels."""

    lung_boxes: Dict[str, Vector]
    probabilities: Dict[str, float]
    sides: Dict[str, float]
    location: str
    reader: Optional[Dict[str, Any]] = None


@dataclass(frozen=True)
class Case:
    """One screened case. ``notes`` holds sentences on what was repaired or noticed while reading."""

    case_id: str
    modality: str
    image: ImageInfo
    diagnosis: Optional[str] = None
    lungs: Dict[str, LungInfo] = field(default_factory=dict)
    regions: Tuple[Region, ...] = ()
    verdict: Optional[Verdict] = None
    models: Dict[str, ModelInfo] = field(default_factory=dict)
    timings_s: Dict[str, float] = field(default_factory=dict)
    cxr: Optional[Cxr] = None
    notes: Tuple[str, ...] = ()
    schema: str = SCHEMA

    def with_verdict(self, classes: Classes = DEFAULT_CLASSES) -> "Case":
        """The case with the verdict that follows from its regions, readers' labels first."""
        return replace(self, verdict=decide(opinions(self.regions), classes))

    def to_dict(self) -> Dict[str, Any]:
        """The document as plain JSON types; a CT document has no ``cxr``, an X-ray no ``regions``."""
        document = {"schema": self.schema, **_plain(self)}
        for name in ("regions", "lungs") if self.modality == "CXR" else ("cxr",):
            document.pop(name, None)
        for region in document.get("regions", ()):
            if region["reader"] and region["reader"]["confidence"] == 1.0:
                del region["reader"]["confidence"]
        return document

    def to_json(self) -> str:
        """The document as indented JSON text, ending in a newline."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str, classes: Classes = DEFAULT_CLASSES) -> "Case":
        """Parse and validate a document.

        Raises:
            CaseError: if it is not JSON or breaks the contract; the message names the field.
        """
        try:
            document = json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise CaseError(f"the case document is not valid JSON: {error}") from None
        return cls.from_dict(document, classes)

    @classmethod
    def from_dict(cls, document: Any, classes: Classes = DEFAULT_CLASSES) -> "Case":
        """Build and validate a case from plain JSON types.

        Raises:
            CaseError: if the document breaks the contract; the message names the field.
        """
        return _parse_case(document, classes)


def opinions(regions: Iterable[Region]) -> List[LabelledConfidence]:
    """Label and confidence of every region that has one, readers' labels first (see ``Region``)."""
    return [region.opinion for region in regions if region.opinion is not None]


def lps_to_ras(point_mm: Sequence[float]) -> Tuple[float, float, float]:
    """A point of the document (LPS) in Slicer's coordinates (RAS); its own inverse."""
    x, y, z = point_mm
    return (0.0 - x, 0.0 - y, float(z))


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


class _Reader:
    """Reads fields of one JSON object; every error names the path of the field."""

    def __init__(self, value: Any, path: str) -> None:
        if not isinstance(value, dict) or not all(map(_is_text, value)):
            raise CaseError(f"{path or 'the case document'} must be a JSON object")
        self.value: Dict[str, Any] = value
        self.path = path

    def at(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def known(self, names: Iterable[str]) -> None:
        unknown = sorted(set(self.value) - set(names))
        if unknown:
            raise CaseError(f"field {self.at(unknown[0])} is not part of {SCHEMA}")

    def optional(self, name: str) -> bool:
        return self.value.get(name) is not None

    def require(self, name: str) -> Any:
        if name not in self.value:
            raise CaseError(f"field {self.at(name)} is missing")
        return self.value[name]

    def text(self, name: str, allowed: Optional[Sequence[str]] = None) -> str:
        value = self.require(name)
        if not _is_text(value) or not value:
            raise CaseError(f"field {self.at(name)} must be a non-empty text")
        if allowed is not None and value not in allowed:
            raise CaseError(f"field {self.at(name)} must be one of {', '.join(allowed)}, not {value!r}")
        return value

    def number(self, name: str, low: float = -math.inf, high: float = math.inf) -> float:
        return _number(self.require(name), self.at(name), low, high)

    def integer(self, name: str, low: int = 0) -> int:
        return _integer(self.require(name), self.at(name), low)

    def vector(self, name: str, lengths: Sequence[int], low: float = -math.inf) -> Vector:
        items = self.items(name)
        if len(items) not in lengths:
            raise CaseError(f"field {self.at(name)} must hold {' or '.join(map(str, lengths))} numbers")
        return tuple(_number(item, f"{self.at(name)}[{i}]", low) for i, item in enumerate(items))

    def items(self, name: str) -> List[Any]:
        value = self.require(name)
        if not isinstance(value, list):
            raise CaseError(f"field {self.at(name)} must be a list")
        return value

    def child(self, name: str) -> "_Reader":
        return _Reader(self.require(name), self.at(name))

    def numbers(self, name: str, allowed: Optional[Sequence[str]], low: float, high: float) -> Dict[str, float]:
        child = self.child(name)
        if allowed is not None:
            child.known(allowed)
        return {key: child.number(key, low, high) for key in child.value}


def _is_text(value: Any) -> bool:
    """Whether it is a text that can be written to a file: JSON may escape half a surrogate pair."""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


def _number(value: Any, path: str, low: float = -math.inf, high: float = math.inf) -> float:
    # The comparison, unlike math.isfinite, also takes whole numbers beyond the range of a float.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= _LARGEST:
        raise CaseError(f"field {path} must be a finite number")
    if not low <= value <= high:
        raise CaseError(f"field {path} must lie between {low:g} and {high:g}, not {value:g}")
    return float(value)


def _integer(value: Any, path: str, low: int = 0) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise CaseError(f"field {path} must be a whole number")
    if value < low:
        raise CaseError(f"field {path} must be at least {low}, not {value}")
    return value


def _names(kind: Type[Any]) -> List[str]:
    return [f.name for f in fields(kind)]


def _parse_case(document: Any, classes: Classes) -> Case:
    reader = _Reader(document, "")
    schema = reader.text("schema")
    if schema != SCHEMA:
        raise CaseError(f"field schema is {schema!r}; this version reads {SCHEMA}")
    reader.known(_names(Case))
    modality = reader.text("modality", MODALITIES)
    is_ct = modality == "CT"
    for name in ("regions", "lungs"):
        if not is_ct and reader.value.get(name):
            raise CaseError(f"field {name} belongs to a CT case only")
    if is_ct and reader.optional("cxr"):
        raise CaseError("field cxr belongs to an X-ray case only")
    regions = tuple(
        _parse_region(_Reader(item, f"regions[{i}]"), classes)
        for i, item in enumerate(reader.items("regions") if is_ct else [])
    )
    ids = [region.id for region in regions]
    for i, region_id in enumerate(ids):
        if region_id in ids[:i]:
            raise CaseError(f"field regions[{i}].id repeats {region_id!r}; every region needs its own id")
    diagnoses = classes.case_labels if is_ct else CXR_CLASSES
    return Case(
        case_id=reader.text("case_id"),
        modality=modality,
        image=_parse_image(reader.child("image"), 3 if is_ct else 2),
        diagnosis=reader.text("diagnosis", diagnoses) if reader.optional("diagnosis") else None,
        lungs=_parse_lungs(reader) if is_ct and reader.optional("lungs") else {},
        regions=regions,
        verdict=_parse_verdict(reader.child("verdict"), classes, is_ct) if reader.optional("verdict") else None,
        models=_parse_models(reader) if reader.optional("models") else {},
        timings_s=reader.numbers("timings_s", None, 0.0, math.inf) if reader.optional("timings_s") else {},
        cxr=_parse_cxr(reader.child("cxr")) if not is_ct and reader.optional("cxr") else None,
        notes=_parse_notes(reader) if reader.optional("notes") else (),
    )


def _parse_notes(reader: _Reader) -> Tuple[str, ...]:
    notes = reader.items("notes")
    for i, note in enumerate(notes):
        if not _is_text(note):
            raise CaseError(f"field notes[{i}] must be a text")
    return tuple(notes)


def _parse_image(reader: _Reader, dimensions: int) -> ImageInfo:
    reader.known(_names(ImageInfo))
    sizes = reader.items("size")
    if len(sizes) != dimensions:
        raise CaseError(f"field {reader.at('size')} must hold {dimensions} whole numbers")
    spacing = reader.vector("spacing_mm", (dimensions,), 0.0)
    if min(spacing) <= 0.0:
        raise CaseError(f"field {reader.at('spacing_mm')} must be greater than 0")
    return ImageInfo(
        size=tuple(_integer(size, f"{reader.at('size')}[{i}]", 1) for i, size in enumerate(sizes)),
        spacing_mm=spacing,
        sha256=reader.text("sha256"),
        series_uid=reader.text("series_uid") if reader.optional("series_uid") else None,
    )


def _parse_lungs(reader: _Reader) -> Dict[str, LungInfo]:
    lungs = reader.child("lungs")
    lungs.known(SIDES)
    found = {}
    for side in lungs.value:
        lung = lungs.child(side)
        lung.known(_names(LungInfo))
        found[side] = LungInfo(lung.number("volume_ml", 0.0), lung.number("affected_percent", 0.0, 100.0))
    return found


def _parse_region(reader: _Reader, classes: Classes) -> Region:
    reader.known(_names(Region))
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
            _parse_patch(_Reader(item, f"{reader.at('patches')}[{i}]"), classes) for i, item in enumerate(patches)
        ),
        label=reader.text("label", classes.patch_labels) if reader.optional("label") else None,
        confidence=reader.number("confidence", 0.0, 1.0) if reader.optional("confidence") else None,
        reader=_parse_mark(reader.child("reader"), classes) if reader.optional("reader") else None,
    )
    if (region.label is None) != (region.confidence is None):
        raise CaseError(f"fields {reader.at('label')} and {reader.at('confidence')} go together")
    if region.source == "reader" and region.reader is None:
        raise CaseError(f"field {reader.at('reader')} is missing: a region drawn by a reader names its reader")
    return region


def _parse_patch(reader: _Reader, classes: Classes) -> Patch:
    reader.known(_names(Patch))
    labels = classes.patch_labels
    return Patch(
        slice=reader.integer("slice"),
        label=reader.text("label", labels),
        confidence=reader.number("confidence", 0.0, 1.0),
        distance_from_edge=reader.number("distance_from_edge", 0.0, 1.0),
        probabilities=reader.numbers("probabilities", labels, 0.0, 1.0) if reader.optional("probabilities") else {},
    )


def _parse_mark(reader: _Reader, classes: Classes) -> ReaderMark:
    reader.known(_names(ReaderMark))
    return ReaderMark(
        label=reader.text("label", classes.patch_labels),
        name=reader.text("name"),
        at=reader.text("at"),
        confidence=reader.number("confidence", 0.0, 1.0) if reader.optional("confidence") else 1.0,
    )


def _parse_verdict(reader: _Reader, classes: Classes, is_ct: bool) -> Verdict:
    reader.known(_names(Verdict))
    types = classes.infections if is_ct else CXR_CLASSES
    return Verdict(
        label=reader.text("label", classes.case_labels if is_ct else CXR_CLASSES),
        rule=reader.text("rule", RULES),
        probability=reader.numbers("probability", types, 0.0, 1.0),
        confidence=reader.numbers("confidence", types, 0.0, 1.0),
    )


def _parse_models(reader: _Reader) -> Dict[str, ModelInfo]:
    models = reader.child("models")
    found = {}
    for name in models.value:
        model = models.child(name)
        model.known(_names(ModelInfo))
        found[name] = ModelInfo(model.integer("version"), model.text("sha256"))
    return found


def _parse_cxr_reader(reader: _Reader) -> Dict[str, Any]:
    """What a reader said: its class and side, if named, are of those that there are; more may stand beside them."""
    for name, known in (("label", CXR_CLASSES), ("location", CXR_LOCATIONS)):
        if reader.optional(name):
            reader.text(name, known)
    return reader.value


def _parse_cxr(reader: _Reader) -> Cxr:
    reader.known(_names(Cxr))
    boxes = reader.child("lung_boxes")
    boxes.known(SIDES)
    for side in boxes.value:
        if min(boxes.vector(side, (4,))[2:]) <= 0:
            raise CaseError(f"field {boxes.at(side)} must have a width and a height greater than 0")
    return Cxr(
        lung_boxes={side: boxes.vector(side, (4,)) for side in boxes.value},
        probabilities=reader.numbers("probabilities", CXR_CLASSES, 0.0, 1.0),
        sides=reader.numbers("sides", SIDES, 0.0, 1.0),
        location=reader.text("location", CXR_LOCATIONS),
        reader=_parse_cxr_reader(reader.child("reader")) if reader.optional("reader") else None,
    )

"""The case document, contract ``pneumoscreen.case/2``: its dataclasses, JSON form and validation.

Standard library only and Python 3.9 syntax: the server writes a document, the command line saves it,
the Slicer extension draws and corrects it, training reads it back, all through this module.
World coordinates are millimetres, LPS, at the centre of a box; ``slice`` counts the axial slices of
the image as stored, from 0; a side is the patient's side. Documents of version 1 are upgraded as they are read.
"""

import json
import math
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

from .case_changes import findings_changes, lung_changes, region_changes, unmeasured, verdict_changes
from .case_fields import SCHEMA, SCHEMA_1, FieldReader, Vector, integer, is_text, names_of
from .case_kinds import KINDS, MODALITIES
from .case_upgrade import upgraded
from .errors import CaseError
from .evidence import Calibration, affected, counted, infection_of
from .regions import (
    MODEL,
    OPEN,
    READER,
    SIDES,
    LungInfo,
    Patch,
    ReaderMark,
    Region,
    opinions,
    parse_lungs,
    parse_region,
    state_of,
)
from .verdict import DEFAULT_CLASSES, RULES, Classes, Infection, Verdict, decide
from .xray_findings import (
    CXR_CLASSES,
    CXR_HEALTHY,
    CXR_LOCATIONS,
    CXR_POSITIVE,
    Cxr,
    LungBox,
    derived_findings,
    parse_cxr,
    placed,
    require_place,
)

__all__ = [
    "CXR_CLASSES",
    "CXR_HEALTHY",
    "CXR_LOCATIONS",
    "CXR_POSITIVE",
    "MODALITIES",
    "MODEL",
    "READER",
    "SCHEMA",
    "SCHEMA_1",
    "SIDES",
    "Case",
    "Cxr",
    "ImageInfo",
    "LungBox",
    "LungInfo",
    "ModelInfo",
    "Patch",
    "ReaderMark",
    "Reading",
    "Region",
    "Vector",
    "lps_to_ras",
    "opinions",
    "placed",
]


@dataclass(frozen=True)
class ImageInfo:
    """What was screened.

    Attributes:
        size: voxels, (x, y, z) of the image as stored; an X-ray has (x, y).
        spacing_mm: likewise.
        sha256: of the input.
        series_uid: of DICOM.
        source: path of the input below what was named, or its hash with anonymous ids.
        study_uid: of DICOM.
    """

    size: Tuple[int, ...]
    spacing_mm: Vector
    sha256: str
    series_uid: Optional[str] = None
    source: Optional[str] = None
    study_uid: Optional[str] = None


@dataclass(frozen=True)
class ModelInfo:
    """Version and SHA-256 of the weights that a step used."""

    version: int
    sha256: str


@dataclass(frozen=True)
class Reading:
    """How a submission came about: seconds that the reader took, and whether the model's findings were shown."""

    seconds: Optional[float] = None
    model_shown: Optional[bool] = None


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
    reading: Optional[Reading] = None
    schema: str = SCHEMA

    def with_verdict(self, classes: Classes = DEFAULT_CLASSES, calibration: Optional[Calibration] = None) -> "Case":
        """The case with all that follows from its regions: labels, states, affected shares and the verdict.

        Of an X-ray verdict and location follow from the networks' probabilities; a reader's word stands beside them.

        Args:
            classes: the class list.
            calibration: of the probability of an infection; default: the one that the document names.
        """
        if self.modality != "CT":
            return self._with_findings()
        before = None if self.verdict is None else self.verdict.infection
        regions = tuple(map(_with_state, counted(self.regions, classes)))
        verdict = replace(
            decide(opinions(regions), classes),
            infection=infection_of(regions, calibration or Calibration.of(before), classes),
        )
        return replace(self, regions=regions, lungs=affected(self.lungs, regions, classes), verdict=verdict)

    def _with_findings(self) -> "Case":
        if self.cxr is None:
            return self
        cxr, verdict = derived_findings(self.cxr, self.verdict)
        return replace(self, cxr=cxr, verdict=verdict)

    def derived(
        self, classes: Classes = DEFAULT_CLASSES, calibration: Optional[Calibration] = None
    ) -> Tuple["Case", Tuple[str, ...]]:
        """``with_verdict``, and in sentences what that changed of what the document said."""
        after = self.with_verdict(classes, calibration)
        if self.cxr is not None and after.cxr is not None:
            return after, tuple(
                findings_changes((self.cxr.location, self.verdict), (after.cxr.location, after.verdict))
            )
        notes = region_changes(self.regions, after.regions) + lung_changes(self.lungs, after.lungs)
        notes += unmeasured(after.lungs, after.regions, classes)
        return after, (*notes, *verdict_changes(self.verdict, after.verdict))

    def to_dict(self) -> Dict[str, Any]:
        """The document as plain JSON types; a CT document has no ``cxr``, an X-ray no ``regions``."""
        document = {"schema": self.schema, **_plain(self)}
        for name in {"CT": ("cxr",), "CXR": ("regions", "lungs")}.get(self.modality, ("cxr", "regions", "lungs")):
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
        """Build and validate a case from plain JSON types; a document of version 1 is upgraded.

        Raises:
            CaseError: if the document breaks the contract; the message names the field.
        """
        return _parse_case(document, classes)


def lps_to_ras(point_mm: Sequence[float]) -> Tuple[float, float, float]:
    """A point of the document (LPS) in Slicer's coordinates (RAS); its own inverse."""
    x, y, z = point_mm
    return (0.0 - x, 0.0 - y, float(z))


def _with_state(region: Region) -> Region:
    """The region with a state that fits its reader's entry."""
    if (region.state == OPEN) == (region.reader is None):
        return region
    said = None if region.reader is None else region.reader.label
    return replace(region, state=state_of(region.source, region.label, said))


def _plain(value: Any) -> Any:
    # Nearly all are: a case of 200 regions has tens of thousands of them, and a draft is written at every correction.
    if value is None or type(value) in (str, float, int, bool):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def _parse_case(document: Any, classes: Classes) -> Case:
    reader = FieldReader(document, "")
    schema = reader.text("schema")
    if schema not in (SCHEMA, SCHEMA_1):
        raise CaseError(f"field schema is {schema!r}; this version reads {SCHEMA} and {SCHEMA_1}")
    reader = FieldReader(upgraded(document, classes), "")
    reader.known(names_of(Case))
    modality = reader.text("modality", tuple(KINDS))
    kind, is_ct, is_cxr = KINDS[modality], modality == "CT", modality == "CXR"
    labels, types = (classes.case_labels, classes.infections) if is_ct else (kind.labels, kind.labels)
    for name in ("regions", "lungs"):
        if not is_ct and reader.value.get(name):
            raise CaseError(f"field {name} belongs to a CT case only")
    if not is_cxr and reader.optional("cxr"):
        raise CaseError("field cxr belongs to an X-ray case only")
    regions = _parse_regions(reader, classes) if is_ct else ()
    verdict = _parse_verdict(reader.child("verdict"), labels, types) if reader.optional("verdict") else None
    if verdict is not None and is_ct and schema == SCHEMA_1:
        # Version 1 did not say; its regions do.
        verdict = replace(verdict, decided=decide(opinions(regions), classes).decided)
    cxr = parse_cxr(reader.child("cxr")) if is_cxr and reader.optional("cxr") else None
    if cxr is not None and verdict is not None:
        require_place("cxr.location", verdict.label, cxr.location)
    return Case(
        case_id=reader.text("case_id"),
        modality=modality,
        image=_parse_image(reader.child("image"), kind.dimensions),
        diagnosis=reader.text_or_none("diagnosis", labels),
        lungs=parse_lungs(reader.child("lungs")) if is_ct and reader.optional("lungs") else {},
        regions=regions,
        verdict=verdict,
        models=_parse_models(reader) if reader.optional("models") else {},
        timings_s=reader.numbers("timings_s", None, 0.0, math.inf) if reader.optional("timings_s") else {},
        cxr=cxr,
        notes=_parse_notes(reader) if reader.optional("notes") else (),
        reading=_parse_reading(reader.child("reading")) if reader.optional("reading") else None,
    )


def _parse_regions(reader: FieldReader, classes: Classes) -> Tuple[Region, ...]:
    items = enumerate(reader.items("regions"))
    regions = tuple(parse_region(FieldReader(item, f"regions[{i}]"), classes) for i, item in items)
    ids = [region.id for region in regions]
    for i, region_id in enumerate(ids):
        if region_id in ids[:i]:
            raise CaseError(f"field regions[{i}].id repeats {region_id!r}; every region needs its own id")
    return regions


def _parse_notes(reader: FieldReader) -> Tuple[str, ...]:
    notes = reader.items("notes")
    for i, note in enumerate(notes):
        if not is_text(note):
            raise CaseError(f"field notes[{i}] must be a text")
    return tuple(notes)


def _parse_image(reader: FieldReader, dimensions: int) -> ImageInfo:
    reader.known(names_of(ImageInfo))
    sizes = reader.items("size")
    if len(sizes) != dimensions:
        raise CaseError(f"field {reader.at('size')} must hold {dimensions} whole numbers")
    spacing = reader.vector("spacing_mm", (dimensions,), 0.0)
    if min(spacing) <= 0.0:
        raise CaseError(f"field {reader.at('spacing_mm')} must be greater than 0")
    return ImageInfo(
        size=tuple(integer(size, f"{reader.at('size')}[{i}]", 1) for i, size in enumerate(sizes)),
        spacing_mm=spacing,
        sha256=reader.text("sha256"),
        series_uid=reader.text_or_none("series_uid"),
        source=reader.text_or_none("source"),
        study_uid=reader.text_or_none("study_uid"),
    )


def _parse_verdict(reader: FieldReader, labels: Sequence[str], types: Sequence[str]) -> Verdict:
    reader.known(names_of(Verdict))
    return Verdict(
        label=reader.text("label", labels),
        rule=reader.text("rule", RULES),
        probability=reader.numbers("probability", types, 0.0, 1.0),
        confidence=reader.numbers("confidence", types, 0.0, 1.0),
        decided=reader.truth("decided") if reader.optional("decided") else True,
        infection=_parse_infection(reader.child("infection")) if reader.optional("infection") else None,
    )


def _parse_infection(reader: FieldReader) -> Infection:
    reader.known(names_of(Infection))
    return Infection(
        probability=reader.number("probability", 0.0, 1.0),
        calibrated_on=reader.text("calibrated_on"),
        intercept=reader.number_or_none("intercept"),
        slope=reader.number_or_none("slope", 0.0),
    )


def _parse_models(reader: FieldReader) -> Dict[str, ModelInfo]:
    models = reader.child("models")
    found = {}
    for name in models.value:
        model = models.child(name)
        model.known(names_of(ModelInfo))
        found[name] = ModelInfo(model.integer("version"), model.text("sha256"))
    return found


def _parse_reading(reader: FieldReader) -> Reading:
    reader.known(names_of(Reading))
    return Reading(
        seconds=reader.number_or_none("seconds", 0.0),
        model_shown=reader.truth("model_shown") if reader.optional("model_shown") else None,
    )

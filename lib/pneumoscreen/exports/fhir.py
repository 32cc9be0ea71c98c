"""A result as a FHIR R4 Bundle: DiagnosticReport, ImagingStudy, an Observation for each figure, who made them.

Codes are those of the DICOM objects (``pacs.codes``). A report stays preliminary, whoever has read it: this program is
for research. The patient is a hashed identifier and no resource, unless the site names its own identifiers.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any
from uuid import UUID, uuid5

from .. import RESEARCH_USE_ONLY, __version__
from ..case import CXR_HEALTHY, SIDES, Case, Region
from ..pacs import codes
from ..pacs.uids import digest_of
from ..report import wording
from ..verdict import Classes
from .fhir_parts import Resource, coded, component, identifier_system, quantity, share
from .found import Result

_NAMESPACE = UUID("0d1c7c0e-8d5a-5d43-9b1e-3f0f7f4b6a52")
_STATUS = "preliminary"


@dataclass(frozen=True)
class Subject:
    """Who a bundle is about: the system and the value of an identifier."""

    system: str
    value: str


def hashed_subject(patient: str) -> Subject:
    """A patient by the name that tells nothing but who is the same."""
    return Subject(identifier_system("patient"), patient)


def bundle_of(result: Result, subject: Subject, classes: Classes) -> Resource:
    """The bundle of a result.

    Args:
        result: under the names that it is to have.
        subject: the patient.
        classes: the class list of the document.
    """
    return _Bundle(result, subject, classes).build()


class _Bundle:
    def __init__(self, result: Result, subject: Subject, classes: Classes) -> None:
        self.result, self.case, self.classes = result, result.case, classes
        self.subject = {"type": "Patient", "identifier": {"system": subject.system, "value": subject.value}}
        self.issued = _instant(result.written)
        self.seed = f"{self.case.case_id}\n{subject.value}\n{digest_of(self.case)}"

    def build(self) -> Resource:
        observations = dict(self._observations())
        parts = {
            "report": self._report(list(observations)),
            "study": self._study(),
            "device": self._device(),
            **({"reader": self._reader()} if self.result.reader else {}),
            **observations,
        }
        return {
            "resourceType": "Bundle",
            "identifier": {"system": identifier_system("case"), "value": self.case.case_id},
            "type": "collection",
            **({"timestamp": self.issued} if self.issued else {}),
            "entry": [{"fullUrl": self._url(name), "resource": resource} for name, resource in parts.items()],
        }

    def _url(self, name: str) -> str:
        """The address of a resource within the bundle: the same for the same findings."""
        return f"urn:uuid:{uuid5(_NAMESPACE, f'{self.seed}{chr(10)}{name}')}"

    def _to(self, name: str) -> Resource:
        return {"reference": self._url(name)}

    def _report(self, observations: Sequence[str]) -> Resource:
        sentences = [*self._said_by_reader(), *wording.in_sentences(self.case, self.classes)]
        said = self._concluded()
        return {
            "resourceType": "DiagnosticReport",
            "text": narrative(sentences),
            "identifier": [{"system": identifier_system("case"), "value": self.case.case_id}],
            "status": _STATUS,
            "category": [
                {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "RAD"}]},
            ],
            "code": coded(codes.DIAGNOSTIC_REPORT),
            "subject": self.subject,
            **({"issued": self.issued} if self.issued else {}),
            **({"resultsInterpreter": [self._to("reader")]} if self.result.reader else {}),
            "imagingStudy": [self._to("study")],
            "result": [self._to(name) for name in observations],
            "conclusion": " ".join([*self._said_by_reader(), *wording.conclusion(self.case, self.classes)]),
            **({"conclusionCode": [coded(codes.label(said))]} if said else {}),
        }

    def _concluded(self) -> str | None:
        """The disease that the case is taken for: a reader's word goes before; that none was found is no conclusion."""
        verdict = self.case.verdict
        label = self._word.get("label") or (verdict.label if verdict is not None and verdict.decided else None)
        return None if label in (None, self.classes.none_found, CXR_HEALTHY) else str(label)

    @property
    def _word(self) -> Mapping[str, Any]:
        """What a reader said of an X-ray, beside the verdict of the networks."""
        return (self.case.cxr.reader or {}) if self.case.cxr is not None else {}

    def _said_by_reader(self) -> Iterator[str]:
        if self._word.get("label"):
            place = wording.LOCATION_NAMES.get(self._word.get("location", ""))
            where = f", {place}" if place else ""
            yield f"The reader says: {wording.display_name(self._word['label'])}{where}. The networks say:"

    def _study(self) -> Resource:
        image, modality = self.case.image, codes.MODALITIES.get(self.case.modality)
        coding = coded(modality)["coding"][0] if modality else {"display": self.case.modality}
        procedure = codes.PROCEDURES.get(self.case.modality)
        body = coded(codes.THORAX)["coding"][0]
        series = {"uid": image.series_uid, "modality": coding, "bodySite": body}
        return {
            "resourceType": "ImagingStudy",
            **({"identifier": [_uid(image.study_uid)]} if image.study_uid else {}),
            "status": "available",
            "modality": [coding],
            "subject": self.subject,
            **({"procedureCode": [coded(procedure)]} if procedure else {}),
            **({"series": [series]} if image.series_uid else {}),
        }

    def _device(self) -> Resource:
        networks = [
            {"type": {"text": name}, "value": f"{used.version} (SHA-256 {used.sha256})"}
            for name, used in sorted(self.case.models.items())
        ]
        return {
            "resourceType": "Device",
            "deviceName": [{"name": "PneumoScreen", "type": "model-name"}],
            "version": [{"type": {"text": "program"}, "value": __version__}, *networks],
            "note": [{"text": RESEARCH_USE_ONLY}],
        }

    def _reader(self) -> Resource:
        reader = self.result.reader or ""
        return {
            "resourceType": "Practitioner",
            "identifier": [{"system": identifier_system("reader"), "value": reader}],
        }

    def _observations(self) -> Iterator[tuple[str, Resource]]:
        if self.case.verdict is not None:
            yield from self._verdict()
        yield from self._reader_verdict()
        for side in SIDES:
            found = list(_of_lung(self.case, side))
            if found:
                yield side, self._observation(codes.LUNG, component=found, bodySite=coded(codes.LUNG_OF_SIDE[side]))
        for region in self.case.regions:
            yield f"region {region.id}", self._region(region)

    def _verdict(self) -> Iterator[tuple[str, Resource]]:
        verdict = self.case.verdict
        assert verdict is not None
        said = codes.label(verdict.label) if verdict.decided else codes.UNDECIDED
        if wording.case_verdict_name(self.case) == wording.NO_OPACITY:
            said = codes.NO_OPACITY
        parts = [component(codes.DECIDED, valueBoolean=verdict.decided)]
        if self.case.cxr is not None:
            parts.append(_location(self.case.cxr.location))
        concept = {**coded(said), "text": wording.case_verdict_name(self.case)}
        yield "verdict", self._observation(codes.VERDICT, valueCodeableConcept=concept, component=parts)
        if verdict.infection is not None:
            name = codes.INFECTION_PROBABILITY if self.case.cxr is None else codes.OPACITY_PROBABILITY
            told = wording.plain(f"Calibrated on {verdict.infection.calibrated_on}.")
            value = share(verdict.infection.probability)
            yield "infection", self._observation(name, valueQuantity=value, note=[{"text": told}])
        if verdict.probability:
            types = [
                component(codes.probability_of(name), valueQuantity=share(value))
                for name, value in verdict.probability.items()
            ]
            yield "types", self._observation(codes.TYPE_PROBABILITIES, component=types)

    def _reader_verdict(self) -> Iterator[tuple[str, Resource]]:
        said = self._word
        if said.get("label"):
            parts = [component(codes.JUDGED_BY, valueCodeableConcept=coded(codes.READER))]
            parts += [_location(said["location"])] if said.get("location") else []
            concept = coded(codes.label(said["label"]))
            yield "reader's verdict", self._observation(codes.VERDICT, valueCodeableConcept=concept, component=parts)

    def _region(self, region: Region) -> Resource:
        label, confidence = region.opinion or (None, None)
        by = codes.ALGORITHM if region.reader is None else codes.READER
        parts = [component(codes.JUDGED_BY, valueCodeableConcept=coded(by))]
        if confidence is not None:
            parts.append(component(codes.CERTAINTY, valueQuantity=share(confidence)))
        parts.append(component(codes.CANDIDATE_SCORE, valueQuantity=share(region.score)))
        if region.infected_ml is not None:
            parts.append(component(codes.INFECTED_VOLUME, valueQuantity=quantity(region.infected_ml, codes.MILLILITRE)))
        for name, extent in zip(codes.EXTENTS, region.size_mm, strict=True):
            parts.append(component(name, valueQuantity=quantity(extent, codes.MILLIMETRE)))
        finding = codes.OPACITY if label is None else codes.label(label)
        site = coded(codes.LUNG_OF_SIDE[region.side])
        known = [{"system": identifier_system("region"), "value": f"{self.case.case_id} {region.id}"}]
        return self._observation(
            codes.REGION, identifier=known, valueCodeableConcept=coded(finding), bodySite=site, component=parts
        )

    def _observation(self, code: Any, **content: Any) -> Resource:
        return {
            "resourceType": "Observation",
            "status": _STATUS,
            "category": [
                {
                    "coding": [
                        {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "imaging"}
                    ]
                }
            ],
            "code": coded(code),
            "subject": self.subject,
            **({"issued": self.issued} if self.issued else {}),
            **({"performer": [self._to("reader")]} if self.result.reader else {}),
            "device": self._to("device"),
            "derivedFrom": [self._to("study")],
            **content,
        }


def _location(place: str) -> Resource:
    return component(codes.LOCATION, valueCodeableConcept=coded(codes.private(place, wording.LOCATION_NAMES[place])))


def _of_lung(case: Case, side: str) -> Iterator[Resource]:
    lung = case.lungs.get(side)
    if lung is not None:
        yield component(codes.VOLUME, valueQuantity=quantity(lung.volume_ml, codes.MILLILITRE))
        yield component(codes.AFFECTED_SHARE, valueQuantity=quantity(lung.affected_percent, codes.PERCENT))
    cxr = case.cxr
    if cxr is not None and side in cxr.sides:
        yield component(codes.OPACITY_PROBABILITY, valueQuantity=share(cxr.sides[side]))
    opacity: Mapping[str, float] = (cxr.opacity or {}) if cxr is not None else {}
    if side in opacity:
        yield component(codes.OPAQUE_SHARE, valueQuantity=share(opacity[side]))


def narrative(sentences: Sequence[str]) -> Resource:
    """Sentences as the text of a resource."""
    paragraphs = "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences)
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{paragraphs}</div>'}


def _uid(uid: str | None) -> Resource:
    return {"system": "urn:dicom:uid", "value": f"urn:oid:{uid}"}


def _instant(text: str | None) -> str | None:
    """A time that names its zone; None for another text, which a document may hold."""
    try:
        told = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return None if told.tzinfo is None else told.isoformat()

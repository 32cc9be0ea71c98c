"""The Structured Report of a case (TID 1500): the verdict, each lung, each region, and who says so."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from .. import __version__
from ..case import READER, SIDES, Case, Region
from ..report import wording
from ..studies.marks import marks_of
from ..verdict import Verdict
from . import codes
from .about import MAKER, About, finish
from .outlines import Outline, outlines
from .segmentation import SegmentPlace, tracking_id, tracking_uid
from .uids import uid_of

_DECIMALS = 4
Group = (
    sr.MeasurementsAndQualitativeEvaluations
    | sr.VolumetricROIMeasurementsAndQualitativeEvaluations
    | sr.PlanarROIMeasurementsAndQualitativeEvaluations
)


def structured_report(about: About, places: Mapping[str, SegmentPlace]) -> Dataset:
    """The report of a case; ``places`` say where its segments were written."""
    groups = [_verdict_group(about), *_lung_groups(about, places), *_region_groups(about, places)]
    groups += _film_groups(about)
    groups += [_outline_group(about, outline) for outline in outlines(about)]
    report = sr.MeasurementReport(
        observation_context=_observers(about.case),
        procedure_reported=codes.PROCEDURES[about.case.modality],
        imaging_measurements=groups,
        title=codes.IMAGING_REPORT,
    )
    report[0].ContentSequence.extend(
        sr.TextContentItem(codes.COMMENT, text, sr.RelationshipTypeValues.CONTAINS)
        for text in wording.in_sentences(about.case, about.classes)
    )
    segmentations = {place.seg.SOPInstanceUID: place.seg for place in places.values()}
    document = sr.ComprehensiveSR(
        evidence=[*about.source.images, *segmentations.values()],
        content=report[0],
        is_complete=True,
        is_final=False,
        previous_versions=list(about.previous) or None,
        **{name: value for name, value in about.series("SR").items() if name not in ("device_serial_number",)},
    )
    document.DeviceSerialNumber = __version__
    finish(document)
    return document


def _observers(case: Case) -> sr.ObservationContext:
    """The algorithm, and the reader where one has spoken; of several the one named last."""
    device = sr.DeviceObserverIdentifyingAttributes(
        uid=uid_of("device", MAKER, __version__), name=MAKER, manufacturer_name=MAKER, model_name=MAKER
    )
    readers = [mark[1] for mark in marks_of(case)]
    person = None
    if readers:
        # A name without parts is the family name; DICOM asks for the mark behind it.
        name = readers[-1] if "^" in readers[-1] else f"{readers[-1]}^"
        person = sr.ObserverContext(codes.concept(codes.PERSON), sr.PersonObserverIdentifyingAttributes(name=name))
    return sr.ObservationContext(
        observer_person_context=person, observer_device_context=sr.ObserverContext(codes.concept(codes.DEVICE), device)
    )


def _algorithm(about: About) -> sr.AlgorithmIdentification:
    return sr.AlgorithmIdentification(
        name=MAKER, version=__version__, parameters=wording.models_in_words(about.case) or None
    )


def _tracking(about: About, name: str) -> sr.TrackingIdentifier:
    return sr.TrackingIdentifier(uid=tracking_uid(about, name), identifier=tracking_id(about.case, name))


def _number(name: Code, value: float, unit: Code) -> sr.Measurement:
    return sr.Measurement(name=name, value=round(float(value), _DECIMALS), unit=unit)


def _share(name: Code, value: float) -> sr.Measurement:
    return _number(name, 100.0 * value, codes.PERCENT)


def _verdict_group(about: About) -> sr.MeasurementsAndQualitativeEvaluations:
    case, verdict = about.case, about.case.verdict
    said, numbers = [], []
    if verdict is not None:
        said = [
            sr.QualitativeEvaluation(codes.VERDICT, codes.label(verdict.label) if verdict.decided else codes.UNDECIDED),
            sr.QualitativeEvaluation(codes.DECIDED, codes.YES if verdict.decided else codes.NO),
        ]
        numbers = list(_probabilities(case.modality, verdict))
    if case.cxr is not None:
        place = codes.private(case.cxr.location, wording.LOCATION_NAMES.get(case.cxr.location, case.cxr.location))
        said.append(sr.QualitativeEvaluation(codes.LOCATION, place))
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(about, "verdict"),
        algorithm_id=_algorithm(about),
        finding_sites=[sr.FindingSite(codes.LUNG)],
        measurements=numbers,
        qualitative_evaluations=said or None,
        source_images=[sr.SourceImageForMeasurementGroup.from_source_image(about.source.first)],
    )


def _probabilities(modality: str, verdict: Verdict) -> Iterator[sr.Measurement]:
    if verdict.infection is not None:
        name = codes.OPACITY_PROBABILITY if modality == "CXR" else codes.INFECTION_PROBABILITY
        yield _share(name, verdict.infection.probability)
    for label, value in verdict.probability.items():
        yield _share(codes.probability_of(label), value)


def _lung_groups(about: About, places: Mapping[str, SegmentPlace]) -> Iterator[Group]:
    for side in SIDES:
        lung = about.case.lungs.get(side)
        if lung is None:
            continue
        yield _group(
            about,
            side,
            places,
            finding_type=codes.LUNG,
            algorithm_id=_algorithm(about),
            finding_sites=[sr.FindingSite(codes.LUNG, laterality=codes.SIDES[side])],
            measurements=[
                _number(codes.VOLUME, lung.volume_ml, codes.MILLILITRE),
                _number(codes.AFFECTED_SHARE, lung.affected_percent, codes.PERCENT),
            ],
        )


def _region_groups(about: About, places: Mapping[str, SegmentPlace]) -> Iterator[Group]:
    for region in about.case.regions:
        name, confidence = region.opinion or (None, 0.0)
        finding = codes.OPACITY if name is None else codes.label(name)
        by = codes.ALGORITHM if region.reader is None else codes.READER
        yield _group(
            about,
            region.id,
            places,
            finding_type=finding,
            algorithm_id=_algorithm(about) if region.source != READER else None,
            finding_sites=[sr.FindingSite(codes.LUNG, laterality=codes.SIDES[region.side])],
            measurements=[_share(codes.CERTAINTY, confidence), *_region_numbers(region)],
            qualitative_evaluations=[sr.QualitativeEvaluation(codes.JUDGED_BY, by)],
        )


def _region_numbers(region: Region) -> Iterator[sr.Measurement]:
    yield _share(codes.CANDIDATE_SCORE, region.score)
    if region.infected_ml is not None:
        yield _number(codes.INFECTED_VOLUME, region.infected_ml, codes.MILLILITRE)
    for name, extent in zip(codes.EXTENTS, region.size_mm, strict=True):
        yield _number(name, extent, codes.MILLIMETRE)


def _group(about: About, name: str, places: Mapping[str, SegmentPlace], **content: Any) -> Group:
    """A group about a segment; about what has no voxel of its own (a box between two slices) without one."""
    tracking = _tracking(about, name)
    if name not in places:
        return sr.MeasurementsAndQualitativeEvaluations(tracking_identifier=tracking, **content)
    return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking, referenced_segment=_segment(places[name]), **content
    )


def _segment(place: SegmentPlace) -> sr.ReferencedSegment:
    # The series, not each slice: a thin scan of twelve regions would name its slices thousands of times.
    (series,) = place.seg.ReferencedSeriesSequence
    return sr.ReferencedSegment(
        sop_class_uid=place.seg.SOPClassUID,
        sop_instance_uid=place.seg.SOPInstanceUID,
        segment_number=place.number,
        source_series=sr.SourceSeriesForSegmentation(series.SeriesInstanceUID),
    )


def _film_groups(about: About) -> Iterable[Group]:
    """What was found in each lung of an X-ray."""
    cxr = about.case.cxr
    if cxr is None:
        return
    for side, found in cxr.lung_boxes.items():
        numbers = [_share(codes.OPACITY_PROBABILITY, cxr.sides[side])] if side in cxr.sides else []
        if cxr.opacity is not None and side in cxr.opacity:
            numbers.append(_share(codes.OPAQUE_SHARE, cxr.opacity[side]))
        yield sr.MeasurementsAndQualitativeEvaluations(
            tracking_identifier=_tracking(about, side),
            finding_type=codes.LUNG,
            algorithm_id=_algorithm(about) if found.source != READER else None,
            finding_sites=[sr.FindingSite(codes.LUNG, laterality=codes.SIDES[side])],
            measurements=numbers,
            qualitative_evaluations=[
                sr.QualitativeEvaluation(codes.JUDGED_BY, codes.READER if found.source == READER else codes.ALGORITHM)
            ],
            source_images=[sr.SourceImageForMeasurementGroup.from_source_image(about.source.first)],
        )


def _outline_group(about: About, outline: Outline) -> Group:
    """Where a finding is to be seen on an image; what was measured stands in the group of the same tracking."""
    side = None if outline.side is None else codes.SIDES[outline.side]
    group = sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(about, outline.name),
        referenced_region=outline.region(),
        finding_type=outline.finding,
        finding_sites=[sr.FindingSite(codes.LUNG, laterality=side)],
        measurements=list(_outlined_area(outline)),
    )
    # A viewer's label of the outline.
    said = sr.TextContentItem(codes.COMMENT, outline.text, sr.RelationshipTypeValues.CONTAINS)
    group[0].ContentSequence.append(said)
    return group


def _outlined_area(outline: Outline) -> Iterator[sr.Measurement]:
    """The area inside an outline, which OHIF shows as nothing until its reader has been there."""
    if outline.area_mm2 is None:
        return
    area = _number(codes.AREA, outline.area_mm2, codes.SQUARE_MILLIMETRE)
    # OHIF reads the outline from the first number where there is one.
    region = outline.region()
    region.RelationshipType = sr.RelationshipTypeValues.INFERRED_FROM.value
    area[0].ContentSequence = sr.ContentSequence([region])
    yield area

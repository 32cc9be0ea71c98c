"""The readings of a reader study: what each reader said of a case, in how many seconds, and if the model was shown.

Ours, in all of it. Of each reader the first submission of a case counts in each condition: later ones are corrections,
made when other documents could be seen, and say nothing of the time. What a reader says of a case is the diagnosis
where one was given, else the verdict that follows from the marked regions: where the model was hidden, the time and
the condition are told of the diagnosis, and regions are marked after it. The truth is what an adjudication settled,
else the label that was there before any reader's (imported, or that of a phantom); a reader's own word is none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ..case import Case
from ..case_kinds import KINDS
from ..errors import PneumoScreenError
from ..images.inputs import Modality
from ..metrics.agreement import signed_label, voted_label
from ..studies.annotations import AnnotationStore
from ..studies.cases import Study
from ..studies.versions import ADJUDICATION, IMPORT, READER, Annotation, valid
from ..verdict import DEFAULT_CLASSES, Classes


class Condition(StrEnum):
    """Whether the model was shown before the reader spoke."""

    WITHOUT = "without"
    WITH = "with"
    NOT_TOLD = "not_told"

    @classmethod
    def of(cls, document: Case) -> "Condition":
        """The condition that a submission tells."""
        shown = None if document.reading is None else document.reading.model_shown
        return cls.NOT_TOLD if shown is None else (cls.WITH if shown else cls.WITHOUT)


CONDITION_NAMES = {
    Condition.WITHOUT: "without the model",
    Condition.WITH: "with the model",
    Condition.NOT_TOLD: "not told",
}


@dataclass(frozen=True)
class StudyReading:
    """One reader's first submission of a case in one condition.

    Attributes:
        case_id: the case.
        patient: whose scan it is.
        reader: who submitted.
        version: its number in the annotation store.
        condition: whether the model was shown.
        seconds: that it took; None where the submission does not say.
        said: the reader's label of the case.
        model: the model's; None where no model has seen the case.
        truth: the true one; None where it is not known.
        document: what was submitted.
    """

    case_id: str
    patient: str
    reader: str
    version: int
    condition: Condition
    seconds: float | None
    said: str
    model: str | None
    truth: str | None
    document: Case


@dataclass(frozen=True)
class ReadingsFound:
    """The readings of a folder.

    Attributes:
        readings: by case, reader and condition; the first of each reader and case has the lowest version.
        classes: of the newest submission; those by another list of classes are left out.
        labels: those that a case can have.
        settled: cases whose truth an adjudication settled.
        imported: cases whose truth was there before.
        left_out: submissions by another list of classes.
    """

    readings: tuple[StudyReading, ...]
    classes: Classes
    labels: tuple[str, ...]
    settled: int
    imported: int
    left_out: int


def readings_of(folder: Path, studies: Sequence[Study], modality: Modality = "CT") -> ReadingsFound:
    """What the readers of a studies folder submitted.

    Args:
        folder: of the studies.
        studies: the cases.
        modality: of all of them; the class list of CTs is the site's.

    Raises:
        PneumoScreenError: if nobody has submitted anything of these cases.
    """
    is_ct = modality == "CT"
    store = AnnotationStore(folder)
    versions = {study.case_id: _versions(store, study.case_id) for study in studies}
    every = [version for found in versions.values() for version in found if version.kind == READER]
    if not every:
        raise PneumoScreenError(
            f"{folder}: no reader has submitted any {KINDS[modality].short} here; a reader study needs "
            "submissions made through a server"
        )
    classes = max(every, key=lambda version: version.at).classes if is_ct else DEFAULT_CLASSES
    kept: list[StudyReading] = []
    truths = {READER: 0, ADJUDICATION: 0, IMPORT: 0}
    left_out = 0
    for study in studies:
        usable = [version for version in versions[study.case_id] if not is_ct or version.classes == classes]
        left_out += sum(version.kind == READER for version in versions[study.case_id]) - sum(
            version.kind == READER for version in usable
        )
        judge = _truth(usable)
        found = [_reading(study, version, judge, classes) for version in _firsts(usable)]
        if found and judge is not None:
            truths[judge.kind] += 1
        kept += [reading for reading in found if reading is not None]
    labels = classes.case_labels if is_ct else KINDS[modality].labels
    return ReadingsFound(tuple(kept), classes, labels, truths[ADJUDICATION], truths[IMPORT], left_out)


def first_readings(readings: Sequence[StudyReading]) -> list[StudyReading]:
    """The first reading of each reader and case, whatever was shown."""
    firsts: dict[tuple[str, str], int] = {}
    for reading in readings:
        key = reading.case_id, reading.reader
        firsts[key] = min(reading.version, firsts.get(key, reading.version))
    return [reading for reading in readings if reading.version == firsts[reading.case_id, reading.reader]]


def _versions(store: AnnotationStore, case_id: str) -> list[Annotation]:
    try:
        return valid(store.versions(case_id))
    except PneumoScreenError:
        return []  # a label older than the store that is no document


def _firsts(versions: Sequence[Annotation]) -> list[Annotation]:
    found: dict[tuple[str, Condition], Annotation] = {}
    for version in versions:
        if version.kind == READER:
            found.setdefault((version.reader, Condition.of(version.document)), version)
    return list(found.values())


def _truth(versions: Sequence[Annotation]) -> Annotation | None:
    for kind in (ADJUDICATION, IMPORT):
        found = [version for version in versions if version.kind == kind]
        if found:
            return found[-1]
    return None


def _reading(study: Study, version: Annotation, truth: Annotation | None, classes: Classes) -> StudyReading | None:
    """A submission as a reading; None where it says nothing of the case."""
    document, said = version.document, said_of(version, classes)
    if said is None:
        return None
    return StudyReading(
        case_id=study.case_id,
        patient=study.patient,
        reader=version.reader,
        version=version.version,
        condition=Condition.of(document),
        seconds=None if document.reading is None else document.reading.seconds,
        said=said,
        model=model_label(document, classes),
        truth=None if truth is None else said_of(truth, classes),
        document=document,
    )


def said_of(version: Annotation, classes: Classes) -> str | None:
    """The label of a case by a submission; None for an X-ray of which nothing is said."""
    document = version.document
    # A label map is given the diagnosis that was there: it is not this reader's word.
    if document.diagnosis is not None and version.label_map is None:
        return document.diagnosis
    if document.modality == "CT":
        return signed_label(document, classes)
    said = None if document.cxr is None or document.cxr.reader is None else document.cxr.reader.get("label")
    return str(said) if said else model_label(document, classes)


def model_label(document: Case, classes: Classes) -> str | None:
    """The model's label of a case; None where no model has seen it."""
    if document.modality == "CT":
        return voted_label(document, classes)
    return None if document.verdict is None else document.verdict.label

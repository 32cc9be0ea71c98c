"""What a studies folder holds of the model in use: each reader's word, each case's last word, each scan's figures.

Ours, in all of it. Of each reader and case the newest submission counts, once for those that saw the model and once
for those that did not. The verdict of a submission is compared only where the reader has spoken on all of it: by a
diagnosis, or by a mark on every region. What the model had said of a CT is taken from the screening that the document
was made from, never from the document: regions that a reader deleted are not in it. A case's time is that of its first
trace in the folder.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from ..case import Case
from ..case_kinds import KINDS
from ..errors import PneumoScreenError
from ..evaluation.reader_study import Condition, model_label, said_of
from ..regions import MODEL, OPEN
from ..studies.annotations import AnnotationStore
from ..studies.patients import patient_name, read_patients
from ..studies.versions import ADJUDICATION, READER, Annotation, counting_of, valid
from ..verdict import Classes

CT = "CT"


@dataclass(frozen=True)
class Screening:
    """What the server keeps of a screening of an image: the document, and when it was kept (UTC, ISO 8601)."""

    document: Case
    at: str


@dataclass(frozen=True)
class Submission:
    """One reader's word on a case.

    Attributes:
        case_id: the case.
        patient: whose scan it is.
        reader: who submitted.
        at: when; UTC, ISO 8601.
        condition: whether the model was shown.
        models: that the document names, see ``models_in_words``.
        said: the reader's label of the case; None where the reader has not spoken on all of it.
        by_model: the model's label; None where what the model had said is not kept.
        document: what was submitted.
        found: what the model had found; None where it is not kept.
        is_drawn: whether the regions were taken from a label map, and so are not those of the model.
    """

    case_id: str
    patient: str
    reader: str
    at: str
    condition: Condition
    models: str
    said: str | None
    by_model: str | None
    document: Case
    found: Case | None
    is_drawn: bool


@dataclass(frozen=True)
class LastWord:
    """What a case is taken for in the end, by a reader or an adjudication, and how likely the model called it.

    Attributes:
        case_id: the case.
        patient: whose scan it is.
        models: see ``models_in_words``.
        label: of the case.
        by_model: the model's label; None where what the model had said is not kept.
        probability: of an infection, by the model alone; likewise.
        is_settled: whether an adjudication said it.
    """

    case_id: str
    patient: str
    models: str
    label: str
    by_model: str | None
    probability: float | None
    is_settled: bool


@dataclass(frozen=True)
class Scan:
    """An image that was screened.

    Attributes:
        case_id: the case.
        patient: whose image it is.
        at: of its first trace in the folder.
        screened_at: when the models were known to have screened it.
        models: see ``models_in_words``.
        document: without any reader's word.
    """

    case_id: str
    patient: str
    at: str
    screened_at: str
    models: str
    document: Case


@dataclass(frozen=True)
class Records:
    """Everything of one modality, oldest first.

    Attributes:
        modality: of all of it.
        classes: those that submissions keep to.
        submissions: what readers said.
        last_words: what cases are taken for.
        scans: what was screened.
        imports: labels that were there before any reader's; they are not compared.
        left_out: submissions by another list of classes.
    """

    modality: str
    classes: Classes
    submissions: tuple[Submission, ...]
    last_words: tuple[LastWord, ...]
    scans: tuple[Scan, ...]
    imports: int
    left_out: int

    @property
    def labels(self) -> tuple[str, ...]:
        """Those that a case can have."""
        return self.classes.case_labels if self.modality == CT else KINDS[self.modality].labels

    @cached_property
    def models(self) -> str:
        """The models of the newest screening or submission; empty where there is none."""
        named = [(one.at, one.models) for one in self.submissions if one.models]
        named += [(scan.screened_at, scan.models) for scan in self.scans]
        return max(named, default=("", ""))[1]

    def is_infection(self, label: str) -> bool:
        """Whether a label of a case names an infection."""
        return label not in (self.classes.none_found, "healthy")


def records_of(
    folder: Path,
    classes: Classes,
    patients: Mapping[str, str],
    screened: Collection[str],
    screenings_of: Callable[[str], Sequence[Screening]],
) -> list[Records]:
    """What a studies folder holds, by modality; of those that it holds anything of.

    Args:
        folder: of the studies.
        classes: the site's class list.
        patients: by case, where they are known.
        screened: cases of which a screening may be kept.
        screenings_of: the screenings that are kept of a case, the last one first.

    Raises:
        PneumoScreenError: if the list of patients is wrong.
    """
    store, listed = AnnotationStore(folder, classes), read_patients(folder)
    found: dict[str, list[_CaseRecords]] = {}
    for case_id in sorted({*store.cases(), *screened}):
        patient = patients.get(case_id) or patient_name(case_id, listed.get(case_id))
        record = _case_records(case_id, patient, _versions(store, case_id), screenings_of(case_id), classes)
        if record is not None:
            found.setdefault(record.modality, []).append(record)
    return [_joined(modality, found[modality], classes) for modality in KINDS if modality in found]


def models_in_words(document: Case) -> str:
    """The networks that a document names, with their versions; empty where no model has seen the case."""
    return ", ".join(f"{name} {model.version}" for name, model in sorted(document.models.items()))


def as_screened(document: Case, classes: Classes) -> Case:
    """A document without its readers' words; regions that a reader deleted stay away."""
    regions = tuple(replace(region, reader=None, state=OPEN) for region in document.regions if region.source == MODEL)
    cxr = None if document.cxr is None else replace(document.cxr, reader=None)
    return replace(document, regions=regions, cxr=cxr, diagnosis=None, reading=None).with_verdict(classes)


@dataclass(frozen=True)
class _CaseRecords:
    modality: str
    submissions: list[Submission]
    last_word: LastWord | None
    scan: Scan | None
    imports: int
    left_out: int


def _versions(store: AnnotationStore, case_id: str) -> list[Annotation]:
    try:
        return store.versions(case_id)
    except PneumoScreenError:
        return []  # a label older than the store that is no document


def _case_records(
    case_id: str, patient: str, versions: Sequence[Annotation], screenings: Sequence[Screening], classes: Classes
) -> _CaseRecords | None:
    documents = [version.document for version in versions] or [screening.document for screening in screenings]
    if not documents:
        return None
    modality = documents[0].modality
    usable = [version for version in valid(versions) if modality != CT or version.classes == classes]
    by_readers = [version for version in usable if version.kind == READER]
    newest = {(version.reader, Condition.of(version.document)): version for version in by_readers}
    return _CaseRecords(
        modality,
        [_submission(version, patient, screenings, classes) for version in newest.values()],
        _last_word(usable, patient, screenings, classes),
        _scan(case_id, patient, by_readers, screenings, classes),
        sum(version.kind not in (READER, ADJUDICATION) for version in usable),
        sum(version.kind == READER for version in valid(versions)) - len(by_readers),
    )


def _submission(version: Annotation, patient: str, screenings: Sequence[Screening], classes: Classes) -> Submission:
    document, found = version.document, _found(version, screenings)
    return Submission(
        case_id=version.case_id,
        patient=patient,
        reader=version.reader,
        at=version.at,
        condition=Condition.of(document),
        models=models_in_words(document),
        said=said_of(version, classes) if _is_judged(version) else None,
        by_model=_by_model(document, found, classes),
        document=document,
        found=found,
        is_drawn=version.label_map is not None,
    )


def _is_judged(version: Annotation) -> bool:
    """Whether a reader has spoken on the whole case."""
    document = version.document
    if document.diagnosis is not None and version.label_map is None:
        return True
    if document.modality == CT:
        return all(region.state != OPEN for region in document.regions)
    return document.cxr is not None and document.cxr.reader is not None and bool(document.cxr.reader.get("label"))


def _found(version: Annotation, screenings: Sequence[Screening]) -> Case | None:
    """What the model had found, by the screening that the document was made from."""
    document = version.document
    return next((kept.document for kept in screenings if _is_of(document, kept.document)), None)


def _is_of(document: Case, kept: Case) -> bool:
    is_same_image = kept.image.sha256 == document.image.sha256
    return bool(kept.models) and kept.models == document.models and is_same_image


def _by_model(document: Case, found: Case | None, classes: Classes) -> str | None:
    if document.modality != CT:
        return model_label(document, classes)  # no reader moves it
    return None if found is None else model_label(found, classes)


def _last_word(
    versions: Sequence[Annotation], patient: str, screenings: Sequence[Screening], classes: Classes
) -> LastWord | None:
    counting = counting_of(versions)
    if counting is None or counting.kind not in (READER, ADJUDICATION) or not _is_judged(counting):
        return None
    said = said_of(counting, classes)
    if said is None:
        return None
    document, found = counting.document, _found(counting, screenings)
    if document.modality == CT:
        verdict = None if found is None else as_screened(found, classes).verdict
    else:
        verdict = document.verdict
    return LastWord(
        case_id=counting.case_id,
        patient=patient,
        models=models_in_words(document),
        label=said,
        by_model=_by_model(document, found, classes),
        probability=None if verdict is None or verdict.infection is None else verdict.infection.probability,
        is_settled=counting.kind == ADJUDICATION,
    )


def _scan(
    case_id: str, patient: str, versions: Sequence[Annotation], screenings: Sequence[Screening], classes: Classes
) -> Scan | None:
    traces = [(kept.at, kept.document) for kept in screenings] + [(one.at, one.document) for one in versions]
    found = next(((at, document) for at, document in traces if document.models), None)
    if found is None:
        return None
    screened_at, kept = found
    times = [version.at for version in versions] + [screening.at for screening in screenings]
    return Scan(case_id, patient, min(times), screened_at, models_in_words(kept), as_screened(kept, classes))


def _joined(modality: str, cases: Sequence[_CaseRecords], classes: Classes) -> Records:
    submissions = [submission for case in cases for submission in case.submissions]
    return Records(
        modality=modality,
        classes=classes,
        submissions=tuple(sorted(submissions, key=lambda one: (one.at, one.case_id, one.reader))),
        last_words=tuple(case.last_word for case in cases if case.last_word is not None),
        scans=tuple(sorted((c.scan for c in cases if c.scan is not None), key=lambda one: (one.at, one.case_id))),
        imports=sum(case.imports for case in cases),
        left_out=sum(case.left_out for case in cases),
    )

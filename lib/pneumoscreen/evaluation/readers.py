"""What the readers of a studies folder signed, case by case."""

from collections.abc import Sequence
from pathlib import Path

from ..case import Case
from ..errors import PneumoScreenError
from ..metrics.agreement import ReadCase
from ..studies.annotations import AnnotationStore
from ..studies.cases import Study
from ..studies.versions import IMPORT, READER, WITHDRAWAL, Annotation, current_of
from ..verdict import Classes


def read_cases(folder: Path, studies: Sequence[Study], classes: Classes) -> list[ReadCase]:
    """The newest document of each reader of each case; cases without a reader are left out.

    Ours: an adjudication settles what two readers said and is no reading of its own. A label that was there before
    the annotation store counts where one reader marked all of it.
    """
    store = AnnotationStore(folder, classes)
    found = [ReadCase(study.case_id, study.patient, _documents(store, study.case_id)) for study in studies]
    return [case for case in found if case.documents]


def _documents(store: AnnotationStore, case_id: str) -> dict[str, Case]:
    try:
        versions = [version for version in store.versions(case_id) if version.classes == store.classes]
    except PneumoScreenError:
        return {}  # loading the case says what is wrong with its document
    signed = current_of([version for version in versions if version.kind in (READER, WITHDRAWAL)])
    documents = {name: version.document for name, version in signed.items() if version.kind == READER}
    return documents or _of_import(versions)


def _of_import(versions: Sequence[Annotation]) -> dict[str, Case]:
    """An imported document by the name of the one reader who marked it; of several none signed the whole of it."""
    imported = [version.document for version in versions if version.kind == IMPORT]
    if not imported:
        return {}
    names = {region.reader.name for region in imported[-1].regions if region.reader is not None}
    return {names.pop(): imported[-1]} if len(names) == 1 else {}

"""The results of a folder: of a studies folder what counts of each case, else the documents that a screening wrote."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..case import Case
from ..errors import CaseError, PneumoScreenError
from ..output import require_folder
from ..server import WORK_FOLDER
from ..server.store.screenings import last_screening, screened_at
from ..studies.annotations import AnnotationStore
from ..studies.audit import utc_text
from ..studies.cases import find_scans, read_document
from ..studies.layout import ANNOTATIONS, FINAL_LABELS, is_plain_name, plain_name_rule
from ..studies.marks import newest_reader
from ..studies.patients import patient_name, read_patients
from ..verdict import Classes

_SCHEMA = "pneumoscreen.case/"
_SCREENINGS = Path(WORK_FOLDER) / "screenings"


@dataclass(frozen=True)
class Result:
    """What is known of one image.

    Attributes:
        case: the document.
        patient: a name that tells who is the same; see ``studies.patients``.
        written: when the document was submitted, or else written: UTC, ISO 8601; None where that is not told.
        reader: who submitted or marked it; None where only the program has spoken.
        version: of the annotation that counts.
        kind: of that annotation, see ``studies.versions``.
    """

    case: Case
    patient: str
    written: str | None
    reader: str | None = None
    version: int | None = None
    kind: str | None = None


@dataclass(frozen=True)
class LeftOut:
    """A document that cannot be used; ``reason`` is the whole sentence."""

    reason: str


Found = Result | LeftOut


def is_studies_folder(folder: Path) -> bool:
    """Whether a folder is one of studies, not of results."""
    return any((folder / part).is_dir() for part in (FINAL_LABELS, ANNOTATIONS, _SCREENINGS))


def results_of(folder: Path, classes: Classes, say: Callable[[str], None]) -> Iterator[Found]:
    """The results of a folder in order of their names, each read as it is asked for.

    Args:
        folder: of studies, or of the results of ``screen`` or ``archive``.
        classes: the site's class list.
        say: takes a line for each scan of a studies folder that cannot be a case.

    Raises:
        PneumoScreenError: if the folder is absent or holds no result.
    """
    require_folder(folder, "the folder of studies or results")
    found = _of_studies(folder, classes, say) if is_studies_folder(folder) else _of_documents(folder, classes)
    first = next(found, None)
    if first is None:
        raise PneumoScreenError(
            f"{folder}: holds no case document; name a studies folder, or the folder that screen or archive wrote into"
        )
    yield first
    yield from found


def _of_studies(folder: Path, classes: Classes, say: Callable[[str], None]) -> Iterator[Found]:
    store, listed, work = AnnotationStore(folder, classes), read_patients(folder), folder / WORK_FOLDER
    patients = {study.case_id: study.patient for study in find_scans(folder, say)}
    screened = {path.stem for path in (folder / _SCREENINGS).glob("*.json") if is_plain_name(path.stem)}
    for name in sorted(set(store.cases()) | screened):
        patient = patients.get(name) or patient_name(name, listed.get(name))
        versions, counting = store.versions(name), store.counting(name)
        if counting is not None:
            reader = counting.reader if counting.kind != "import" or newest_reader(counting.document) else None
            yield Result(counting.document, patient, counting.at, reader, counting.version, counting.kind)
        elif not versions and name not in screened:
            yield _unreadable(folder / FINAL_LABELS / f"{name}.json", classes)
        elif (case := last_screening(work, name, classes)) is not None:
            yield Result(case, patient, screened_at(work, name))
        elif name in screened:
            yield _unreadable(folder / _SCREENINGS / f"{name}.json", classes)


def _unreadable(path: Path, classes: Classes) -> LeftOut:
    try:
        read_document(path, classes)
    except CaseError as error:
        return LeftOut(str(error))
    return LeftOut(f"{path}: cannot be used; submit the case again")


def _of_documents(folder: Path, classes: Classes) -> Iterator[Found]:
    # Those of `screen` lie in the folder, those of `archive` in 256 folders below `cases`.
    taken: dict[str, Path] = {}
    for path in [*sorted(folder.glob("*.json")), *sorted(folder.glob("cases/*/*.json"))]:
        if not _is_document(path):
            continue
        try:
            case = read_document(path, classes)
        except CaseError as error:
            yield LeftOut(str(error))
            continue
        if not is_plain_name(case.case_id):
            yield LeftOut(f"{path}: {plain_name_rule('field case_id', case.case_id)}")
            continue
        if case.case_id in taken:
            yield LeftOut(f"{path}: is of case {case.case_id} as {taken[case.case_id]} is; remove one of the two")
            continue
        taken[case.case_id] = path
        yield Result(case, patient_name(case.case_id, None), _written(path), newest_reader(case))


def _is_document(path: Path) -> bool:
    """Whether a file is a case document, whole or damaged, and not another JSON file such as an evaluation's."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return True  # reading it says what is wrong
    return isinstance(content, dict) and str(content.get("schema")).startswith(_SCHEMA)


def _written(path: Path) -> str:
    return utc_text(datetime.fromtimestamp(path.stat().st_mtime, UTC))

"""The import of a table of chest X-rays: each picture into the studies folder with its document and its patient."""

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from ...case import CXR_CLASSES
from ...errors import CaseError, PneumoScreenError
from ...images.case_ids import short_hash, stem_of
from ...images.dicom_header import patient_key
from ...images.inputs import below, file_input
from ...images.radiograph import Radiograph
from ...images.radiograph_reader import read_radiograph
from ...images.raw import hash_files
from ...importers.found import ImportSettings, MarksError, Remark, SourceError
from ...importers.outcomes import Action, Outcome, alone
from ...importers.patients_file import PatientsFile
from ...importers.placing import copy_or_link
from ...importers.scans import with_hidden_source
from ...models.atomic_files import staged
from ...models.store import ModelStore
from ...studies.annotations import AnnotationStore, ConflictError
from ...studies.audit import AuditLog, utc_text
from ...studies.layout import is_plain_name, plain_name_rule
from ...studies.versions import IMPORT
from ..lung_boxes import MODEL_NAME
from .document import FoundBoxes, network_in_use, radiograph_document, timeless
from .table import Row, find_table, read_rows


def import_radiographs(
    source: Path,
    annotations: Path,
    studies: Path,
    settings: ImportSettings,
    *,
    store: ModelStore,
    link: bool = False,
    dry_run: bool = False,
    anonymous_ids: bool = False,
) -> Iterator[Outcome | Remark]:
    """Import row after row; one that cannot be imported is named and does not stop the others.

    Where the table gives no lung boxes, the network in use finds them; where the store has none the document goes
    without.

    Args:
        source: folder of the table.
        annotations: folder of the table where it lies elsewhere.
        studies: the studies folder; made where missing.
        settings: what the user says of the data.
        store: of the lung-box network.
        link: hard-link pictures where possible.
        dry_run: do everything but write.
        anonymous_ids: name cases and patients by hashes.

    Raises:
        PneumoScreenError: if the table cannot be read, the folder not be written to, or the network is damaged.
    """
    table = find_table(source, annotations)
    if table is None:
        raise SourceError(f"{source} has no CSV with the columns path, patient and diagnosis; name its folder")
    _check_settings(settings)
    boxes = network_in_use(store)
    if boxes is None:
        yield Remark(f"{store.root} has no {MODEL_NAME}: X-rays without lung boxes in the table come in without")
    one = _Import(studies, settings, boxes, utc_text(datetime.now(UTC)), link, dry_run, anonymous_ids)
    if dry_run:
        yield from one.run(table)
        return
    with alone(studies):
        yield from one.run(table)


@dataclass(frozen=True)
class _Import:
    """What is the same for all rows of one import."""

    studies: Path
    settings: ImportSettings
    boxes: FoundBoxes | None
    at: str
    link: bool
    dry_run: bool
    anonymous_ids: bool

    def run(self, table: Path) -> Iterator[Outcome]:
        """Row after row; the list of patients is written before any document that goes by it."""
        patients = PatientsFile.read(self.studies)
        taken: dict[str, Path] = {}
        for row in read_rows(table):
            case_id = self._name(row, taken)
            try:
                yield self._one(row, case_id, patients)
            except (MarksError, CaseError) as error:
                yield Outcome(Action.REFUSED, case_id, reason=f"{table} line {row.line}: {error}")
            except PneumoScreenError as error:
                yield Outcome(Action.REFUSED, case_id, reason=str(error))

    def _name(self, row: Row, taken: dict[str, Path]) -> str:
        """The case's name: the picture's, with its folder's and a hash where others have it."""
        path = row.picture
        if self.anonymous_ids:
            return f"case_{hashlib.sha256(row.get('path').encode()).hexdigest()[:12]}"
        plain = re.sub(r"\.{2,}", ".", stem_of(path))
        if taken.setdefault(plain.lower(), path) != path:
            plain = f"{re.sub(r'[^A-Za-z0-9_-]+', '_', path.parent.name)}_{plain}"
        if taken.setdefault(plain.lower(), path) != path:
            plain = f"{plain}_{short_hash(row.get('path'))}"
        return plain

    def _one(self, row: Row, case_id: str, patients: PatientsFile) -> Outcome:
        given = below(file_input(row.picture), row.table.parent)
        given = with_hidden_source(given) if self.anonymous_ids else given
        radiograph = replace(read_radiograph(given), case_id=case_id)
        target = self.studies / f"{case_id}{row.picture.suffix.lower()}"
        is_there = self._stands_there(target, radiograph)
        case = radiograph_document(row, radiograph, self.settings, self.boxes, self.at)
        store = AnnotationStore(self.studies)
        stored = store.versions(case_id) if self.studies.is_dir() else []
        other = next((v for v in stored if (v.kind, v.reader) != (IMPORT, self.settings.reader)), None)
        if other is not None:
            reason = f"annotated by {other.reader} (version {other.version}), which an import leaves alone"
            return Outcome(Action.KEPT, case_id, other.document.diagnosis, reason=reason)
        patient = row.get("patient")
        patients.check(case_id, self._patient(patient))
        if not self.dry_run:
            if patient:
                patients.add(case_id, self._patient(patient))
            if not is_there:
                with staged(target) as part:
                    copy_or_link(row.picture, part, self.link)
        if case is None:
            return Outcome(Action.UNCHANGED if is_there else Action.IMAGE_ONLY, case_id)
        newest = stored[-1] if stored else None
        if newest is not None and timeless(newest.document) == timeless(case):
            return Outcome(Action.UNCHANGED, case_id, case.diagnosis)
        if not self.dry_run:
            try:
                version = store.submit(case, self.settings.reader, base=newest.version if newest else 0, kind=IMPORT)
            except ConflictError as conflict:
                return Outcome(Action.KEPT, case_id, conflict.other.document.diagnosis, reason=str(conflict))
            AuditLog(self.studies).record(self.settings.reader, "import", case_id, version=version.version)
        return Outcome(Action.UPDATED if newest else Action.IMPORTED, case_id, case.diagnosis)

    def _patient(self, patient: str) -> str:
        return patient_key(patient) if self.anonymous_ids and patient else patient

    def _stands_there(self, target: Path, radiograph: Radiograph) -> bool:
        """Whether the picture is in the studies folder already.

        Raises:
            MarksError: if another image has its name.
        """
        names = sorted(entry.name for entry in os.scandir(self.studies)) if self.studies.is_dir() else []
        taken = [name for name in names if name.rpartition(".")[0].lower() == target.stem.lower()]
        if not taken:
            return False
        if taken == [target.name] and hash_files([target]) == radiograph.sha256:
            return True
        raise MarksError(
            f"{self.studies / taken[0]} has the name {radiograph.case_id} already and is another image; rename this one"
        )


def _check_settings(settings: ImportSettings) -> None:
    if settings.diagnosis is not None and settings.diagnosis not in CXR_CLASSES:
        raise SourceError(f"--diagnosis {settings.diagnosis}: not one of {', '.join(CXR_CLASSES)}")
    if settings.label is not None:
        raise SourceError("--label is for regions of CTs; leave it out")
    if not is_plain_name(settings.reader):
        raise SourceError(plain_name_rule("--reader", settings.reader))

"""What readers submit, on its way into the annotation store: whose it is, what it was made from, and the audit entry.

Whose it is: where tokens say who speaks, the record carries that name, and marks in the document by another name
that no stored version holds are put under it. On a server of a single user the request may name the reader, else
the document's new marks do.

Thread contract: no lock of its own; the store locks each case. Label maps are read one at a time, since each holds a
whole scan in memory.
"""

import os
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...case import Case, ModelInfo
from ...case_upgrade import BOX_MODEL
from ...errors import CaseError
from ...images.mask_file import read_label_map
from ...limits import MOST_REGIONS
from ...method import Method
from ...methods import method_for
from ...studies.annotations import AnnotationStore, StorageError
from ...studies.audit import AuditLog, Detail, utc_text
from ...studies.marks import Painting, author_of, marks_of, signed_by
from ...studies.versions import ADJUDICATION, IMPORT, READER, Annotation, counting_of
from ...verdict import Classes
from ...xray_findings import with_sources
from .. import WORK_FOLDER
from ..access.blind import may_see
from ..access.identity import speaker
from ..failures import RequestError
from .reading import Reading
from .screenings import last_screening, screened_at, shown_regions

_reading = threading.Lock()


class Submissions:
    """The way into the annotations of one studies folder.

    Args:
        studies: the studies folder.
        classes: the class list that documents must keep to, asked at each submission.
        reading: how scans and label maps are read; default: in this process.

    Attributes:
        when_stored: told of each submission once it is on the disk.
        when_counting: told of it, and of each case that is settled, before anybody is answered.
    """

    def __init__(self, studies: Path, classes: Callable[[], Classes], reading: Reading | None = None) -> None:
        self._scans = reading or Reading()
        self._studies = studies
        self._classes = classes
        self._log = AuditLog(studies)
        self.when_counting: Callable[[Annotation], object] = lambda stored: None
        self.when_stored: Callable[[Annotation], object] = lambda stored: None

    @property
    def store(self) -> AnnotationStore:
        """The annotations, with the class list of today."""
        return AnnotationStore(self._studies, self._classes())

    def submit(
        self,
        case: Case,
        reader: str | None = None,
        base: int | None = None,
        kind: str = READER,
        label_map: Path | None = None,
    ) -> Annotation:
        """Keep a document.

        Args:
            case: the document.
            reader: whom the request names; only a server of a single user believes it.
            base: version that the document was made from.
            kind: ``reader``, ``adjudication`` or ``import``.
            label_map: to keep beside it.

        Raises:
            PneumoScreenError: if it is refused.
        """
        if len(case.regions) > MOST_REGIONS:
            raise RequestError(f"field regions has {len(case.regions)} entries, and at most {MOST_REGIONS} are kept")
        store, who = self.store, speaker()
        versions = store.versions(case.case_id)
        known = {mark for version in versions for mark in marks_of(version.document)}
        if who.is_known:
            name = who.reader
            case = signed_by(case, name, known)
        else:
            name = reader or author_of(case, known) or who.reader
        case, notes = self._with_box_sources(case, versions)
        stored = store.submit(case, name, base=base, kind=kind, label_map=label_map)
        stored = replace(stored, changes=(*notes, *stored.changes))
        action = {ADJUDICATION: "adjudicate", IMPORT: "import"}.get(kind, "submit")
        self.record(action, case.case_id, version=stored.version, reader=name, label_map=label_map is not None)
        self.when_counting(stored)
        self.when_stored(stored)
        return stored

    def submit_label_map(
        self, image_id: str, image: Path, file: Path, params: Mapping[str, Any], kind: str = READER
    ) -> Annotation:
        """Turn a label map into a document and keep both.

        Args:
            image_id: the image that it belongs to.
            image: its file or folder.
            file: the label map.
            params: of the request: ``label_info``, ``reader``, ``base``, ``diagnosis``.
            kind: ``reader``; or ``import`` for one whose values do not refer to the regions of a screening.

        Raises:
            PneumoScreenError: if the label map does not fit the image or cannot be labelled.
        """
        classes, who = self._classes(), speaker()
        reader = who.reader if who.is_known else requested_reader(params) or who.reader
        with _reading:
            method, scan, values = self._fitting(image, file)
            names = segment_names(params.get("label_info"), np.flatnonzero(np.bincount(values.ravel()))[1:].tolist())
            known = self._newest_document(image_id)
            painting = Painting(values, names, reader, utc_text(datetime.now(UTC)))
            case = method.from_label_map(
                painting,
                scan,
                _without_regions(image_id, method, scan, known, _requested_diagnosis(params, classes)),
                None if kind == IMPORT else known,
                shown_regions(self._studies / WORK_FOLDER, image_id),
                classes,
            )
        return self.submit(case, reader, requested_base(params), kind, label_map=file)

    def require_fitting(self, image: Path, file: Path) -> None:
        """Refuse a label map that does not lie on its image's grid.

        Args:
            image: its file or folder.
            file: the label map.

        Raises:
            PneumoScreenError: if so, or if one of them cannot be read.
        """
        with _reading:
            self._fitting(image, file)

    def adjudicate(self, case_id: str, number: int, reader: str | None = None) -> Annotation:
        """Settle a case by one of its versions.

        Args:
            case_id: the case.
            number: the version that counts from now on.
            reader: whom the request names; only a server of a single user believes it.

        Raises:
            PneumoScreenError: if there is no such version.
        """
        who = speaker()
        name = who.reader if who.is_known else reader or who.reader
        settled = self.store.adjudicate(case_id, number, name)
        self.record("adjudicate", case_id, version=settled.version, chosen=number, reader=name)
        self.when_counting(settled)
        return settled

    def withdraw(self, case_id: str) -> Annotation:
        """Let nothing of a case count any more.

        Raises:
            PneumoScreenError: if nothing counts.
        """
        withdrawn = self.store.withdraw(case_id, speaker().reader)
        self.record("withdraw", case_id, version=withdrawn.version)
        return withdrawn

    def record(self, action: str, case_id: str, **details: Detail) -> None:
        """Enter an action of the speaker into the audit log.

        Raises:
            StorageError: if it cannot be written: what cannot be accounted for is not acknowledged.
        """
        try:
            self._log.record(speaker().reader, action, case_id, **details)
        except OSError as error:
            reason = error.strerror or error
            raise StorageError(f"the audit log cannot be written ({reason}); mend the studies folder") from None

    def _fitting(self, image: Path, file: Path) -> tuple[Method, Any, NDArray[np.uint16]]:
        """The method for an image, the image, and the values of a label map on its grid."""
        method = method_for(self._scans.modality(image))
        if not method.segments:
            raise RequestError(f"a label map says nothing of {method.images}; submit a case document instead")
        scan = self._scans.image(method, image, Path(os.path.realpath(self._studies)))
        return method, scan, read_label_map(file, scan, self._scans.raw)

    def _with_box_sources(self, case: Case, stored: Sequence[Annotation]) -> tuple[Case, tuple[str, ...]]:
        """An X-ray whose lung boxes are a network's where it put them, and a reader's where they were moved."""
        if case.cxr is None:
            return case, ()
        last = last_screening(self._studies / WORK_FOLDER, case.case_id, self._classes())
        before = [last.cxr] if last is not None and last.cxr is not None else []
        is_of_last = last is not None and _box_network(case) == _box_network(last)
        versions = [version.document.cxr for version in stored if version.document.cxr is not None]
        boxes, notes = with_sources(case.cxr, [*before, *versions], bool(before) and is_of_last)
        return replace(case, cxr=replace(case.cxr, lung_boxes=boxes)), notes

    def _newest_document(self, image_id: str) -> Case | None:
        """The newer one of the last screening and the annotation that counts: what the client's numbers refer to.

        Of what the speaker may not see yet, neither numbers nor diagnosis are taken over.
        """
        work = self._studies / WORK_FOLDER
        screening = last_screening(work, image_id, self._classes())
        versions = self.store.versions(image_id)
        counting = counting_of(versions)
        if counting is not None and not may_see(versions, counting):
            counting = None
        if counting is None or (screening is not None and (screened_at(work, image_id) or "") > counting.at):
            diagnosis = None if counting is None else counting.document.diagnosis
            return screening and replace(screening, diagnosis=screening.diagnosis or diagnosis)
        return counting.document


def segment_names(label_info: Any, values: Collection[int]) -> dict[int, str]:
    """What a client calls the values of its label map.

    Slicer's MONAI Label module sends ``[{"name": ..., "idx": ...}]``. It numbers the voxels in the order of this
    list, yet ``idx`` also counts the segments that it left out; where the two disagree, the one that fits the values
    is taken.

    Args:
        label_info: that list, or None.
        values: of the label map.

    Raises:
        CaseError: if it is no such list, or both readings fit and contradict each other.
    """
    if label_info is None:
        return {}
    if not isinstance(label_info, list) or not all(isinstance(item, dict) for item in label_info):
        raise CaseError('parameter label_info must be a list of {"name": ..., "idx": ...}')
    if not all(isinstance(item.get("name"), str) for item in label_info):
        return {}
    ordered = {number: item["name"] for number, item in enumerate(label_info, start=1)}
    numbers = [item.get("idx") for item in label_info]
    if not all(isinstance(number, int) and not isinstance(number, bool) for number in numbers):
        return ordered
    numbered = {item["idx"]: item["name"] for item in label_info}
    present = set(values)
    readings = [names for names in (numbered, ordered) if present <= set(names)]
    if len(readings) == 2 and any(numbered[value] != ordered[value] for value in present):
        raise CaseError(
            "parameter label_info numbers its segments with gaps, so that it is not clear which values they have; "
            "remove the segments that are empty or no findings and submit again"
        )
    return readings[0] if readings else numbered


def requested_base(params: Mapping[str, Any]) -> int | None:
    """The version that a request says its document was made from.

    Raises:
        RequestError: if it is no whole number.
    """
    base = params.get("base")
    if base is not None and (isinstance(base, bool) or not isinstance(base, int) or base < 0):
        raise RequestError("parameter base must be the number of a version")
    return base


def requested_reader(params: Mapping[str, Any]) -> str | None:
    """The reader that a request names.

    Raises:
        RequestError: if it is no text.
    """
    reader = params.get("reader")
    if reader is not None and not isinstance(reader, str):
        raise RequestError("parameter reader must be a text")
    return reader or None


def _box_network(case: Case) -> ModelInfo | None:
    """The network that a document names for its lung boxes."""
    return case.models.get(BOX_MODEL)


def _requested_diagnosis(params: Mapping[str, Any], classes: Classes) -> str | None:
    diagnosis = params.get("diagnosis")
    if diagnosis is not None and diagnosis not in classes.case_labels:
        raise RequestError(f"parameter diagnosis must be one of {', '.join(classes.case_labels)}")
    return diagnosis


def _without_regions(image_id: str, method: Method, scan: Any, known: Case | None, diagnosis: str | None) -> Case:
    """What is known of a case beside its regions."""
    if known is None:
        return Case(image_id, method.modality, scan.image_info(), diagnosis, notes=scan.notes)
    info, said = scan.image_info(), diagnosis or known.diagnosis
    # How long somebody else read the case says nothing of this label map.
    return replace(known, image=info, diagnosis=said, regions=(), timings_s={}, reading=None)

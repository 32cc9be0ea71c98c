"""What is known of every case, put together from scans, scores, leases and annotations, quick for thousands of cases.

Reading and checking every version of thousands of cases takes minutes. A summary of each case's annotations is
therefore remembered, in a file as well, and made anew when the case's folder or label changed. The file holds nothing
that cannot be made again.

Thread contract: one lock guards the summaries.
"""

import json
import logging
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from monailabel.interfaces.datastore import Datastore

from ...active_learning.score_file import Finding, ScoreStore, StoredScore
from ...case import ModelInfo
from ...errors import ConfigError
from ...methods import method_for
from ...models.atomic_files import changed_ns, replace_durably
from ...studies.annotations import AnnotationStore
from ...studies.layout import ANNOTATIONS, FINAL_LABELS, is_plain_name
from ...studies.versions import Annotation, counting_of, current_of
from ..access.blind import may_see_others
from ..inference.engine import Engine
from ..store.datastore import StudiesDatastore
from ..store.hand_labels import HandLabels
from ..store.screenings import REPORTS
from .examinations import Examinations, Examined
from .leases import Lease, Leases
from .scoring import finished_cases, models_in_use

_WORTH_WRITING = 50
"""Summaries made since the file was written; a restart makes fewer than these again."""

_NEVER = "9999"
"""Sorts behind every day."""

logger = logging.getLogger(__name__)


class CaseState(StrEnum):
    """Where a case stands; a case that somebody reads is in progress even when it was done before.

    One that is screened has a report to look at.
    """

    NEW = "new"
    SCREENED = "screened"
    IN_PROGRESS = "in_progress"
    DONE = "done"


class ScoreState(StrEnum):
    """What is known of a case's score: of the models in use, of older ones, that it failed, or nothing."""

    FRESH = "fresh"
    STALE = "stale"
    FAILED = "failed"
    MISSING = "missing"


@dataclass(frozen=True)
class Annotated:
    """The annotations of a case in short: readers whose word has not been withdrawn, and what counts."""

    versions: int = 0
    readers: tuple[str, ...] = ()
    at: str | None = None
    diagnosis: str | None = None
    modality: str | None = None


class Worklist:
    """The cases of a server.

    Args:
        studies: the studies folder.
        work_folder: where the server keeps what it knows of the cases.
        datastore: the images and labels.
        engine: which models are in use, by which class list.
        scores: of the cases.
        leases: who reads which case.
        hand_labels: what was put into the folder of labels by hand; None where the studies are no folder.
    """

    def __init__(
        self,
        studies: Path,
        work_folder: Path,
        datastore: Datastore,
        engine: Engine,
        scores: ScoreStore,
        leases: Leases,
        hand_labels: HandLabels | None,
    ) -> None:
        self._studies, self._work_folder = studies, work_folder
        self._datastore, self._engine, self._scores, self._leases = datastore, engine, scores, leases
        self._hand_labels = hand_labels
        self._file = work_folder / "summaries.json"
        self._lock = threading.Lock()
        self._known = self._read()
        self._unwritten = 0
        is_folder = isinstance(datastore, StudiesDatastore)
        self._examinations = Examinations(datastore, engine.reading) if is_folder else None

    def named(self, uid: str) -> str | None:
        """The image whose DICOM series or study has a UID; None where there is none, or more than one of the study."""
        return None if self._examinations is None else self._examinations.named(uid)

    def uids(self, image_id: str) -> dict[str, str]:
        """Study and series of a DICOM image, by the names that OHIF has for them; nothing of another image."""
        path = self._datastore.get_image_uri(image_id)
        if self._examinations is None or not path:
            return {}
        found = self._examinations.of(image_id, Path(path))
        uids = {"StudyInstanceUID": found.study_uid, "SeriesInstanceUID": found.series_uid}
        return {keyword: uid for keyword, uid in uids.items() if uid}

    def warm_up(self) -> None:
        """Read in the background what the first listing needs."""
        threading.Thread(target=self.rows, name="WORKLIST", daemon=True).start()

    def finished(self) -> set[str]:
        """Cases with an annotation that counts; a label that is no document is none."""
        datastore = self._datastore
        if not isinstance(datastore, StudiesDatastore):
            return set(datastore.get_labeled_images())
        labelled = finished_cases(self._studies)
        return _that_count(labelled, self._annotated(labelled))

    def rows(self) -> list[dict[str, Any]]:
        """Every case as JSON values, in order of their names."""
        images = sorted(self._datastore.list_images())
        leases, scores = self._leases.current(), self._scores.all()
        models, reports = models_in_use(self._engine), _names(self._work_folder / REPORTS)
        examined = {} if self._examinations is None else self._examinations.all()
        if isinstance(self._datastore, StudiesDatastore):
            labelled = finished_cases(self._studies)
            annotated = self._annotated(labelled)
            finished = _that_count(labelled, annotated)
        else:
            finished, annotated = self.finished(), {}
        rows = []
        for name in images:
            known, stored = annotated.get(name, Annotated()), scores.get(name)
            has_report = f"{name}.html" in reports
            row = _row(name, name in finished, leases.get(name), stored, known, models, has_report)
            row |= asdict(examined.get(name, Examined()))
            rows.append({**row, "error": row["error"] or self._label_problem(name, annotated.get(name))})
        return _with_priority(rows, scores)

    def _label_problem(self, case_id: str, annotated: Annotated | None) -> str | None:
        """Why what lies in ``labels/final`` for a case is not used."""
        labels = self._hand_labels
        problem = labels.problems.get(case_id) if labels is not None else None
        if problem is None and annotated is not None and annotated.versions == 0:
            document = FINAL_LABELS / f"{case_id}.json"
            if (self._studies / document).is_file():
                return f"{document} is not used: it is no valid case document; submit the case, or remove the file"
        return problem

    def _annotated(self, finished: set[str]) -> dict[str, Annotated]:
        """Summaries of the cases that have annotations or a label."""
        try:
            names = set(os.listdir(self._studies / ANNOTATIONS)) | finished
        except OSError:  # it is not there, or it is no folder
            names = finished
        store = AnnotationStore(self._studies, self._engine.classes())
        with self._lock:
            found = {name: self._summary(name, store) for name in names if is_plain_name(name)}
            if self._unwritten >= _WORTH_WRITING:
                self._write()
        return found

    def _summary(self, case_id: str, store: AnnotationStore) -> Annotated:
        places = (self._studies / ANNOTATIONS / case_id, self._studies / FINAL_LABELS / f"{case_id}.json")
        state = [changed_ns(place) for place in places]
        known = self._known.get(case_id)
        if known is None or known[0] != state:
            known = self._known[case_id] = state, _summarise(store.versions(case_id))
            self._unwritten += 1
        return known[1]

    def _write(self) -> None:
        content = {case_id: [state, asdict(summary)] for case_id, (state, summary) in self._known.items()}
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            replace_durably(self._file, json.dumps(content).encode())
            self._unwritten = 0
        except OSError as error:
            logger.warning("%s cannot be written (%s)", self._file, error.strerror)

    def _read(self) -> dict[str, tuple[list[int], Annotated]]:
        try:
            content = json.loads(self._file.read_bytes())
            return {
                case_id: (state, Annotated(**{**summary, "readers": tuple(summary["readers"])}))
                for case_id, (state, summary) in content.items()
            }
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return {}


def _that_count(labelled: set[str], annotated: Mapping[str, Annotated]) -> set[str]:
    """The labelled cases of which somebody's word counts."""
    return {name for name in labelled if name in annotated and annotated[name].readers}


def _names(folder: Path) -> set[str]:
    try:
        return set(os.listdir(folder))
    except OSError:
        return set()


def _summarise(versions: Sequence[Annotation]) -> Annotated:
    counting = counting_of(versions)
    document = None if counting is None else counting.document
    return Annotated(
        len(versions),
        tuple(sorted(current_of(versions))),
        versions[-1].at if versions else None,
        None if document is None else document.diagnosis,
        None if document is None else document.modality,
    )


def _row(
    case_id: str,
    is_finished: bool,
    lease: Lease | None,
    stored: StoredScore | None,
    annotated: Annotated,
    models: Mapping[str, ModelInfo],
    has_report: bool,
) -> dict[str, Any]:
    finding = None if stored is None else stored.finding
    score = None if stored is None else stored.score
    times = [time for time in (annotated.at, stored.at if stored else None) if time]
    return {
        "id": case_id,
        "state": _state(is_finished, lease, stored, has_report).value,
        "finished": is_finished,
        "lease": None if lease is None else lease.to_dict(),
        "modality": annotated.modality or (finding.modality if finding else None),
        "diagnosis": annotated.diagnosis if may_see_others(annotated.readers) else None,
        "verdict": finding.label if finding else None,
        "confidence": finding.confidence if finding else None,
        "decided": finding.decided if finding else None,
        "infection": finding.infection if finding else None,
        "regions": finding.regions if finding else None,
        "uncertainty": score.uncertainty if score else None,
        "epistemic": score.epistemic if score else None,
        "score": _score_state(stored, models).value,
        "error": stored.error if stored else None,
        "readers": list(annotated.readers),
        "versions": annotated.versions,
        "updated": max(times, default=None),
    }


def _with_priority(rows: list[dict[str, Any]], scores: Mapping[str, StoredScore]) -> list[dict[str, Any]]:
    """The rows with the order in which an emergency department would want them: 1 is to be read first.

    Ours: by the probability of an infection, the likeliest first; of equal ones that which was taken first. A case
    that is finished, failed or whose probability is not known has no place in it.
    """
    urgent = {row["id"]: None if row["finished"] else _urgency(scores.get(row["id"])) for row in rows}
    waiting = [row for row in rows if urgent[row["id"]] is not None]
    waiting.sort(key=lambda row: (-(urgent[row["id"]] or 0.0), row["acquired"] or _NEVER, row["id"]))
    places = {row["id"]: place for place, row in enumerate(waiting, start=1)}
    return [{**row, "priority": places.get(row["id"])} for row in rows]


def _urgency(stored: StoredScore | None) -> float | None:
    """How likely the last screening makes it that there is something to see; None where that is not known."""
    finding: Finding | None = None if stored is None or stored.error is not None else stored.finding
    if finding is None:
        return None
    try:
        return method_for(finding.modality).urgency(finding)
    except ConfigError:  # screened by a method that is not registered any more
        return finding.infection


def _state(is_finished: bool, lease: Lease | None, stored: StoredScore | None, has_report: bool) -> CaseState:
    if lease is not None:
        return CaseState.IN_PROGRESS
    if is_finished:
        return CaseState.DONE
    is_screened = has_report and stored is not None and stored.score is not None
    return CaseState.SCREENED if is_screened else CaseState.NEW


def _score_state(stored: StoredScore | None, models: Mapping[str, ModelInfo]) -> ScoreState:
    if stored is None:
        return ScoreState.MISSING
    if stored.error is not None:
        return ScoreState.FAILED
    return ScoreState.FRESH if stored.is_fresh(models) else ScoreState.STALE

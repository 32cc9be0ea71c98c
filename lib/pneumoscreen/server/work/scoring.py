"""Scoring of all cases: a process of its own, at the lowest priority, that ends when the server does.

Why not in the thread of the inferences: a reader who asks meanwhile would wait for the end of a case, and the
reading of a scan holds the interpreter. The process competes with nobody: its threads run when no other wants the
core (``SCHED_IDLE``, and nice 19 where that is unknown). ``background_scoring`` starts and stops it.

It takes up where it stopped: a case whose score is of the current models and the current scan is left alone, and
every score is on the disk before the next case begins. Unread cases come first; those already read follow, because a
core set compares the unread with them. When other models come into use meanwhile, it begins anew with those.
"""

import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ...active_learning.score_file import Finding, ScoreStore, StoredScore
from ...active_learning.scores import CaseScore
from ...case import Case, ModelInfo
from ...errors import ImageError, ModelError, PneumoScreenError
from ...models.atomic_files import replace_durably
from ...pacs.faults import CacheFullError, PacsAwayError, PacsError
from ...studies.layout import FINAL_LABELS, is_plain_name
from ..inference.engine import Engine, method_of_file, scan_state
from ..inference.parameters import InferParameters
from ..inference.tasks import ScreeningTask, TaskRequest
from ..store.images import Images
from ..store.screenings import keep_screening, masks_file, report_file

METHOD = "uncertainty"
"""Name of the scoring method; it computes everything that the strategies need."""

PROGRESS_FILE = "scoring.json"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ScoringProgress:
    """Where a scoring stands.

    Attributes:
        total: cases that had no fresh score when it began.
        done: those that have been looked at, failed ones included.
        failed: those that could not be screened.
        time_left_s: expected; None before the first case is done.
    """

    total: int
    done: int = 0
    failed: int = 0
    time_left_s: float | None = None


def score_cases(
    engine: Engine,
    images: Callable[[], Mapping[str, Path]],
    scores: ScoreStore,
    finished: AbstractSet[str],
    progress_file: Path,
    work_folder: Path | None = None,
    place: Images | None = None,
) -> ScoringProgress:
    """Score every case that has no fresh score, unread ones first.

    Args:
        engine: the networks.
        images: file or folder of every case there is now.
        scores: where they are kept.
        finished: the cases already read.
        progress_file: where the progress is told.
        work_folder: where the first screening of a case is kept, with its report; None: nowhere.
        place: has the files of an image brought here while it is screened; None: they are here.

    Raises:
        PacsAwayError: if they cannot be brought now.
        ModelError: if there are no models to score with; an image of a kind that there are none for is passed over.
    """
    progress, started = ScoringProgress(0), time.monotonic()
    tried: set[tuple[str, str]] = set()
    without_models: ModelError | None = None
    while True:
        models = models_in_use(engine)
        if not models:
            raise ModelError(f"there are no models in {engine.store.root} to score with; train or copy them there")
        state = json.dumps({name: asdict(info) for name, info in sorted(models.items())})
        paths = images()
        names = sorted(paths, key=lambda name: (name in finished, name))
        new = [name for name in names if (name, state) not in tried]
        todo = [name for name in new if not _is_fresh(name, paths[name], scores, models, work_folder)]
        progress = replace(progress, total=progress.done + len(todo))
        _write(progress_file, progress)
        if not todo:
            if without_models is not None and progress.failed == progress.done:
                raise without_models
            return progress
        for case_id in todo:
            tried.add((case_id, state))
            if models_in_use(engine) != models:
                break  # another version came into use: what is left must be told anew
            try:
                stored = _scored(case_id, paths[case_id], engine, work_folder, place)
                scores.put(stored)
                is_scored = stored.score is not None
            except ModelError as error:
                without_models, is_scored = error, False
            except PacsAwayError:
                raise  # of the others none would come either
            except (PacsError, CacheFullError) as error:
                logger.warning("a case is not scored: %s", error)
                is_scored = False
            done = progress.done + 1
            left = (time.monotonic() - started) / done * (progress.total - done)
            progress = ScoringProgress(progress.total, done, progress.failed + (not is_scored), round(left, 1))
            _write(progress_file, progress)


def _scored(case_id: str, path: Path, engine: Engine, work_folder: Path | None, place: Images | None) -> StoredScore:
    """The score of an image, whose files are brought first."""
    try:
        with nullcontext() if place is None else place.held(case_id), engine.turn:
            return score_image(case_id, path, engine, work_folder, place)
    except ImageError as error:  # there is nothing to bring
        reason = " ".join(str(error).split())
        return StoredScore(case_id, None, models_in_use(engine), scan_state(path), error=reason)


def score_image(
    case_id: str, path: Path, engine: Engine, work_folder: Path | None = None, place: Images | None = None
) -> StoredScore:
    """Screen an image and score it; the caller holds ``engine.turn``.

    The first screening of a case is kept as one that a reader asks for is. A later one is not: somebody may be reading
    the case by the numbers of the last one.

    Returns:
        The score, or for an image that cannot be screened the reason.

    Raises:
        ModelError: if there are no models for its kind.
    """
    scan = scan_state(path)
    task = ScreeningTask(engine, method_of_file(path))
    screener = engine.screener(task.method)
    kept = work_folder if is_plain_name(case_id) else None
    report = None if kept is None else report_file(kept, case_id)
    is_first = report is not None and not report.exists()
    try:
        request = TaskRequest(path, InferParameters(), lambda stage, share: None)
        if place is not None:
            request = replace(
                request, note=place.note(case_id), marked=place.marked_file(case_id) if is_first else None
            )
        if kept is not None and is_first:
            request = replace(request, report=report, masks=masks_file(kept, case_id))
        result = task.run(request)
    except PneumoScreenError as error:
        return StoredScore(case_id, None, screener.models, scan, error=" ".join(str(error).split()))
    except (MemoryError, torch.OutOfMemoryError, OSError):
        raise  # the machine's trouble, not the case's: it must not mark the case
    except Exception:
        logger.exception("a case cannot be scored")
        return StoredScore(case_id, None, screener.models, scan, error="the screening failed; the log has the reason")
    case = replace(result.case, case_id=case_id)
    if kept is not None and is_first:
        keep_screening(kept, case, result.label_map)
        if place is not None:
            place.screened(case, engine.classes())
    if result.label_map is not None:
        result.label_map.unlink(missing_ok=True)
    assert result.score is not None
    return stored_score(replace(result.score, case_id=case_id), case, scan)


def stored_score(score: CaseScore, case: Case, scan: str) -> StoredScore:
    """A score with what its screening found, ready to be kept."""
    verdict = case.verdict
    finding = None
    if verdict is not None:
        infection = None if verdict.infection is None else verdict.infection.probability
        finding = Finding(case.modality, verdict.label, verdict.exported, len(case.regions), verdict.decided, infection)
    return StoredScore(score.case_id, score, case.models, scan, finding)


def keep_score(scores: ScoreStore, case_id: str, scan: str, score: CaseScore, case: Case) -> None:
    """Keep the score of a screening that somebody asked for; that it cannot be kept is no reason to fail.

    Args:
        scores: where.
        case_id: the case.
        scan: the state that the scan's files had when the screening began.
        score: of the screening.
        case: its document.
    """
    _put(scores, stored_score(replace(score, case_id=case_id), case, scan))


def keep_failure(
    scores: ScoreStore, case_id: str, path: Path, models: Mapping[str, ModelInfo], error: PneumoScreenError
) -> None:
    """Keep why a case could not be downloaded or screened when somebody asked for it."""
    _put(scores, StoredScore(case_id, None, models, scan_state(path), error=" ".join(str(error).split())))


def _put(scores: ScoreStore, stored: StoredScore) -> None:
    if not is_plain_name(stored.case_id):
        return
    try:
        scores.put(stored)
    except OSError as error:
        logger.warning("the score of a screening could not be kept: %s", error.strerror)


def score_store(work_folder: Path) -> ScoreStore:
    """The scores of a studies folder."""
    return ScoreStore(work_folder / "scores")


def finished_cases(studies: Path) -> set[str]:
    """Cases with a document in the place of the final label."""
    try:
        names = os.listdir(studies / FINAL_LABELS)
    except OSError:
        return set()
    return {name.removesuffix(".json") for name in names if name.endswith(".json") and not name.startswith(".")}


def models_in_use(engine: Engine) -> dict[str, ModelInfo]:
    """Version and SHA-256 of the networks in use, without reading weights."""
    found = {}
    for name, version in engine.all_versions().items():
        if version is not None:
            try:
                found[name] = ModelInfo(version, str(engine.store.card(name, version)["sha256"]))
            except PneumoScreenError:
                continue  # a damaged version: every score is stale until it is mended
    return found


def _is_fresh(
    case_id: str, path: Path, scores: ScoreStore, models: Mapping[str, ModelInfo], work_folder: Path | None
) -> bool:
    if not is_plain_name(case_id):
        return True  # no file can be named after it
    stored = scores.get(case_id)
    if stored is None or not stored.is_fresh(models, scan_state(path)):
        return False
    return work_folder is None or stored.error is not None or report_file(work_folder, case_id).exists()


def _write(file: Path, progress: ScoringProgress) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    replace_durably(file, json.dumps(asdict(progress)).encode())


def read_progress(file: Path) -> dict[str, Any] | None:
    """The progress that a scoring wrote last; None if there is none."""
    try:
        return asdict(ScoringProgress(**json.loads(file.read_bytes())))
    except (OSError, ValueError, TypeError):
        return None

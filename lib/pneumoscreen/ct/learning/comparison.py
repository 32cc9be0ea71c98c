"""How a trained network of the CT method compares with the one in use, on the same validation patients (ours)."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...metrics.bootstrap import Interval, bootstrap_of_sums, cluster_bootstrap
from ...metrics.confusion import mean_f1
from ...metrics.detection import Detection, match
from ...training.comparison import Comparison
from ...training.progress import ProgressCallback
from ..candidates.finding import CandidateModel
from ..classifier import ClassifierModel
from ..networks import CANDIDATES, CLASSIFIER
from .candidate_data import read_prepared
from .candidate_validation import candidates_of
from .classifier_data import PatchSet, logits_of

FALSE_REGIONS = (1, 2, 4, 8)
"""Ours: false regions a case at which the sensitivity of the candidates is read. Screening proposes 20 at most and
leaves it to the classifier to take the normal ones out, so that the lower rates of the usual score matter less."""


def compare_classifiers(
    candidate: ClassifierModel,
    current: ClassifierModel | None,
    validation: PatchSet,
    progress: ProgressCallback | None = None,
) -> Comparison:
    """Compare by the mean f1 of the patches, of the head that screening listens to.

    The mean goes over the classes that occur among the drawn patients, see ``metrics.confusion.mean_f1``.

    Args:
        candidate: the new network.
        current: the one in use, for the same classes and patches.
        validation: at least one patch.
        progress: called with (task, fraction done); may raise ``Cancelled``.
    """
    models = [candidate] if current is None else [candidate, current]
    found = [
        confusion_by_patient(model, validation, _part(progress, CLASSIFIER, number, len(models)))
        for number, model in enumerate(models)
    ]
    heads = [counts[model.head] for model, counts in zip(models, found, strict=True)]
    intervals = bootstrap_of_sums(np.stack(heads, axis=1), _mean_f1_and_difference)
    also: dict[str, tuple[float | None, float | None]] = {
        head: (_mean_f1_of(found[0].get(head)), _mean_f1_of(found[1].get(head)) if current else None)
        for head in candidate.settings.heads
        if head != candidate.head
    }
    metric = f"patch mean f1 of {candidate.head.upper()}"
    return _comparison(metric, len(heads[0]), intervals, also)


def confusion_by_patient(
    model: ClassifierModel, patches: PatchSet, progress: Callable[[float], None]
) -> dict[str, NDArray[np.int64]]:
    """Counts int64 [patients, classes, classes] of each head, rows the truth, patients in the order of their names."""
    names, owner = np.unique(patches.patients, return_inverse=True)
    classes = len(model.classes.patch_labels)
    counts: dict[str, NDArray[np.int64]] = {
        head: np.zeros((len(names), classes, classes), dtype=np.int64) for head in model.settings.heads
    }
    for rows, outputs in logits_of(model.network, model.device, patches):
        for head, logits in outputs.items():
            said = logits.argmax(dim=1).cpu().numpy()
            np.add.at(counts[head], (owner[rows], patches.labels[rows], said), 1)
        progress(rows.stop / len(patches))
    return counts


def compare_candidates(
    candidate: CandidateModel,
    current: CandidateModel | None,
    validation: Sequence[tuple[str, Path]],
    progress: ProgressCallback | None = None,
) -> Comparison:
    """Compare by ``mean_sensitivity``.

    Args:
        candidate: the new network.
        current: the one in use, for the same working grid.
        validation: at least one (patient, file of the prepared case).
        progress: called with (task, fraction done); may raise ``Cancelled``.

    Raises:
        PneumoScreenError: if a prepared case is damaged.
    """
    models = [candidate] if current is None else [candidate, current]
    by_patient: dict[str, list[tuple[Detection, ...]]] = {}
    report = _part(progress, CANDIDATES, 0, 1)
    for number, (patient, path) in enumerate(validation, start=1):
        by_patient.setdefault(patient, []).append(tuple(detect(model, path) for model in models))
        report(number / len(validation))
    patients = list(by_patient.values())

    def figure(index: int) -> Callable[[Sequence[list[tuple[Detection, ...]]]], float]:
        return lambda drawn: mean_sensitivity([case[index] for patient in drawn for case in patient])

    def gain(drawn: Sequence[list[tuple[Detection, ...]]]) -> float:
        return figure(0)(drawn) - figure(1)(drawn)

    metric = f"mean lesion sensitivity at {', '.join(map(str, FALSE_REGIONS))} false regions a case"
    intervals = [cluster_bootstrap(patients, figure(index)) for index in range(len(models))]
    if current is not None:
        intervals.append(cluster_bootstrap(patients, gain))
    return _comparison(metric, len(patients), intervals)


def detect(model: CandidateModel, path: Path) -> Detection:
    """What a network finds of a prepared case's infections, with all that ``find_candidates`` does on the grid.

    Raises:
        PneumoScreenError: if the file is damaged.
    """
    case = read_prepared(path)
    boxes, scores, _ = candidates_of(case, model)
    return match(boxes.numpy(), scores.numpy(), case.boxes)


def mean_sensitivity(detections: Sequence[Detection], rates: Sequence[float] = FALSE_REGIONS) -> float:
    """Free-response score: share of the lesions found at these false regions a case, averaged; NaN without lesions."""
    firsts = np.concatenate([detection.first_hits for detection in detections])
    if not firsts.size:
        return float("nan")
    false = np.sort(np.concatenate([detection.scores[~detection.hits] for detection in detections]))[::-1]
    found = []
    for rate in rates:
        allowed = int(rate * len(detections))
        # The threshold must lie above the first false region that is one too many.
        too_many = false[allowed] if len(false) > allowed else -np.inf
        found.append((firsts > too_many).mean())
    return float(np.mean(found))


def _comparison(
    metric: str,
    patients: int,
    intervals: Sequence[Interval],
    also: dict[str, tuple[float | None, float | None]] | None = None,
) -> Comparison:
    """From the intervals of the new network or, where one is in use, of the new one, that one and the difference."""
    current, difference = intervals[1:] if len(intervals) > 1 else (None, None)
    return Comparison(metric, patients, intervals[0], current, difference, also or {})


def _mean_f1_and_difference(drawn: NDArray[Any]) -> NDArray[np.float64]:
    """Columns: each model's mean f1 and, of two, the difference; ``drawn`` is [draws, models, classes, classes]."""
    figures = [mean_f1(drawn[:, model]) for model in range(drawn.shape[1])]
    return np.stack([*figures, figures[0] - figures[1]] if len(figures) == 2 else figures, axis=1)


def _mean_f1_of(counts: NDArray[np.int64] | None) -> float | None:
    return None if counts is None else float(mean_f1(counts.sum(axis=0)))


def _part(progress: ProgressCallback | None, task: str, number: int, parts: int) -> Callable[[float], None]:
    """Progress within one of several equal parts, as progress of the whole."""
    if progress is None:
        return lambda fraction: None
    return lambda fraction: progress(task, (number + fraction) / parts)

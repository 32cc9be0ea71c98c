"""Outcomes of made-up cases whose patches are as good and as sure as a test asks for."""

from collections.abc import Callable

import numpy as np
import pytest

from pneumoscreen.ct.figures.cohort import CohortResult
from pneumoscreen.ct.figures.outcome import CaseOutcome, HeadOutcome
from pneumoscreen.metrics.detection import Detection
from pneumoscreen.verdict import DEFAULT_CLASSES

PATCHES = 3
CohortMaker = Callable[..., CohortResult]


def _head(rng: np.random.Generator, truth: list[int], separation: float, sharpness: float) -> HeadOutcome:
    """Logits are drawn so that at ``sharpness`` 1 the softmax is calibrated: truth is drawn from it elsewhere."""
    logits = rng.normal(size=(len(truth), 3))
    logits[np.arange(len(truth)), truth] += separation
    logits *= sharpness
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = weights / weights.sum(axis=1, keepdims=True)
    return HeadOutcome.of(probabilities, (PATCHES,) * (len(truth) // PATCHES), 1.0, DEFAULT_CLASSES)


def make_outcome(
    rng: np.random.Generator, name: str, diagnosis: str, patient: str | None = None, sharpness: float = 3.0
) -> CaseOutcome:
    """A case with a few regions, half of them infected where there is a diagnosis."""
    kind = DEFAULT_CLASSES.case_labels.index(diagnosis)
    infected = int(rng.integers(1, 5)) if diagnosis in DEFAULT_CLASSES.infections else 0
    regions = [kind] * infected + [2] * int(rng.integers(4, 12))
    truth = [label for label in regions for _ in range(PATCHES)]
    scores = rng.uniform(0.1, 1.0, len(regions))
    hits = np.array([label != 2 for label in regions])
    missed = int(infected > 0 and rng.random() < 0.2)
    return CaseOutcome(
        case_id=name,
        patient=patient or name,
        diagnosis=diagnosis,
        true_patches=tuple(DEFAULT_CLASSES.patch_labels[label] for label in truth),
        true_regions=tuple(DEFAULT_CLASSES.patch_labels[label] for label in regions),
        sizes=(PATCHES,) * len(regions),
        heads={"m1": _head(rng, truth, 1.6, sharpness), "m2": _head(rng, truth, 2.4, sharpness)},
        detection=Detection(
            np.append(scores[hits], [-np.inf] * missed),
            scores,
            hits,
            np.array([1] * int(hits.sum()) + [0] * missed, dtype=np.int64),
        ),
        lung_dice=float(rng.uniform(0.93, 0.98)),
        affected_error=float(rng.normal(0.0, 1.5)),
        timings_s={"lungs": 1.0, "candidates": 3.5, "classify": 0.5, "total": float(rng.uniform(4, 7))},
        infection=0.9 if infected else 0.2,
    )


@pytest.fixture(scope="session")
def make_cohort() -> CohortMaker:
    """Makes a cohort of ``cases`` cases, ``scans`` of each patient."""

    def make(cases: int = 30, scans: int = 1, seed: int = 0, sharpness: float = 3.0) -> CohortResult:
        rng = np.random.default_rng(seed)
        labels = DEFAULT_CLASSES.case_labels
        outcomes = [
            make_outcome(rng, f"case-{i:03d}", labels[i // scans % 3], f"patient-{i // scans:03d}", sharpness)
            for i in range(cases)
        ]
        return CohortResult(tuple(outcomes), (), DEFAULT_CLASSES, "m2")

    return make

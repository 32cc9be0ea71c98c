"""The outcomes of a cohort kept case by case: used again only if scan, labels, networks and program are the same."""

from pathlib import Path
from typing import Any

import numpy as np

from ...evaluation.kept import KeptRecords
from ...metrics.detection import Detection
from ...verdict import Classes
from ..screening import Screener
from .cases import LabelledCase
from .outcome import CaseOutcome, HeadOutcome, Witness

FORMAT = 4


def networks_of(screener: Screener) -> list[Any]:
    """Weights and settings, as JSON types."""
    return [
        {name: model.sha256 for name, model in screener.models.items()},
        screener.candidates.settings.model_dump(mode="json"),
        screener.classifier.settings.model_dump(mode="json"),
        screener.head,
    ]


class OutcomeFolder:
    """Finished outcomes under one folder.

    Args:
        folder: made by the first outcome that is kept.
        screener: the networks; outcomes of others are not used.
    """

    def __init__(self, folder: Path, screener: Screener) -> None:
        self._classes = screener.classes
        self._records = KeptRecords(folder, FORMAT, networks_of(screener))

    def find(self, case: LabelledCase) -> CaseOutcome | None:
        """The outcome of a case, if it was judged before under the same conditions."""
        record = self._records.find(case.case_id, case.patient, case.origin)
        try:
            return None if record is None else _thaw(record["outcome"], self._classes)
        except (ValueError, KeyError, TypeError):
            return None

    def keep(self, case: LabelledCase, outcome: CaseOutcome) -> None:
        """Keep the outcome of a case.

        Raises:
            OSError: if the folder cannot be written.
        """
        self._records.keep(case.case_id, case.patient, case.origin, content={"outcome": _freeze(outcome)})


def _freeze(outcome: CaseOutcome) -> dict[str, Any]:
    detection = outcome.detection
    return {
        "case_id": outcome.case_id,
        "patient": outcome.patient,
        "diagnosis": outcome.diagnosis,
        "true_patches": outcome.true_patches,
        "true_regions": outcome.true_regions,
        "sizes": outcome.sizes,
        "heads": {
            name: {"uncalibrated": head.uncalibrated.tolist(), "temperature": head.temperature}
            for name, head in outcome.heads.items()
        },
        "first_hits": [float(score) if np.isfinite(score) else None for score in detection.first_hits],
        "scores": detection.scores.tolist(),
        "hits": detection.hits.tolist(),
        "holders": detection.holders.tolist(),
        "lung_dice": outcome.lung_dice,
        "affected_error": outcome.affected_error,
        "timings_s": outcome.timings_s,
        "witnesses": outcome.witnesses,
        "infection": outcome.infection,
    }


def _thaw(document: dict[str, Any], classes: Classes) -> CaseOutcome:
    sizes = tuple(document["sizes"])
    width = len(classes.patch_labels)
    known = document["witnesses"]
    witnesses = None if known is None else tuple(Witness(*values) for values in known)
    heads = {
        name: HeadOutcome.of(
            np.array(head["uncalibrated"], dtype=np.float64).reshape(-1, width),
            sizes,
            head["temperature"],
            classes,
            witnesses,
        )
        for name, head in document["heads"].items()
    }
    detection = Detection(
        np.array([-np.inf if score is None else score for score in document["first_hits"]], dtype=np.float64),
        np.array(document["scores"], dtype=np.float64),
        np.array(document["hits"], dtype=bool),
        np.array(document["holders"], dtype=np.int64),
    )
    return CaseOutcome(
        case_id=document["case_id"],
        patient=document["patient"],
        diagnosis=document["diagnosis"],
        true_patches=tuple(document["true_patches"]),
        true_regions=tuple(document["true_regions"]),
        sizes=sizes,
        heads=heads,
        detection=detection,
        lung_dice=document["lung_dice"],
        affected_error=document["affected_error"],
        timings_s=document["timings_s"],
        witnesses=witnesses,
        infection=document["infection"],
    )

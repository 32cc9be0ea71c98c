"""Whether the probability of an infection holds in use: beside what readers took the cases for in the end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..evaluation.cautions import FEW_OF_A_KIND, FEW_PATIENTS
from ..metrics.bootstrap import RESAMPLES, SEED, Interval
from ..metrics.calibration import Judged, ReliabilityBin
from ..metrics.curves import draw_curves
from ..report.wording import plural
from .records import LastWord, Records

BINS = 10
"""Ours: a site has few cases; with more bins most would be empty."""
ERROR = "expected_calibration_error"


@dataclass(frozen=True)
class CalibrationInUse:
    """The probabilities of one set of models beside the last words.

    Attributes:
        models: that gave the probabilities.
        cases: with a last word and a known probability.
        infected: of these, how many were taken for an infection.
        patients: of how many patients.
        bins: what was claimed against what readers said.
        error: expected calibration error; None for too few patients.
        p: how often probabilities that hold would show an error as large, by chance; likewise.
        auc: area under the ROC curve; None for too few cases of a kind.
        too_few: in sentences, why a figure is missing.
    """

    models: str
    cases: int
    infected: int
    patients: int
    bins: tuple[ReliabilityBin, ...]
    error: Interval | None
    p: float | None
    auc: Interval | None
    too_few: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {
            "models": self.models,
            "cases": self.cases,
            "infected": self.infected,
            "patients": self.patients,
            "bins": [
                {name: None if np.isnan(value) else value for name, value in vars(each).items()} for each in self.bins
            ],
            "expected_calibration_error": None if self.error is None else self.error.to_dict(),
            "p": self.p,
            "auc": None if self.auc is None else self.auc.to_dict(),
            "too_few": list(self.too_few),
        }


def calibrations(records: Records) -> list[CalibrationInUse]:
    """For each set of models with a known probability, the one in use first."""
    known = [word for word in records.last_words if word.probability is not None and word.models]
    names = sorted({word.models for word in known}, key=lambda name: (name != records.models, name))
    return [_calibration(name, [word for word in known if word.models == name], records) for name in names]


def not_known(records: Records) -> int:
    """Last words on cases whose probability is not kept."""
    return sum(word.probability is None for word in records.last_words)


def _calibration(models: str, words: Sequence[LastWord], records: Records) -> CalibrationInUse:
    order = {patient: place for place, patient in enumerate(dict.fromkeys(word.patient for word in words))}
    patients = np.array([order[word.patient] for word in words])
    claimed = np.array([word.probability for word in words], dtype=np.float64)
    infected = np.array([records.is_infection(word.label) for word in words], dtype=bool)
    judged = Judged.of_events(claimed, infected)
    enough = len(order) >= FEW_PATIENTS
    kinds = int(infected.sum()), int((~infected).sum())
    return CalibrationInUse(
        models=models,
        cases=len(words),
        infected=kinds[0],
        patients=len(order),
        bins=tuple(judged.reliability(BINS)),
        error=judged.intervals(patients, BINS)[ERROR] if enough else None,
        p=_chance(claimed, infected, patients) if enough else None,
        auc=draw_curves("infection", claimed, infected, patients).auc if min(kinds) >= FEW_OF_A_KIND else None,
        too_few=tuple(_too_few(len(order), kinds)),
    )


def _too_few(patients: int, kinds: tuple[int, int]) -> list[str]:
    found = []
    if patients < FEW_PATIENTS:
        found.append(
            f"There are cases of {plural(patients, 'patient')}: too few for a calibration error, which needs "
            f"{FEW_PATIENTS}."
        )
    if min(kinds) < FEW_OF_A_KIND:
        found.append(
            f"{kinds[0]} of the cases were taken for an infection and {kinds[1]} were not: too few for an area under "
            f"the curve, which needs {FEW_OF_A_KIND} of each."
        )
    return found


def _chance(claimed: NDArray[np.float64], infected: NDArray[np.bool_], patients: NDArray[np.int64]) -> float:
    """How often outcomes drawn from the probabilities themselves show an error as large (Bröcker and Smith 2007).

    The calibration error of few cases is well above 0 even where every probability holds. One case a patient counts.
    """
    _, firsts = np.unique(patients, return_index=True)
    claimed, infected = claimed[firsts], infected[firsts]
    drawn = np.random.default_rng(SEED).random((RESAMPLES, len(claimed))) < claimed
    place = np.minimum((claimed * BINS).astype(np.int64), BINS - 1)
    bins = np.eye(BINS)[place]
    errors = np.abs((drawn - claimed) @ bins).sum(axis=1)
    seen = np.abs((infected - claimed) @ bins).sum()
    return float((1 + (errors >= seen - 1e-9).sum()) / (1 + RESAMPLES))

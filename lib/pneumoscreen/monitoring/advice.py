"""When to retrain: a recommendation with its reasons, which nobody but a person follows.

Ours, in all of it, and conservative: what readers say of the model decides; a drift of the images alone is a reason to
look, not to train. Nothing here starts a training.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ..evaluation.cautions import FEW_PATIENTS
from ..evaluation.figures import Share
from ..report.wording import plural
from .agreement import INFECTION, AgreementRow, Change
from .calibration import CalibrationInUse
from .drift import Drift
from .shares import p_text

SURE = 0.01
"""Ours: probability of chance below which a fall of agreement or a calibration error is taken for real."""
FALL = 0.10
"""Ours: a smaller fall of the share of agreement is no reason, however certain."""
LOW = 0.80
"""Ours: readers who agree for certain with less than this on whether there is an infection are a reason."""
ERROR = 0.10
"""Ours: a calibration error below this is no reason, however certain."""
ENOUGH = 50
"""Ours: cases read under the models in use from which a training has something new to learn."""


class Advice(StrEnum):
    """What a site is recommended to do."""

    NOT_ENOUGH = "not_enough"
    KEEP = "keep"
    LOOK = "look"
    RECALIBRATE = "recalibrate"
    RETRAIN = "retrain"


IN_WORDS = {
    Advice.NOT_ENOUGH: "Too little has been read to say",
    Advice.KEEP: "Nothing speaks for a new training",
    Advice.LOOK: "Look at the newest cases first",
    Advice.RECALIBRATE: "Consider a new calibration",
    Advice.RETRAIN: "Consider a new training",
}


@dataclass(frozen=True)
class Recommendation:
    """The recommendation and its reasons, in sentences."""

    advice: Advice
    reasons: tuple[str, ...]

    @property
    def words(self) -> str:
        """The recommendation in a few words."""
        return IN_WORDS[self.advice]

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {"advice": self.advice.value, "words": self.words, "reasons": list(self.reasons)}


def recommend(
    in_use: AgreementRow, change: Change | None, calibration: CalibrationInUse | None, drifts: Sequence[Drift]
) -> Recommendation:
    """What speaks for a training, a calibration, or a closer look.

    Args:
        in_use: agreement with the models in use, of readers who had seen them.
        change: of that agreement.
        calibration: of the models in use.
        drifts: of the images.
    """
    alarms = [drift for drift in drifts if drift.is_alarm]
    if in_use.judged < FEW_PATIENTS or in_use.patients < FEW_PATIENTS:
        few = (
            f"Readers have judged {plural(in_use.judged, 'case')} of {plural(in_use.patients, 'patient')} with the "
            f"models in use; below {FEW_PATIENTS} of either nothing is said."
        )
        return Recommendation(Advice.LOOK if alarms else Advice.NOT_ENOUGH, (few, *_of_drift(alarms)))
    against = [*_of_fall(change), *_of_level(in_use.shares[INFECTION])]
    uncalibrated = _of_calibration(calibration)
    reasons = [*against, *uncalibrated, *_of_drift(alarms)]
    if against and in_use.judged < ENOUGH:
        few = f"Only {in_use.judged} cases were judged with the models in use: read more, a training needs {ENOUGH}."
        return Recommendation(Advice.LOOK, (*reasons, few))
    if against:
        learn = (
            f"{in_use.judged} cases were judged with the models in use; a training learns from those of the training "
            "side, and its result is published only if it is no worse on the validation side."
        )
        return Recommendation(Advice.RETRAIN, (*reasons, learn))
    if uncalibrated:
        return Recommendation(Advice.RECALIBRATE, tuple(reasons))
    if alarms:
        return Recommendation(Advice.LOOK, tuple(reasons))
    share = in_use.shares[INFECTION]
    said = (
        f"Readers agreed with the models in use on whether there is an infection in {share.part} of {share.whole} "
        "cases, agreement has not fallen for certain, and no drift was found."
    )
    return Recommendation(Advice.KEEP, (said,))


def _of_fall(change: Change | None) -> list[str]:
    if change is None or change.drop < FALL or change.p >= SURE:
        return []
    return [
        f"Agreement has fallen: {change.newest[0]} of the newest {change.newest[1]} cases have the model's label, and "
        f"{change.before[0]} of the {change.before[1]} before had ({p_text(change.p)})."
    ]


def _of_level(share: Share) -> list[str]:
    if not share.interval.high < LOW:
        return []
    return [
        f"Readers agree with the models on whether there is an infection in {share.part} of {share.whole} cases, for "
        f"certain in less than {LOW:.0%} (95 % interval {share.interval.low:.2f} to {share.interval.high:.2f})."
    ]


def _of_calibration(found: CalibrationInUse | None) -> list[str]:
    if found is None or found.error is None or found.p is None or found.error.estimate < ERROR or found.p >= SURE:
        return []
    return [
        f"The probability of an infection does not hold: over {found.cases} cases it is off by "
        f"{found.error.estimate:.2f} on average, more than chance explains ({p_text(found.p)}). Calibrate anew with "
        "pneumoscreen evaluate --studies FOLDER --calibrate; that needs no training."
    ]


def _of_drift(alarms: Sequence[Drift]) -> list[str]:
    if not alarms:
        return []
    names = ", ".join(drift.feature.name.lower() for drift in alarms)
    return [f"The newest images are others than the first ones ({names}); by itself that is no reason to train."]

"""When to retrain: what readers say decides, drift alone does not, and nothing is said on few cases."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pneumoscreen.evaluation.figures import Share
from pneumoscreen.metrics.bootstrap import Interval
from pneumoscreen.metrics.inputs import features_of
from pneumoscreen.monitoring.advice import Advice, recommend
from pneumoscreen.monitoring.agreement import INFECTION, AgreementRow, Change
from pneumoscreen.monitoring.calibration import CalibrationInUse
from pneumoscreen.monitoring.drift import Drift

from .clinic import simulated


def row(judged: int = 80, agreed: float = 0.95, high: float = 0.98) -> AgreementRow:
    share = Share(round(judged * agreed), judged, Interval(agreed, agreed - 0.05, high))
    return AgreementRow("m", judged, judged, judged, {INFECTION: share})


ALARM = Drift(features_of(3)[0], np.zeros(50), np.ones(50), 1.0, 1e-9)
FALL = Change((90, 100), (30, 50), 1e-5)
OFF = CalibrationInUse("m", 80, 40, 80, (), Interval(0.2, 0.15, 0.25), 5e-4, None, ())


@pytest.mark.parametrize(
    ("agreement", "change", "calibration", "drifts", "advice"),
    [
        (row(), None, None, [], Advice.KEEP),
        (row(judged=29, agreed=0.3, high=0.5), FALL, OFF, [], Advice.NOT_ENOUGH),
        (row(judged=29), None, None, [ALARM], Advice.LOOK),
        (row(), None, None, [ALARM], Advice.LOOK),
        (row(), None, OFF, [], Advice.RECALIBRATE),
        (row(), None, replace(OFF, p=0.02), [], Advice.KEEP),
        (row(), None, replace(OFF, error=Interval(0.09, 0.05, 0.12)), [], Advice.KEEP),
        (row(), FALL, None, [], Advice.RETRAIN),
        (row(), replace(FALL, p=0.02), None, [], Advice.KEEP),
        (row(), replace(FALL, newest=(41, 50)), None, [], Advice.KEEP),
        (row(), replace(FALL, before=(30, 50), newest=(90, 100)), None, [], Advice.KEEP),
        (row(judged=40), FALL, None, [], Advice.LOOK),
        (row(agreed=0.7, high=0.79), None, None, [], Advice.RETRAIN),
        (row(agreed=0.7, high=0.81), None, None, [], Advice.KEEP),
        (row(), FALL, OFF, [ALARM], Advice.RETRAIN),
    ],
)
def test_the_recommendation_and_its_reasons(agreement, change, calibration, drifts, advice) -> None:
    found = recommend(agreement, change, calibration, drifts)
    assert found.advice is advice
    assert found.reasons and all(reason.endswith(".") for reason in found.reasons)


def test_every_reason_is_named() -> None:
    text = " ".join(recommend(row(), FALL, OFF, [ALARM]).reasons)
    assert "30 of the newest 50 cases have the model's label, and 90 of the 100 before had (p below 0.0001)" in text
    assert "over 80 cases it is off by 0.20 on average" in text and "evaluate --studies FOLDER --calibrate" in text
    assert "(distance of slices); by itself that is no reason to train" in text


@pytest.mark.parametrize(
    ("late_skill", "shift", "advice"),
    [(0.95, False, Advice.KEEP), (0.95, True, Advice.LOOK), (0.5, False, Advice.RETRAIN)],
)
def test_of_a_clinic(tmp_path: Path, late_skill: float, shift: bool, advice: Advice) -> None:
    (found,) = simulated(tmp_path, 160, shift=shift, late_skill=late_skill).monitoring().modalities
    assert found.recommendation.advice is advice

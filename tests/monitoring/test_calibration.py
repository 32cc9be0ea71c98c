"""Calibration in use: what was claimed beside the last words, and no figure on too few cases."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from pneumoscreen.metrics.calibration import Judged
from pneumoscreen.monitoring.calibration import BINS, CalibrationInUse, calibrations, not_known
from pneumoscreen.monitoring.records import LastWord, Records
from pneumoscreen.verdict import DEFAULT_CLASSES

from .clinic import CLEAR, INFECTED, Clinic, read, region, scan

MODELS = "ct_classifier 4"


def in_use(claimed: np.ndarray, infected: np.ndarray) -> CalibrationInUse:
    words = [
        LastWord(f"c{i}", f"p{i}", MODELS, INFECTED if true else CLEAR, None, float(p), False)
        for i, (p, true) in enumerate(zip(claimed, infected, strict=True))
    ]
    (found,) = calibrations(Records("CT", DEFAULT_CLASSES, (), tuple(words), (), 0, 0))
    return found


def test_figures_are_those_of_the_metrics() -> None:
    rng = np.random.default_rng(1)
    claimed = rng.random(120)
    infected = rng.random(120) < claimed
    found = in_use(claimed, infected)
    judged = Judged.of_events(claimed, infected)
    assert found.error.estimate == pytest.approx(judged.figures(BINS)["expected_calibration_error"])
    assert found.auc.estimate == pytest.approx(roc_auc_score(infected, claimed))
    assert (found.cases, found.patients, found.infected) == (120, 120, int(infected.sum()))
    assert sum(each.count for each in found.bins) == 120 and found.too_few == ()


def test_probabilities_that_hold_are_seldom_doubted_and_false_ones_are() -> None:
    rng, doubted, caught = np.random.default_rng(2), 0, 0
    for _ in range(30):
        claimed = rng.random(60)
        doubted += in_use(claimed, rng.random(60) < claimed).p < 0.05
        caught += in_use(claimed, rng.random(60) < claimed / 2).p < 0.05
    assert doubted <= 5, "1 of 20 is expected: 1.5 of 30"
    assert caught >= 27


@pytest.mark.parametrize(
    ("cases", "infected", "reasons"), [(29, 15, 1), (40, 9, 1), (40, 0, 1), (12, 3, 2), (40, 20, 0)]
)
def test_too_few_cases_give_no_figure_but_a_sentence(cases: int, infected: int, reasons: int) -> None:
    found = in_use(np.linspace(0.0, 1.0, cases), np.arange(cases) < infected)
    assert (found.error is None, found.auc is None) == (cases < 30, min(infected, cases - infected) < 10)
    assert len(found.too_few) == reasons
    assert all("too few" in sentence for sentence in found.too_few)


def test_only_what_the_model_itself_had_said_is_compared(tmp_path: Path) -> None:
    clinic = Clinic.at(tmp_path)
    case = clinic.screen(scan("a", (region("r1", INFECTED),)))
    clinic.submit(read(case, "dr-ann", CLEAR), "dr-ann", 1)
    clinic.submit(read(scan("lost", (region("r1", INFECTED),)), "dr-ann", CLEAR), "dr-ann", 1)
    records = clinic.records()["CT"]
    (found,) = calibrations(records)
    assert (found.cases, found.infected, not_known(records)) == (1, 0, 1)
    assert found.bins[-1].confidence == pytest.approx(case.verdict.infection.probability)

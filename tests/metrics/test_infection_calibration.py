"""Evidence becomes a probability: rising, both kinds of case alike, told where it cannot be fitted."""

import numpy as np
import pytest

from pneumoscreen.errors import PneumoScreenError
from pneumoscreen.metrics.infection_calibration import fit_calibration, probabilities, reliability_figures


def test_more_evidence_is_a_higher_probability_and_the_middle_lies_between() -> None:
    fitted = fit_calibration([0.0, 0.0, 0.2, 3.0, 4.0, 6.0], [False, False, False, True, True, True], "six cases")
    low, middle, high = probabilities([0.0, 1.6, 6.0], fitted)
    assert low < 0.25 < middle < 0.75 < high
    assert fitted.calibrated_on == "six cases"


def test_frequent_cases_of_one_kind_do_not_move_the_probability() -> None:
    few = fit_calibration([0.0, 0.1, 2.0, 3.0], [False, False, True, True], "few")
    many = fit_calibration([0.0, 0.1] * 20 + [2.0, 3.0], [False] * 40 + [True] * 2, "many")
    assert probabilities([1.0], many)[0] == pytest.approx(probabilities([1.0], few)[0], abs=0.2)


def test_misleading_cases_never_turn_it_round() -> None:
    assert fit_calibration([3.0, 4.0, 0.0, 0.1], [False, False, True, True], "odd").slope == 0.0


def test_cases_of_one_kind_are_refused() -> None:
    with pytest.raises(PneumoScreenError, match="with and without"):
        fit_calibration([1.0, 2.0], [True, True], "sick only")


def test_reliability_of_a_right_calibration_is_good() -> None:
    rng = np.random.default_rng(0)
    evidence = rng.uniform(0, 6, 4000)
    infected = rng.random(4000) < 1 / (1 + np.exp(3 - evidence))
    figures = reliability_figures(evidence, infected, fit_calibration(evidence, infected, "drawn"))
    assert figures["expected_calibration_error"] < 0.03

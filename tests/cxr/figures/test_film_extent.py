"""Agreement of extent and readers' scores, on lungs whose figures are known by hand."""

import numpy as np
import pytest

from pneumoscreen.cxr.figures.film_extent import ScoredLung, extent_figures, lung_score


def lungs(*pairs: tuple[float, float], patient: str | None = None) -> list[ScoredLung]:
    return [ScoredLung(patient or f"p{number}", reader, model) for number, (reader, model) in enumerate(pairs)]


def test_figures_of_lungs_that_agree_but_for_a_point() -> None:
    figures = extent_figures(lungs((0, 1), (2, 3), (5, 6), (8, 9)))
    assert figures is not None
    assert (figures.lungs, figures.correlation.estimate) == (4, pytest.approx(1.0))
    assert figures.difference.estimate == figures.over.estimate == pytest.approx(1.0)
    assert "4 lungs: rank correlation 1.000" in str(figures)


def test_what_is_above_and_below_does_not_cancel_in_the_difference() -> None:
    figures = extent_figures(lungs((4, 6), (4, 2), (0, 0)))
    assert figures is not None
    assert figures.over.estimate == pytest.approx(0.0)
    assert figures.difference.estimate == pytest.approx(4 / 3)


def test_the_order_turned_round_correlates_negatively() -> None:
    figures = extent_figures(lungs((0, 9), (3, 5), (9, 1)))
    assert figures is not None
    assert figures.correlation.estimate == pytest.approx(-1.0)


def test_lungs_of_one_patient_are_drawn_together() -> None:
    generator = np.random.default_rng(0)
    pairs = [(float(a), float(b)) for a, b in generator.integers(0, 10, (40, 2))]
    apart, together = extent_figures(lungs(*pairs)), extent_figures(lungs(*pairs, patient="one"))
    assert apart is not None
    assert together is not None
    assert together.difference.low == pytest.approx(together.difference.high)
    assert apart.difference.low < apart.difference.high


@pytest.mark.parametrize("pairs", [(), ((1, 1), (2, 2)), ((3, 1), (3, 2), (3, 4)), ((1, 0), (2, 0), (3, 0))])
def test_too_few_lungs_or_a_score_that_never_varies_give_no_figures(pairs: tuple[tuple[float, float], ...]) -> None:
    assert extent_figures(lungs(*pairs)) is None


def test_a_lung_scores_the_sum_of_its_own_zones() -> None:
    severity = {"left_upper": 1.0, "left_middle": 2.0, "left_lower": 3.0, "right_upper": 3.0}
    assert lung_score(severity, "left") == 6.0
    assert lung_score(severity, "right") is None

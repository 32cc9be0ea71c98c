"""Curves, tables and page of a simulation: intervals, comparisons, and what is said of them."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pneumoscreen.ct.simulation import CtSubject
from pneumoscreen.simulation.curves import Curves, mean_interval
from pneumoscreen.simulation.ledger import Ledger
from pneumoscreen.simulation.page import findings, render_page, write_results
from pneumoscreen.simulation.settings import Plan
from pneumoscreen.simulation.text import to_text

from .conftest import PLAN

FIGURES = CtSubject.figures
RISING = np.array([[0.50, 0.60, 0.70, 0.75, 0.80, 0.85], [0.52, 0.58, 0.68, 0.77, 0.80, 0.85]])


def _curves(**accuracy: NDArray[np.float64]) -> Curves:
    plan = Plan(tuple(accuracy), seeds=2)
    values = {
        name: {figure: 1.0 - rows if figure == "log_loss" else rows for figure in FIGURES}
        for name, rows in accuracy.items()
    }
    return Curves(CtSubject, plan, 1, values, {name: {1: ("a",), 2: ("b",)} for name in accuracy})


def test_an_interval_of_a_mean_is_students() -> None:
    found = mean_interval(np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    assert found.estimate == 3.0
    assert found.high - found.estimate == pytest.approx(2.776445 * math.sqrt(2.5 / 5), rel=1e-5)
    assert math.isnan(mean_interval(np.array([1.0])).low)


def test_a_strategy_ahead_needs_fewer_labels_and_leads() -> None:
    ahead = np.hstack([RISING[:, :1], RISING[:, 3:], np.full((2, 2), 0.9)])
    curves = _curves(random=RISING, combined=ahead)
    for figure in FIGURES:  # of log-loss too, where lower is better
        reached = curves.reached("combined", figure)
        assert reached is not None
        assert reached.labels.estimate == pytest.approx(30.0)
        assert reached.share_of_all.estimate == pytest.approx(30 / 42)
        assert reached.share_of_new.estimate == pytest.approx(18 / 30)
        lead = curves.lead("combined", figure)
        assert lead is not None and lead.estimate > 0.05
        assert curves.gain("combined", figure).estimate == pytest.approx(0.39)
    assert curves.lead("random", "case_accuracy") is None
    said = findings(curves)
    assert "from 0.510 to 0.850" in said[0]
    assert "with 30.0 [30.0, 30.0] labelled cases, a share of 0.71 [0.71, 0.71] of its 42" in said[2]


def test_a_strategy_that_does_not_get_there_is_said_to() -> None:
    curves = _curves(random=RISING, combined=np.full((2, 6), 0.5))
    assert "combined does not reach" in findings(curves)[2]
    assert "never" in to_text(curves)
    document = json.loads(json.dumps(curves.to_dict(), allow_nan=False))
    assert document["strategies"]["combined"]["case_accuracy"]["to_reach_random"]["labels"]["estimate"] is None


def test_without_random_choice_nothing_is_compared(subject: CtSubject) -> None:
    curves = _curves(combined=RISING)
    assert curves.reached("combined", "case_accuracy") is None
    assert len(findings(curves)) == 1
    assert "that random choice has" not in to_text(curves)
    assert "Lead over" not in render_page(curves, subject)


def test_tables_show_every_round_and_strategy() -> None:
    text = to_text(_curves(random=RISING, diverse=RISING))
    assert "Phantoms, not patients" in text
    for figure in FIGURES.values():
        assert figure in text
    table = text.split("case accuracy\n")[1].split("when it has")[0]
    assert [line.split()[0] for line in table.splitlines() if line.strip() and line.split()[0].isdigit()] == [
        "12", "18", "24", "30", "36", "42",
    ]  # fmt: skip


def test_results_are_written_as_page_and_json(finished: Ledger, subject: CtSubject, tmp_path: Path) -> None:
    curves = Curves.of(finished, PLAN, subject)
    document = write_results(tmp_path, curves, subject)
    assert json.loads((tmp_path / "simulation.json").read_text(encoding="utf-8")) == json.loads(json.dumps(document))
    assert document["labels"] == [3, 5, 7]
    assert document["seeds"] == [1, 2]
    assert len(document["strategies"]["combined"]["labelled"]["1"]) == 7
    values = document["strategies"]["random"]["case_accuracy"]
    assert values["mean"][0]["estimate"] == pytest.approx(np.mean([row[0] for row in values["seeds"]]))
    page = (tmp_path / "simulation.html").read_text(encoding="utf-8")
    assert page.count("<svg") == len(FIGURES)
    assert "not patients" in page
    assert "http://" not in page.replace("http://www.w3.org", "") and "<script" not in page

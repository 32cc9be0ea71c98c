"""Whole simulations of a tiny clinic: the same again, paired, interrupted, extended, refused."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pneumoscreen.ct.simulation import CtSubject
from pneumoscreen.errors import ConfigError
from pneumoscreen.simulation.curves import Curves
from pneumoscreen.simulation.ledger import Ledger, Turn
from pneumoscreen.simulation.pool import draw_cohort
from pneumoscreen.simulation.settings import Plan
from pneumoscreen.simulation.simulate import all_turns, run_simulation

from .conftest import PLAN, SETTINGS, silent

TURNS = all_turns(PLAN, SETTINGS)


def _results(ledger: Ledger) -> dict[Turn, Any]:
    return {turn: (ledger.record(turn).labelled, ledger.record(turn).figures) for turn in TURNS}


def test_every_turn_is_played(finished: Ledger) -> None:
    assert len(TURNS) == 2 * (1 + 2 * 2)
    assert all(finished.holds(turn) for turn in TURNS)


def test_strategies_share_their_start_and_part_later(finished: Ledger) -> None:
    for seed in (1, 2):
        start = finished.record(Turn.start(seed)).labelled
        for strategy in PLAN.strategies:
            first, second = (finished.record(Turn(seed, strategy, done)).labelled for done in (1, 2))
            assert (len(start), len(first), len(second)) == (3, 5, 7)
            assert first[:3] == start
            assert second[:5] == first
            assert len(set(second)) == 7
    starts = [finished.record(Turn.start(seed)) for seed in (1, 2)]
    assert starts[0].labelled != starts[1].labelled, "seeds have their own start"
    assert starts[0].figures != starts[1].figures


def test_only_the_pool_is_labelled(finished: Ledger) -> None:
    cohort = draw_cohort(SETTINGS, PLAN.pool, PLAN.test)
    labelled = {name for turn in TURNS for name in finished.record(turn).labelled}
    assert labelled <= {recipe.case_id for recipe in cohort.pool}


def test_the_start_has_one_case_of_each_diagnosis(finished: Ledger) -> None:
    diagnosis = {recipe.case_id: recipe.diagnosis for recipe in draw_cohort(SETTINGS, PLAN.pool, PLAN.test).pool}
    for seed in (1, 2):
        assert len({diagnosis[name] for name in finished.record(Turn.start(seed)).labelled}) == 3


def test_scores_are_kept_exactly(finished: Ledger) -> None:
    scores = finished.scores(Turn(1, "combined", 1))
    assert len(scores) == PLAN.pool
    assert all(score.embedding.dtype == np.float32 and len(score.embedding) == 16 for score in scores)
    assert len({score.uncertainty for score in scores}) > 1


def test_an_interrupted_simulation_ends_like_an_uninterrupted_one(
    finished: Ledger, subject: CtSubject, cases: Path, tmp_path: Path
) -> None:
    def interrupt(line: str) -> None:
        if "trainings step" in line and not line.split("step ")[1].startswith("1/"):
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patched:
        # A line after every training, so that the interruption comes in the middle.
        patched.setattr("pneumoscreen.simulation.simulate.EVERY_S", 0.0)
        with pytest.raises(KeyboardInterrupt):
            run_simulation(PLAN, subject, tmp_path, cases=cases, say=interrupt)
    done = [turn for turn in TURNS if Ledger(tmp_path).holds(turn)]
    assert 0 < len(done) < len(TURNS)
    # Killed while it wrote: scores without their document are no finished turn.
    last = tmp_path / "rounds" / f"seed-{done[-1].seed:04d}" / f"{done[-1].strategy}-{done[-1].round}.json"
    last.unlink()
    with pytest.raises(ConfigError, match="add --resume"):
        run_simulation(PLAN, subject, tmp_path, cases=cases, say=silent)
    resumed = run_simulation(PLAN, subject, tmp_path, cases=cases, resume=True, say=silent)
    assert _results(resumed) == _results(finished)


def test_two_processes_find_the_same(finished: Ledger, subject: CtSubject, cases: Path, tmp_path: Path) -> None:
    parallel = run_simulation(PLAN, subject, tmp_path, cases=cases, jobs=2, say=silent)
    assert _results(parallel) == _results(finished)


def test_a_finished_simulation_goes_on_with_another_strategy(
    finished: Ledger, subject: CtSubject, cases: Path, tmp_path: Path
) -> None:
    shutil.copytree(finished.folder, tmp_path / "rounds")
    more = Plan(("random", "diverse"), pool=9, test=3, start=3, rounds=2, per_round=2, seeds=2)
    said: list[str] = []
    ledger = run_simulation(more, subject, tmp_path, cases=cases, resume=True, say=said.append)
    assert said[-1].startswith("simulate: trainings step 4/4"), "what is there is not trained again"
    assert _results(ledger) == _results(finished)
    assert list(Curves.of(ledger, more, subject).values) == ["random", "diverse"]


def test_another_simulation_is_not_mixed_in(finished: Ledger, subject: CtSubject, cases: Path, tmp_path: Path) -> None:
    shutil.copytree(finished.folder, tmp_path / "rounds")
    for plan, settings in (
        (PLAN, SETTINGS.model_copy(update={"steps": 5})),
        (Plan(PLAN.strategies, pool=9, test=3, start=4, rounds=2, per_round=2, seeds=2), SETTINGS),
    ):
        with pytest.raises(ConfigError, match="name another folder"):
            run_simulation(plan, CtSubject(settings, subject.store), tmp_path, cases=cases, resume=True, say=silent)


def test_records_are_plain_json(finished: Ledger) -> None:
    document = json.loads((finished.folder / "seed-0001" / "combined-2.json").read_text(encoding="utf-8"))
    assert (document["seed"], document["strategy"], document["round"]) == (1, "combined", 2)
    assert set(document["figures"]) == {"case_accuracy", "region_f1", "patch_f1", "log_loss"}

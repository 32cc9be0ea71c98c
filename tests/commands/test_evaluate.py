"""``pneumoscreen evaluate`` writes its tables, and the same figures as JSON."""

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize("cases", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_tables_and_figures_are_written(cases: int, run: Any, narrow_models: Path, tmp_path: Path) -> None:
    words = ["evaluate", "--out", tmp_path / "figures", "--cases", cases, "--model-dir", narrow_models, "--json"]
    ended = run(*words)
    assert ended.status == 0, ended.err
    assert ended.out == (tmp_path / "figures" / "cohort.json").read_text(encoding="utf-8")
    assert len(json.loads(ended.out)["outcomes"]) == cases
    assert [line.split()[0] for line in ended.err.splitlines()] == [f"{n}/{cases}" for n in range(1, cases + 1)]
    text = (tmp_path / "figures" / "cohort.txt").read_text(encoding="utf-8")
    for word in ("lesion recall", "M2 - M1 patch mean f1", "region mean f1", "case accuracy"):
        assert word in text


def test_without_models_it_costs_one_line(run: Any, tmp_path: Path) -> None:
    ended = run("evaluate", "--out", tmp_path / "figures", "--cases", 1, "--model-dir", tmp_path / "absent")
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "absent" in ended.err

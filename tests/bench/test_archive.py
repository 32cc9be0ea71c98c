"""Cases a minute of an archive, beside the sequential command."""

import os
from pathlib import Path

import pytest
from tests.commands.conftest import narrow_models, studies

from pneumoscreen.bench.archive import Rates, cases_a_minute, measure_rates
from pneumoscreen.bench.process import BenchError
from pneumoscreen.bench.run import _archive_figures

__all__ = ["narrow_models", "studies"]


def test_what_comes_before_the_warm_up_is_over_does_not_count() -> None:
    # Two processes: both load for a minute, then end a case each every ten seconds.
    assert cases_a_minute([60.0, 61.0, 71.0, 70.0, 80.0, 81.0]) == 12.0


def test_the_ratio_stands_beside_the_rates() -> None:
    told = {figure.name: (figure.value, figure.unit) for figure in _archive_figures(Rates(archive=60.0, screen=40.0))}
    assert told == {
        "archive of 512x512x70": (60.0, "cases/min"),
        "archive of 512x512x70: the same by screen": (40.0, "cases/min"),
        "archive of 512x512x70: times as fast as screen": (1.5, "x"),
    }


def test_both_commands_screen_all_scans(studies: Path, narrow_models: Path) -> None:
    scans = sorted(studies.glob("*.nii.gz"))[:4]
    rates = measure_rates(scans, os.sched_getaffinity(0), narrow_models)
    assert rates.archive > 0.0 and rates.screen > 0.0


def test_a_command_that_fails_is_named(studies: Path, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(BenchError, match=r"archive failed with status 2: .*no usable weights"):
        measure_rates(sorted(studies.glob("*.nii.gz"))[:1], os.sched_getaffinity(0), tmp_path / "none")

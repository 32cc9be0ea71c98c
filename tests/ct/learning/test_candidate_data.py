"""Preparation and cache of the candidate network's cases."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pneumoscreen.ct.candidates.working_grid import WorkingGridSettings
from pneumoscreen.ct.learning.candidate_data import CaseCache, prepare_case, read_prepared
from pneumoscreen.errors import PneumoScreenError

GRID = WorkingGridSettings()


def test_prepared_truth_is_infections_only(toy_cases: list[Any]) -> None:
    case = prepare_case(toy_cases[0], GRID)
    assert case.hu.shape == case.lungs.shape and case.infection is not None
    assert (len(case.boxes), len(case.ignored)) == (2, 1)
    assert case.hu.dtype == np.int16
    for z0, y0, x0, z1, y1, x1 in case.boxes.round().astype(int):
        assert case.infection[z0:z1, y0:y1, x0:x1].mean() > 0.7
    z0, y0, x0, z1, y1, x1 = case.ignored[0].round().astype(int)
    assert not case.infection[z0:z1, y0:y1, x0:x1].any()


def test_the_cache_gives_back_what_was_prepared(toy_cases: list[Any], tmp_path: Path) -> None:
    cache = CaseCache(tmp_path, GRID)
    path = cache.add(toy_cases[0])
    written = path.stat().st_mtime_ns
    assert cache.add(toy_cases[0]) == path and path.stat().st_mtime_ns == written
    read, fresh = read_prepared(path), prepare_case(toy_cases[0], GRID)
    assert read.case_id == "toy-0"
    for name in ("hu", "lungs", "infection", "boxes", "ignored"):
        assert np.array_equal(getattr(read, name), getattr(fresh, name))
    other = CaseCache(tmp_path, WorkingGridSettings(spacing_mm=(5, 2, 2)))
    assert other.path("toy-0") != path


def test_a_case_without_a_mask_stays_without(toy_cases: list[Any], tmp_path: Path) -> None:
    read = read_prepared(CaseCache(tmp_path, GRID).add(toy_cases[0].without_mask()))
    assert read.infection is None and len(read.boxes) == 2


def test_a_damaged_cache_file_is_named(toy_cases: list[Any], tmp_path: Path) -> None:
    path = CaseCache(tmp_path, GRID).add(toy_cases[0])
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(PneumoScreenError, match=r"toy-0\.npz is damaged"):
        read_prepared(path)

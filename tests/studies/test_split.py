"""Sides of patients: fixed for ever, whatever else comes into the folder, and one for all scans of a patient."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pneumoscreen.ct.phantoms.phantom import PhantomSpec
from pneumoscreen.ct.phantoms.studies import write_studies
from pneumoscreen.studies.cases import find_scans
from pneumoscreen.studies.split import DEFAULT_SPLIT, Side, SplitSettings, place_of, side_of

NAMES = st.text(min_size=1, max_size=40)
SHARES = st.tuples(st.floats(0, 0.49), st.floats(0, 0.49)).map(lambda s: SplitSettings(validation=s[0], test=s[1]))


@given(st.lists(NAMES, max_size=50), st.lists(NAMES, min_size=100, max_size=100), SHARES)
def test_adding_100_cases_moves_none(patients: list[str], new: list[str], shares: SplitSettings) -> None:
    def sides(names: list[str]) -> dict[str, Side]:
        return {name: side_of(name, shares) for name in names}

    before, after = sides(patients), sides([*new[:50], *patients, *new[50:]])
    assert {name: after[name] for name in patients} == before


@given(NAMES, SHARES, st.floats(0, 1))
def test_a_larger_share_takes_nobody_out_of_validation_or_test(
    patient: str, shares: SplitSettings, part: float
) -> None:
    smaller = SplitSettings(validation=shares.validation * part, test=shares.test * part)
    if side_of(patient, smaller) is not Side.TRAINING:
        assert side_of(patient, shares) is side_of(patient, smaller)


def test_shares_are_met_and_names_spread_evenly() -> None:
    names = [f"patient-{number}" for number in range(20_000)]
    places = np.array([place_of(name) for name in names])
    assert np.histogram(places, 10, (0, 1))[0] == pytest.approx(2000, rel=0.1)
    sides = [side_of(name) for name in names]
    assert sides.count(Side.VALIDATION) / len(names) == pytest.approx(DEFAULT_SPLIT.validation, abs=0.01)
    assert sides.count(Side.TEST) / len(names) == pytest.approx(DEFAULT_SPLIT.test, abs=0.01)


def test_places_are_those_of_the_first_release() -> None:
    # Pinned: another hash or salt would move every site's patients.
    assert [round(place_of(name), 6) for name in ("phantom-000001", "phantom-000002", "a")] == [
        0.629684,
        0.7703,
        0.617001,
    ]


def test_shares_that_leave_nothing_to_train_on_are_refused() -> None:
    with pytest.raises(ValidationError, match="less than 1"):
        SplitSettings(validation=0.5, test=0.5)


def test_100_more_cases_in_a_folder_move_none(tmp_path: Path) -> None:
    scan = write_studies(tmp_path, 1, 1, PhantomSpec(matrix=64, slices=20))[0]

    def sides() -> dict[str, Side]:
        return {study.case_id: side_of(study.patient) for study in find_scans(tmp_path)}

    for number in range(20):
        shutil.copy(scan, tmp_path / f"case-{number}_day{number % 3}.nii.gz")
    before = sides()
    for number in range(100):
        shutil.copy(scan, tmp_path / f"added-{number}.nii.gz")
    after = sides()
    assert len(after) == len(before) + 100
    assert {case: after[case] for case in before} == before
    assert len(set(before.values())) > 1


def test_a_patient_at_a_border_trains_below_and_tests_above() -> None:
    name = next(name for name in map(str, range(99)) if 0.5 < place_of(name) < 0.8)
    place = place_of(name)
    assert side_of(name, SplitSettings(validation=place, test=0.0)) is Side.TRAINING
    assert side_of(name, SplitSettings(validation=place + 1e-9, test=0.0)) is Side.VALIDATION
    assert side_of(name, SplitSettings(validation=0.0, test=1.0 - place)) is Side.TEST
    assert side_of(name, SplitSettings(validation=0.0, test=1.0 - place - 1e-9)) is Side.TRAINING

"""The split of a studies folder: written once, then the same for all; what contradicts it is refused."""

import json
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pneumoscreen.errors import ConfigError, PneumoScreenError
from pneumoscreen.evaluation.sides import studies_of_side
from pneumoscreen.studies.cases import find_studies
from pneumoscreen.studies.folder_split import SPLIT_FILE, folder_split, keep_split
from pneumoscreen.studies.layout import FINAL_LABELS
from pneumoscreen.studies.split import DEFAULT_SPLIT, Side, SplitSettings, side_of
from pneumoscreen.training.plan import choose_cases

SMALL_TEST = SplitSettings(validation=0.15, test=0.05)
SHARES = st.tuples(st.floats(0.05, 0.45), st.floats(0.05, 0.45)).map(
    lambda shares: SplitSettings(validation=shares[0], test=shares[1])
)


def listed(folder: Path, count: int) -> Path:
    """Labelled studies that can be listed; listing opens neither scans nor labels."""
    (folder / FINAL_LABELS).mkdir(parents=True)
    for number in range(count):
        (folder / f"case-{number:03d}.nii.gz").touch()
        (folder / FINAL_LABELS / f"case-{number:03d}.json").touch()
    return folder


def planned(folder: Path, asked: SplitSettings | None) -> set[str]:
    """The patients that a training trains on or validates with, as a run chooses them."""
    with tempfile.TemporaryDirectory() as out:
        shares = folder_split(folder, asked)
        cases, _ = choose_cases(find_studies(folder), shares, Path(out))
        keep_split(folder, shares)
        return {case.patient for case in cases}


@settings(max_examples=15, deadline=None)
@given(SHARES)
def test_whatever_the_first_training_asked_for_no_patient_that_is_tested_was_trained_on(shares: SplitSettings) -> None:
    with tempfile.TemporaryDirectory() as root:
        folder = listed(Path(root) / "studies", 80)
        used = planned(folder, shares)
        tested = {study.patient for study in studies_of_side(folder, Side.TEST)}
        assert tested and not tested & used
        assert len(tested | used) == 80
        # A later training that names no shares, and calibration, go by the same.
        assert planned(folder, None) == used
        assert {study.patient for study in studies_of_side(folder, Side.VALIDATION)} < used


def test_the_first_use_writes_the_split_and_no_later_one_changes_it(tmp_path: Path) -> None:
    folder = listed(tmp_path / "studies", 40)
    assert folder_split(folder) == DEFAULT_SPLIT
    assert not (folder / SPLIT_FILE).exists(), "asking alone writes nothing"
    keep_split(folder, SMALL_TEST)
    content = (folder / SPLIT_FILE).read_bytes()
    assert json.loads(content)["test"] == 0.05
    for asked in (None, SMALL_TEST):
        assert folder_split(folder, asked) == SMALL_TEST
    with pytest.raises(ConfigError) as refused:
        folder_split(folder, DEFAULT_SPLIT)
    message = str(refused.value)
    assert "asks for split.validation 0.15, split.test 0.15" in message
    assert "divided by split.validation 0.15, split.test 0.05" in message
    assert "Leave split out of the configuration" in message
    with pytest.raises(ConfigError, match="patients would change sides"):
        keep_split(folder, DEFAULT_SPLIT)
    assert (folder / SPLIT_FILE).read_bytes() == content


def test_an_evaluation_without_a_test_patient_settles_nothing(tmp_path: Path) -> None:
    folder = listed(tmp_path / "studies", 1)
    assert side_of("case-000") is Side.TRAINING
    with pytest.raises(PneumoScreenError, match="on the test side of the split"):
        studies_of_side(folder, Side.TEST)
    assert not (folder / SPLIT_FILE).exists()
    studies_of_side(listed(tmp_path / "others", 5), None)
    assert not (tmp_path / "others" / SPLIT_FILE).exists(), "all patients together need no split"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": "other/1"}', '{"schema": "pneumoscreen.split/1"}'])
def test_a_damaged_file_is_named_and_never_replaced(tmp_path: Path, content: str) -> None:
    folder = listed(tmp_path / "studies", 40)
    (folder / SPLIT_FILE).parent.mkdir()
    (folder / SPLIT_FILE).write_text(content, encoding="utf-8")
    for use in (lambda: studies_of_side(folder, Side.TEST), lambda: keep_split(folder, DEFAULT_SPLIT)):
        with pytest.raises(ConfigError, match=r"split\.json is damaged .* restore it from a backup"):
            use()
    assert (folder / SPLIT_FILE).read_text(encoding="utf-8") == content


def test_shares_out_of_range_are_damage(tmp_path: Path) -> None:
    folder = listed(tmp_path / "studies", 1)
    keep_split(folder, DEFAULT_SPLIT)
    text = (folder / SPLIT_FILE).read_text(encoding="utf-8")
    (folder / SPLIT_FILE).write_text(text.replace('"test": 0.15', '"test": 0.95'), encoding="utf-8")
    with pytest.raises(ConfigError, match="is damaged"):
        folder_split(folder)


@pytest.fixture
def sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A studies folder on a disk that cannot be written; the tests may run as root, whom no permission stops."""
    folder = listed(tmp_path / "studies", 40)
    make = os.mkdir

    def refuse(path: str | Path, *options: int, **named: int) -> None:
        if Path(path).is_relative_to(folder):
            raise OSError(30, "Read-only file system", str(path))
        make(path, *options, **named)

    monkeypatch.setattr(os, "mkdir", refuse)
    return folder


def test_a_folder_that_cannot_be_written_is_evaluated_with_a_note(sealed: Path) -> None:
    said: list[str] = []
    assert studies_of_side(sealed, Side.TEST, said.append)
    assert len(said) == 1 and "cannot be written (Read-only file system); the usual split holds" in said[0]
    keep_split(sealed, DEFAULT_SPLIT)


def test_other_shares_than_the_usual_ones_need_a_folder_that_keeps_them(sealed: Path) -> None:
    with pytest.raises(ConfigError, match="an evaluation would not know of"):
        keep_split(sealed, SMALL_TEST)

"""Which set-ups of a cross-validation can be done is known before the first is trained."""

from pathlib import Path

import pytest

from pneumoscreen.cxr.crossvalidation.arms import Frame, ablation_arms, single
from pneumoscreen.cxr.crossvalidation.cohort import Cohort, Entry
from pneumoscreen.cxr.crossvalidation.command import _divided
from pneumoscreen.errors import ConfigError


def cohort(sides: dict[str, bool]) -> Cohort:
    labels = ("covid19", "healthy", "cap")
    entries = (Entry(f"x{n}", f"p{n}", "o", labels[n % 3], sides if n % 3 == 0 else {}, True) for n in range(60))
    return Cohort(Path("pictures"), tuple(entries), (), 0)


def test_set_ups_without_labels_are_left_out_of_a_set_and_said_before_anything_is_trained() -> None:
    arms = ablation_arms(Frame())
    divided, missing = _divided(arms, cohort({}), 2, 0)
    assert [arm.name for arm, _ in divided] == [arm.name for arm in arms if arm.task == "classes"]
    assert len(missing) == 2 and all("affected side" in reason for reason in missing)
    divided, missing = _divided(arms, cohort({"left": True, "right": False}), 2, 0)
    assert [arm for arm, _ in divided] == arms and not missing
    sides = {arm.name: division for arm, division in divided}["localisation"]
    assert len(sides.entries) == 20, "the COVID-19 X-rays alone"
    assert sorted(row for fold in sides.folds for row in fold.test) == list(range(20))


def test_a_set_up_that_was_asked_for_alone_is_refused() -> None:
    with pytest.raises(ConfigError, match="no X-ray says what it needs"):
        _divided([single(Frame(), "localization", "patient")], cohort({}), 2, 0)

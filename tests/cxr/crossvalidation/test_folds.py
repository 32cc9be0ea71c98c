"""Folds by patient share no patient; those by image test every picture once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pneumoscreen.cxr.crossvalidation.folds import make_folds
from pneumoscreen.errors import ConfigError

PICTURES = st.lists(
    st.tuples(st.integers(0, 11), st.sampled_from(["covid19", "healthy", "cap"])), min_size=12, max_size=60
).filter(lambda found: len({patient for patient, _ in found}) >= 6)


@settings(deadline=None, max_examples=60)
@given(PICTURES, st.integers(2, 5), st.integers(0, 3))
def test_by_patient_no_patient_is_in_two_parts(found: list[tuple[int, str]], folds: int, seed: int) -> None:
    patients = [f"p{patient}" for patient, _ in found]
    made = make_folds(
        [f"x{i}" for i in range(len(found))], patients, [label for _, label in found], by="patient", folds=folds,
        seed=seed,
    )  # fmt: skip
    assert sorted(np.concatenate([fold.test for fold in made]).tolist()) == list(range(len(found)))
    for fold in made:
        parts = [{patients[row] for row in rows} for rows in (fold.training, fold.validation, fold.test)]
        assert all(parts)
        assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
        assert len(fold.training) + len(fold.validation) + len(fold.test) == len(found)


def test_by_image_patients_are_divided_but_validation_is_by_patient() -> None:
    patients = [f"p{i // 4}" for i in range(40)]
    made = make_folds([f"x{i:02d}" for i in range(40)], patients, ["cap"] * 40, by="image", folds=5, seed=0)
    assert [len(fold.test) for fold in made] == [8] * 5
    shared = [{patients[r] for r in fold.training} & {patients[r] for r in fold.test} for fold in made]
    assert any(shared)
    for fold in made:
        assert not {patients[r] for r in fold.training} & {patients[r] for r in fold.validation}


def test_folds_have_their_share_of_every_class() -> None:
    labels = ["covid19"] * 10 + ["healthy"] * 20 + ["cap"] * 20
    names = [f"x{i:02d}" for i in range(50)]
    for fold in make_folds(names, names, labels, by="patient", folds=5, seed=1):
        assert sorted(labels[row] for row in fold.test) == ["cap"] * 4 + ["covid19"] * 2 + ["healthy"] * 4


def test_too_few_are_refused() -> None:
    with pytest.raises(ConfigError, match="folds 5"):
        make_folds(["a", "b"], ["p", "q"], ["cap", "cap"], by="patient", folds=5, seed=0)
    with pytest.raises(ConfigError, match="validate"):
        make_folds(["a", "b", "c"], ["p", "q", "q"], ["cap"] * 3, by="patient", folds=2, seed=0)

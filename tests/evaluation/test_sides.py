"""The studies of one side of a folder's split, and networks that were trained under another one."""

import pytest
import torch

from pneumoscreen.case import ModelInfo
from pneumoscreen.ct.phantoms.phantom import PhantomSpec
from pneumoscreen.ct.phantoms.studies import write_studies
from pneumoscreen.errors import PneumoScreenError
from pneumoscreen.evaluation.sides import studies_of_side, trained_otherwise
from pneumoscreen.models.store import CARD_FIELDS, ModelStore
from pneumoscreen.studies.folder_split import keep_split
from pneumoscreen.studies.layout import FINAL_LABELS
from pneumoscreen.studies.split import DEFAULT_SPLIT, Side, SplitSettings, side_of

SPEC = PhantomSpec(matrix=64, slices=20)


def test_each_study_is_on_one_side_only(tmp_path):
    names = [f"phantom-{seed:06d}" for seed in range(1, 31)]
    (tmp_path / FINAL_LABELS).mkdir(parents=True)
    for name in names:  # listing opens neither scans nor labels
        (tmp_path / f"{name}.nii.gz").touch()
        (tmp_path / FINAL_LABELS / f"{name}.json").touch()
    found = {side: [study.case_id for study in studies_of_side(tmp_path, side)] for side in Side}
    assert sorted(name for side in found.values() for name in side) == names
    assert [study.case_id for study in studies_of_side(tmp_path, None)] == names
    assert all(side_of(name) is side for side, inside in found.items() for name in inside)


def test_an_empty_side_says_what_there_is_and_what_to_do(tmp_path):
    seed = next(seed for seed in range(1, 99) if side_of(f"phantom-{seed:06d}") is Side.TRAINING)
    write_studies(tmp_path, 1, seed, SPEC)
    with pytest.raises(PneumoScreenError) as refused:
        studies_of_side(tmp_path, Side.TEST)
    message = str(refused.value)
    assert "none of its 1 labelled cases is on the test side" in message
    assert "training 1, validation 0, test 0" in message
    assert "--side training|validation|test|all" in message


def test_a_model_that_was_trained_on_the_folder_under_another_split_is_named(tmp_path):
    """Trainings from before the folder kept its split may have used other shares; starter weights are of no folder."""
    folder, store = tmp_path / "hospital", ModelStore(tmp_path / "models")
    folder.mkdir()
    card = dict.fromkeys(CARD_FIELDS, "test")
    of_folder = {**card, "data": "9 training cases (9 patients) of studies folder hospital, labels of 2026"}
    small = {"validation": 0.15, "test": 0.05}
    for settings in (
        {**card, "training_settings": {"split": small}},
        {**of_folder, "split": DEFAULT_SPLIT.model_dump()},
        {**of_folder, "training_settings": {"split": small}},
    ):
        version = store.publish("ct_classifier", {"w": torch.zeros(1)}, settings)
    models = {number: {"ct_classifier": ModelInfo(number, "0" * 64)} for number in range(1, version + 1)}
    said = [trained_otherwise(folder, store, models[number]) for number in models]
    assert said[:2] == [[], []]
    assert "ct_classifier version 3 was trained on this folder under another split (0.15 of the" in said[2][0]
    keep_split(folder, SplitSettings.model_validate(small))
    assert trained_otherwise(folder, store, models[3]) == []

"""Which cases an evaluation takes: one side of a studies folder, and phantoms."""

import json
from unittest.mock import Mock

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from pneumoscreen.case import Case, ModelInfo
from pneumoscreen.ct.figures.cases import labelled_cases, phantom_cases
from pneumoscreen.ct.figures.cohort import Failure, _judge
from pneumoscreen.ct.phantoms.phantom import PhantomSpec
from pneumoscreen.ct.phantoms.studies import write_studies
from pneumoscreen.ct.screening import Screener
from pneumoscreen.errors import PneumoScreenError
from pneumoscreen.evaluation.figures import LeftOut
from pneumoscreen.evaluation.sides import studies_of_side, trained_otherwise
from pneumoscreen.models.store import CARD_FIELDS, ModelStore
from pneumoscreen.studies.folder_split import keep_split
from pneumoscreen.studies.layout import FINAL_LABELS, LESION_MASKS, LUNG_MASKS
from pneumoscreen.studies.split import DEFAULT_SPLIT, Side, SplitSettings, side_of
from pneumoscreen.verdict import DEFAULT_CLASSES

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


def test_boxes_without_masks_are_truth_enough(tmp_path):
    write_studies(tmp_path, 1, 7, SPEC, diagnosis="covid19")
    (tmp_path / LESION_MASKS / "phantom-000007.nii.gz").unlink()
    [case] = labelled_cases(studies_of_side(tmp_path, None))
    truth = case.load()
    assert truth.diagnosis == "covid19"
    assert truth.infection.any()
    assert case.patient == "phantom-000007"


def test_a_case_whose_lungs_are_not_found_keeps_its_diagnosis(tmp_path):
    """Without a mask of the lungs reading the truth fails already, and the scan tells nothing any more."""
    [scan] = write_studies(tmp_path, 1, 7, SPEC, diagnosis="covid19")
    (tmp_path / LUNG_MASKS / "phantom-000007.nii.gz").unlink()
    image = sitk.ReadImage(str(scan))
    values = np.random.default_rng(0).integers(0, 80, image.GetSize()[::-1]).astype(np.int16)
    values[:, :12] = -1000  # a body without lungs, and air before it
    water = sitk.GetImageFromArray(values)
    water.CopyInformation(image)
    sitk.WriteImage(water, str(scan))
    cases = labelled_cases(studies_of_side(tmp_path, None))
    screener = Mock(spec=Screener)
    found = _judge(cases[0], screener)
    assert isinstance(found, Failure) and found.diagnosis == "covid19"
    # Without the clinical diagnosis the readers' labels tell it; where they contradict it the labels cannot be used.
    document = tmp_path / FINAL_LABELS / "phantom-000007.json"
    content = json.loads(document.read_text(encoding="utf-8"))
    document.write_text(json.dumps({**content, "diagnosis": None}), encoding="utf-8")
    assert cases[0].diagnose() == "covid19"
    document.write_text(json.dumps({**content, "diagnosis": "no_infection_found"}), encoding="utf-8")
    assert isinstance(_judge(cases[0], screener), LeftOut)


def test_the_origin_changes_with_the_label_and_with_nothing_else(tmp_path):
    write_studies(tmp_path, 1, 7, SPEC)

    def origin() -> str:
        return labelled_cases(studies_of_side(tmp_path, None))[0].origin

    before = origin()
    assert origin() == before
    document = tmp_path / FINAL_LABELS / "phantom-000007.json"
    case = Case.from_json(document.read_text(encoding="utf-8"))
    document.write_text(type(case)(**{**vars(case), "notes": ("read again",)}).to_json(), encoding="utf-8")
    assert origin() != before


def test_phantoms_take_turns_and_are_made_when_they_are_needed():
    cases = phantom_cases(4, 500, spec=SPEC)
    assert [case.case_id for case in cases] == [f"phantom-{seed:06d}" for seed in range(500, 504)]
    assert len({case.origin for case in cases}) == 4
    assert cases[2].load().diagnosis == DEFAULT_CLASSES.case_labels[2]


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

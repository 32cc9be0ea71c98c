"""Which cases an evaluation takes: one side of a studies folder, and phantoms."""

import json
from unittest.mock import Mock

import numpy as np
import SimpleITK as sitk

from pneumoscreen.case import Case
from pneumoscreen.ct.figures.cases import labelled_cases, phantom_cases
from pneumoscreen.ct.figures.cohort import Failure, _judge
from pneumoscreen.ct.phantoms.phantom import PhantomSpec
from pneumoscreen.ct.phantoms.studies import write_studies
from pneumoscreen.ct.screening import Screener
from pneumoscreen.evaluation.figures import LeftOut
from pneumoscreen.evaluation.sides import studies_of_side
from pneumoscreen.studies.layout import FINAL_LABELS, LESION_MASKS, LUNG_MASKS
from pneumoscreen.verdict import DEFAULT_CLASSES

SPEC = PhantomSpec(matrix=64, slices=20)


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

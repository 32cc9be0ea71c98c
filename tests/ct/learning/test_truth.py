"""Studies to patches: cases with boxes only, cases without a diagnosis, and the kept files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pneumoscreen.ct.learning.truth import complete_truth
from pneumoscreen.ct.study_cases import MarkedLesion, StudyCase
from pneumoscreen.errors import CaseError
from pneumoscreen.images.volume import Volume
from pneumoscreen.verdict import DEFAULT_CLASSES

SHAPE = (10, 40, 40)


def study(label: str = "covid19", diagnosis: str | None = "covid19") -> StudyCase:
    lungs = np.zeros(SHAPE, dtype=np.uint8)
    lungs[:, 5:35, 5:35] = 1
    hu = np.full(SHAPE, -800, dtype=np.int16)
    volume = Volume(hu, (2.0, 2.0, 5.0), (0.0, 0.0, 0.0), np.eye(3), "s", Path("s"), "0")
    lesion = MarkedLesion(7, label, np.array([2.0, 10.0, 10.0, 8.0, 20.0, 20.0]))
    return StudyCase(volume, lungs, None, (lesion,), diagnosis, "s")


def test_a_box_without_a_mask_becomes_its_ellipsoid() -> None:
    found = complete_truth(study(), DEFAULT_CLASSES)
    assert [lesion.number for lesion in found.lesions] == [1]
    voxels = np.argwhere(found.infection == 1)
    assert (voxels.min(axis=0) >= [2, 10, 10]).all()
    assert (voxels.max(axis=0) <= [8, 20, 20]).all()
    assert len(voxels) == pytest.approx(np.pi / 6 * 6 * 10 * 10, rel=0.2)


def test_it_stays_in_the_lung() -> None:
    outside = replace(study(), lungs=np.zeros(SHAPE, dtype=np.uint8))
    assert not complete_truth(outside, DEFAULT_CLASSES).infection.any()


def test_without_a_diagnosis_the_one_label_of_the_regions_stands_for_it() -> None:
    assert complete_truth(study(diagnosis=None), DEFAULT_CLASSES).diagnosis == "covid19"
    assert complete_truth(study("irrelevant", None), DEFAULT_CLASSES).diagnosis == "no_infection_found"


def test_two_types_without_a_diagnosis_are_refused() -> None:
    case = study(diagnosis=None)
    other = MarkedLesion(8, "influenza_a", np.array([0.0, 0.0, 0.0, 3.0, 3.0, 3.0]))
    with pytest.raises(CaseError, match="field diagnosis is missing"):
        complete_truth(replace(case, lesions=(*case.lesions, other)), DEFAULT_CLASSES)


def test_an_infection_in_a_case_without_infection_is_refused() -> None:
    with pytest.raises(CaseError, match="field diagnosis is no_infection_found"):
        complete_truth(study(diagnosis="no_infection_found"), DEFAULT_CLASSES)


def test_an_infection_mark_takes_the_type_of_the_diagnosis() -> None:
    case = study("influenza_a", diagnosis="covid19")
    clear = MarkedLesion(8, "irrelevant", np.array([0.0, 0.0, 0.0, 3.0, 3.0, 3.0]))
    found = complete_truth(replace(case, lesions=(*case.lesions, clear)), DEFAULT_CLASSES)
    assert [lesion.label for lesion in found.lesions] == ["covid19", "irrelevant"]


def test_a_finding_that_the_mask_does_not_show_is_drawn_beside_those_it_shows() -> None:
    mask = np.zeros(SHAPE, dtype=np.uint8)
    mask[2:8, 10:20, 10:20] = 1
    added = MarkedLesion(0, "covid19", np.array([2.0, 24.0, 24.0, 8.0, 32.0, 32.0]))
    case = study()
    shown = replace(case.lesions[0], number=1)
    found = complete_truth(replace(case, infection=mask, lesions=(shown, added)), DEFAULT_CLASSES)
    assert [lesion.number for lesion in found.lesions] == [1, 2]
    assert (found.infection == 1).sum() == mask.sum()
    assert found.infection[5, 28, 28] == 2
    assert not (mask == 2).any(), "the mask that was given is left alone"

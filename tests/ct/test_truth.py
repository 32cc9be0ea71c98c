"""The labelling rule that replaces the two radiologists."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pneumoscreen.ct.phantoms.phantom import Lesion, Phantom
from pneumoscreen.ct.truth import infection_lesions, label_patch, label_region
from pneumoscreen.images.volume import Volume

SHAPE = (10, 60, 60)


def box_of(z, y, x):
    return np.array([z[0] - 0.5, y[0] - 0.5, x[0] - 0.5, z[1] - 0.5, y[1] - 0.5, x[1] - 0.5])


@pytest.fixture
def case() -> Phantom:
    """A 1 mm cube of lung with a 12 mm infection (1), an 8 mm irrelevant finding (2) and a 4 mm infection (3)."""
    numbers = np.zeros(SHAPE, np.uint8)
    numbers[2:6, 10:22, 10:22] = 1
    numbers[2:6, 40:48, 40:48] = 2
    numbers[3:5, 10:14, 50:54] = 3
    volume = Volume(
        hu=np.full(SHAPE, -850, np.int16),
        spacing_mm=(1.0, 1.0, 5.0),
        origin_mm=(0.0, 0.0, 0.0),
        direction=np.eye(3),
        case_id="cube",
        source=Path("cube.nii.gz"),
        sha256="0" * 64,
    )
    lesions = (
        Lesion(1, "covid19", "ground glass", box_of((2, 6), (10, 22), (10, 22))),
        Lesion(2, "irrelevant", "nodule", box_of((2, 6), (40, 48), (40, 48))),
        Lesion(3, "covid19", "ground glass", box_of((3, 5), (10, 14), (50, 54))),
    )
    return Phantom(volume, np.ones(SHAPE, np.uint8), numbers, lesions, "covid19")


def test_a_tight_box_is_pneumonia_of_the_diagnosed_type(case):
    box = case.lesions[0].box
    assert label_region(box, case) == "covid19"
    assert label_patch(box, 4, case) == "covid19"
    influenza = replace(case, diagnosis="influenza_a")
    assert label_region(box, influenza) == "influenza_a"


def test_an_irrelevant_finding_and_plain_lung_are_irrelevant(case):
    for box in (case.lesions[1].box, box_of((2, 6), (30, 40), (0, 10))):
        assert label_region(box, case) == "irrelevant"
        assert label_patch(box, 4, case) == "irrelevant"


def test_a_small_lesion_in_a_loose_box_is_seen(case):
    loose = box_of((0, 10), (0, 60), (0, 60))
    only_small = replace(case, infection=np.where(case.infection == 3, 3, 0).astype(np.uint8), lesions=case.lesions[2:])
    assert label_region(loose, only_small) == "covid19"


def test_a_grazed_corner_of_a_lesion_is_not(case):
    grazing = box_of((2, 6), (20, 40), (20, 40))  # 4 of 400 voxels of a slice, a 36th of the lesion
    assert label_region(grazing, case) == "irrelevant"
    assert label_patch(grazing, 4, case) == "irrelevant"


def test_a_patch_is_judged_in_its_own_slice(case):
    box = box_of((0, 10), (10, 22), (10, 22))
    assert [label_patch(box, z, case) for z in (1, 2, 5, 6)] == ["irrelevant", "covid19", "covid19", "irrelevant"]


def test_a_section_too_small_to_be_read_counts_by_its_share_only(case):
    loose = box_of((0, 10), (0, 30), (32, 60))  # holds all of lesion 3: 16 of 840 mm2, below 20 mm2
    assert label_patch(loose, 4, case) == "irrelevant"
    assert label_patch(case.lesions[2].box, 4, case) == "covid19"


def test_boxes_beyond_the_scan_are_cut_to_it(case):
    assert label_region(np.array([-50.0, -50, -50, 50, 200, 200]), case) == "covid19"
    assert label_region(np.array([50.0, 50, 50, 60, 70, 70]), case) == "irrelevant"
    with pytest.raises(IndexError, match="slice 10"):
        label_patch(case.lesions[0].box, 10, case)


def test_a_contradiction_in_the_truth_is_not_passed_over(case):
    with pytest.raises(ValueError, match="no_infection_found"):
        label_region(case.lesions[0].box, replace(case, diagnosis="no_infection_found"))
    assert [lesion.number for lesion in infection_lesions(case)] == [1, 3]

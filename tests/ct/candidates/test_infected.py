"""Infected millilitres of regions: each voxel once, each in its own lung."""

from pathlib import Path

import numpy as np
import pytest

from pneumoscreen.ct.candidates.infected import infected_ml, lung_infos
from pneumoscreen.ct.lungs.segmentation import Lungs
from pneumoscreen.images.volume import LEFT, RIGHT, Volume

SHAPE = (4, 10, 20)


@pytest.fixture
def volume() -> Volume:
    hu = np.zeros(SHAPE, dtype=np.int16)
    return Volume(hu, (2.0, 5.0, 10.0), (0.0, 0.0, 0.0), np.eye(3), "toy", Path("toy"), "0" * 64)


@pytest.fixture
def lungs() -> Lungs:
    labels = np.full(SHAPE, LEFT, dtype=np.uint8)
    labels[:, :, :10] = RIGHT
    labels[:, 0] = 0
    return Lungs(labels)


def test_a_voxel_counts_in_the_first_box_that_holds_it(volume: Volume, lungs: Lungs) -> None:
    infection = np.zeros(SHAPE, dtype=bool)
    infection[1:3, 2:6, 12:16] = True  # 32 voxels of 0.1 ml, in the left lung
    first, second = np.array([0.5, 1.5, 11.5, 2.5, 3.5, 15.5]), np.array([-0.5, -0.5, 9.5, 3.5, 9.5, 19.5])
    assert infected_ml(volume, lungs, infection, [first, second], ["left", "left"]) == pytest.approx([1.6, 1.6])
    assert infected_ml(volume, lungs, infection, [second, first], ["left", "left"]) == pytest.approx([3.2, 0.0])


def test_only_the_regions_own_lung_counts(volume: Volume, lungs: Lungs) -> None:
    infection = np.ones(SHAPE, dtype=bool)
    whole = np.array([-0.5, -0.5, -0.5, 3.5, 9.5, 19.5])
    # 4 x 9 x 10 voxels of 0.1 ml in each lung; the row outside both counts nowhere.
    assert infected_ml(volume, lungs, infection, [whole, whole], ["left", "right"]) == pytest.approx([36.0, 36.0])


def test_lungs_that_are_not_in_view_are_left_out(volume: Volume, lungs: Lungs) -> None:
    only_right = Lungs(np.where(lungs.labels == RIGHT, lungs.labels, 0).astype(np.uint8))
    infos = lung_infos(volume, only_right)
    assert set(infos) == {"right"}
    assert infos["right"].volume_ml == pytest.approx(36.0) and infos["right"].affected_percent == 0.0

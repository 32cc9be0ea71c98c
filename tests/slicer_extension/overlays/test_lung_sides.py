"""The side of a new box comes from the lungs under it, also where the midline lies far from x = 0."""

import numpy as np
import pytest
import SimpleITK as sitk
from tests.slicer_extension.chest import chest

from PneumoScreenLib.overlays.masks import Masks
from PneumoScreenLib.reading.region_changes import side_of
from PneumoScreenLib.scene.volumes import load_volume
from PneumoScreenLib.session.case_view import CaseView

EDGES = (20.0, 20.0, 20.0)
MIDLINE = 30.0
"""x of the border between the lungs (LPS, mm): a chest that is pushed to the patient's left."""


def lungs(stored="LPS", oblique_degrees=0.0, midline=MIDLINE):
    """Right lung up to 10 mm before the midline, left lung from 10 mm behind it; infection in the left one."""
    image = chest(oblique_degrees)
    angle = np.radians(oblique_degrees)
    k, _, i = np.meshgrid(*(np.arange(n) for n in image.GetSize()[::-1]), indexing="ij")
    x = (i - (image.GetSize()[0] - 1) / 2) * image.GetSpacing()[0]
    values = np.zeros(x.shape, np.uint8)
    values[(x > midline + 10) & (x < 100)], values[(x < midline - 10) & (x > -100)] = 1, 2
    values[(x > midline + 20) & (x < midline + 60) & (k > 30)] = 3
    labels = sitk.GetImageFromArray(values)
    labels.CopyInformation(image)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    return sitk.DICOMOrient(labels, stored), turn


@pytest.fixture
def sides(stage, write_chest, tmp_path):
    def load(stored="LPS", oblique_degrees=0.0, midline=MIDLINE):
        load_volume(str(write_chest(stored, oblique_degrees)), "chest")
        view = CaseView(stage.double.scene)
        labels, turn = lungs(stored, oblique_degrees, midline)
        sitk.WriteImage(labels, str(tmp_path / "masks.nrrd"))
        view.show_masks(str(tmp_path / "masks.nrrd"))
        return lambda center, size=EDGES: view.side_of(tuple(turn @ center), size)

    return load


@pytest.mark.parametrize(("stored", "oblique_degrees"), [("LPS", 0.0), ("RAI", 0.0), ("LPS", 15.0)])
def test_the_lung_under_the_box_counts_and_not_the_half_of_the_scan(sides, stored, oblique_degrees):
    side = sides(stored, oblique_degrees)
    assert side((12.0, 0.0, -40.0)) == "right", "left of x = 0, but in the right lung"
    assert side_of((12.0, 0.0, -40.0), ()) == "left", "as it was guessed"
    assert side((45.0, 0.0, -40.0)) == "left"
    assert side((29.0, 0.0, -40.0), (40.0, 20.0, 20.0)) == "right"
    assert side((33.0, 0.0, -40.0), (40.0, 20.0, 20.0)) == "left"


def test_without_lung_in_the_box_the_nearest_lung_counts(sides):
    side = sides()
    assert side((27.0, 0.0, -40.0), (6.0, 6.0, 6.0)) == "right"
    assert side((33.0, 0.0, -40.0), (6.0, 6.0, 6.0)) == "left"
    assert side((70.0, 0.0, 60.0)) == "left", "all infection"
    assert side((-140.0, 0.0, 0.0)) == "right", "beyond the scan"


def test_without_masks_nothing_is_said(stage):
    assert CaseView(stage.double.scene).side_of((0.0, 0.0, 0.0), EDGES) is None


def test_masks_without_lungs_say_nothing_and_the_next_case_forgets(stage, sides, write_chest, tmp_path):
    assert sides(midline=300.0)((12.0, 0.0, 0.0)) == "right"
    masks = Masks(stage.double.scene, stage.background.later)
    empty = chest() * 0
    sitk.WriteImage(sitk.Cast(empty, sitk.sitkUInt8), str(tmp_path / "empty.nrrd"))
    masks.show(str(tmp_path / "empty.nrrd"))
    assert masks.sides.side_of((0.0, 0.0, 0.0), EDGES, np.eye(3)) is None
    masks.clear()
    assert masks.sides is None

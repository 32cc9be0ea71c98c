"""Radiographs: told from scans, and shown with the boxes where the lungs are."""

import numpy as np
import pytest
import slicer.util

from PneumoScreenLib.scene.radiograph import BOX_COLOURS, is_radiograph, radiograph_picture

BOXES = {"right": (4.0, 6.0, 20.0, 30.0), "left": (36.0, 10.0, 16.0, 24.0)}
"""The patient's right lung is on the left of a frontal view."""


@pytest.fixture
def radiograph(stage):
    values = np.full((1, 48, 64), 1000, np.uint16)
    values[0, 6:36, 4:24] = 200
    values[0, 10:34, 36:52] = 300
    return slicer.util.addVolumeFromArray(values, nodeClassName="vtkMRMLScalarVolumeNode")


def test_a_single_picture_is_a_radiograph_and_a_stack_is_none(radiograph):
    assert is_radiograph(radiograph)
    assert not is_radiograph(slicer.util.addVolumeFromArray(np.zeros((4, 5, 6), np.int16)))
    assert not is_radiograph(None)


def test_each_lung_is_framed_where_it_lies_in_the_picture(radiograph):
    picture = radiograph_picture(radiograph, BOXES)
    assert picture.shape == (48, 64, 3) and picture.dtype == np.uint8
    for side, (left, top, width, height) in BOXES.items():
        rows, columns = np.nonzero((picture == BOX_COLOURS[side]).all(axis=2))
        assert (columns.min(), rows.min()) == (left, top)
        assert (columns.max() + 1, rows.max() + 1) == (left + width, top + height)
    assert (picture[20, 14] < picture[2, 60]).all(), "the lung is dark, the rest bright, as stored"


def test_a_box_that_leaves_the_picture_is_cut(radiograph):
    picture = radiograph_picture(radiograph, {"left": (50.0, 40.0, 100.0, 100.0)})
    rows, columns = np.nonzero((picture == BOX_COLOURS["left"]).all(axis=2))
    assert (columns.max(), rows.max()) == (63, 47)

"""The doubles themselves: they must behave as Slicer does where the extension leans on them."""

import numpy as np
import pytest
import slicer
import slicer.util
from tests.slicer_extension.doubles.headless_views import tile


def test_views_draw_the_same_picture_twice(stage, write_chest):
    volume = slicer.util.loadVolume(str(write_chest("LPS")))
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    first = stage.axial.pixels()
    assert np.ptp(first) > 100 and np.array_equal(first, stage.axial.pixels())


def test_the_layout_hands_out_its_views(stage):
    layout = slicer.app.layoutManager()
    assert list(layout.sliceViewNames()) == ["Red", "Green", "Yellow"]
    assert layout.sliceWidget("Green").mrmlSliceNode().GetOrientation() == "Coronal"
    assert layout.sliceWidget("Blue") is None and layout.threeDViewCount == 1


def test_a_missing_file_raises_as_in_slicer(stage, tmp_path):
    with pytest.raises(RuntimeError):
        slicer.util.loadVolume(str(tmp_path / "none.nrrd"))


def test_pictures_are_put_side_by_side():
    black, white = np.zeros((2, 3, 3), np.uint8), np.full((2, 3, 3), 255, np.uint8)
    whole = tile([black, white, white, black], 2)
    assert whole.shape == (4, 6, 3) and whole[0, 5, 0] == 255 and whole[3, 5, 0] == 0

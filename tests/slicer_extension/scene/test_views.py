import numpy as np
import pytest
from tests.slicer_extension.chest import LESION_LPS

from PneumoScreenLib.contract import lps_to_ras
from PneumoScreenLib.scene.views import crosses, jump_to
from PneumoScreenLib.scene.volumes import load_volume


@pytest.mark.parametrize("stored", ["LPS", "RAI"])
def test_all_views_go_to_a_point(stage, write_chest, stored):
    load_volume(str(write_chest(stored)), "chest")
    stage.space.fit()
    camera = stage.space.renderer.GetActiveCamera()
    direction, distance = camera.GetDirectionOfProjection(), camera.GetDistance()
    before = [view.place_of(lps_to_ras(LESION_LPS)) for view in stage.slices]
    jump_to(LESION_LPS)
    planes = [view.node.GetSliceToRAS().GetElement(axis, 3) for view, axis in zip(stage.slices, (2, 1, 0), strict=True)]
    assert np.allclose(planes, [45, -30, -62])
    after = [view.place_of(lps_to_ras(LESION_LPS)) for view in stage.slices]
    assert np.allclose(after, before, atol=1), "scrolled, not moved sideways"
    assert np.allclose(camera.GetFocalPoint(), lps_to_ras(LESION_LPS))
    assert np.allclose(camera.GetDirectionOfProjection(), direction) and np.isclose(camera.GetDistance(), distance)


def test_a_plane_cuts_the_boxes_that_reach_it(stage):
    jump_to((0, 0, 10))
    centers, sizes = np.array([[0, 0, 14.0], [0, 0, 16.0], [90, 9, 10]]), np.full((3, 3), 10.0)
    assert crosses(stage.axial.node, centers, sizes, np.eye(3)).tolist() == [True, False, True]
    # Turned by 45 degrees about the x axis, a box reaches further up.
    half = np.sqrt(0.5)
    turned = np.array([[1, 0, 0], [0, half, -half], [0, half, half]])
    assert crosses(stage.axial.node, centers, sizes, turned).tolist() == [True, True, True]


def test_a_point_outside_of_the_picture_is_brought_into_it(stage, write_chest):
    load_volume(str(write_chest("LPS")), "chest")
    fov = stage.axial.node.GetFieldOfView()
    stage.axial.node.SetFieldOfView(20.0, 20.0, fov[2])
    jump_to(LESION_LPS)
    assert np.allclose(stage.axial.place_of(lps_to_ras(LESION_LPS)), 160, atol=1)

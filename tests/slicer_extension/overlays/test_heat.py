"""The Grad-CAM of a radiograph: warm where most spoke for the verdict, and the grey picture everywhere else."""

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
import slicer.util
import vtk

from PneumoScreenLib.overlays.heat import Heat
from PneumoScreenLib.scene.radiograph import TAKEN, radiograph_picture, taken
from PneumoScreenLib.scene.volumes import SceneError, load_volume
from PneumoScreenLib.session.case_view import CaseView

SIZE = (64, 48)
HOT = (slice(30, 40), slice(44, 58))
"""Rows and columns: low in the picture, on its right, which is the patient's left."""


@pytest.fixture
def write_heat(tmp_path):
    def write(size=SIZE, kind=np.uint8, depth=1):
        values = np.zeros((depth, size[1], size[0]), kind)
        scale = size[0] / SIZE[0]
        rows, columns = (slice(round(part.start * scale), round(part.stop * scale)) for part in HOT)
        values[:, rows, columns] = 255
        path = tmp_path / "masks.nrrd"
        sitk.WriteImage(sitk.GetImageFromArray(values), str(path))
        return str(path)

    return write


@pytest.fixture
def radiograph(tmp_path):
    """A grey radiograph of pixels that are not square and lie anywhere."""
    grey = np.full((1, SIZE[1], SIZE[0]), 2000, np.uint16)
    grey[0, ::2] = 3000
    grey[0, :, :4] = 0
    image = sitk.GetImageFromArray(grey)
    image.SetSpacing((1.5, 2.0, 1.0))
    image.SetOrigin((-20.0, 35.0, 7.0))
    path = tmp_path / "radiograph.nrrd"
    sitk.WriteImage(image, str(path))
    return str(path)


@pytest.fixture
def view(stage, radiograph):
    view = CaseView(stage.double.scene)
    view.open(radiograph, "cxr-1")
    return view


def test_what_did_not_speak_is_not_seen_and_what_spoke_most_is_the_warmest():
    found = taken(np.array([0, 128, 255]), 0.8)
    assert (found[0] == 0).all() and found[2] == pytest.approx(0.8 * np.array(TAKEN))
    assert (found[:, 0] == 0).all(), "the radiograph's own light stays"
    assert (np.diff(found[:, 1]) > 0).all() and (found[1:, 2] > found[1:, 1]).all()


@pytest.mark.parametrize("size", [SIZE, (32, 24), (128, 96)])
def test_the_panels_picture_is_warm_there_and_grey_elsewhere(view, write_heat, size):
    before = view.xray_picture({})
    view.show_masks(write_heat(size))
    assert view.has_heat
    picture = view.xray_picture({}).astype(int)
    inside = picture[HOT[0], HOT[1]][2:-2, 2:-2]
    assert (inside[..., 0] - inside[..., 2] > 60).all()
    away = np.ones(picture.shape[:2], bool)
    away[28:42, 42:60] = False
    assert (picture[away] == before[away]).all()
    assert np.ptp(inside[:, 0], axis=0).max() > 60, "the radiograph is seen through it"
    view.set_heat_visible(False)
    assert (view.xray_picture({}) == before).all() and view.has_heat


@pytest.mark.parametrize("size", [SIZE, (32, 24)])
def test_the_slice_view_is_warm_at_the_same_place(stage, view, write_heat, size):
    for each in stage.slices:
        each.logic.FitSliceToBackground()
    grey = stage.axial.pixels().astype(int)
    assert (np.ptp(grey, axis=2) == 0).mean() > 0.9 and grey.max() > 200, "shown with its own greys"
    view.show_masks(write_heat(size))
    drawn = stage.axial.pixels().astype(int)
    is_warm = drawn[..., 0] - drawn[..., 2] > 60
    rows, columns = np.nonzero(is_warm)
    matrix = vtk.vtkMatrix4x4()
    view.volume.GetIJKToRASMatrix(matrix)
    edges = ((HOT[0].start, HOT[1].start), (HOT[0].stop, HOT[1].stop))
    corners = [
        stage.axial.place_of(matrix.MultiplyPoint((column - 0.5, row - 0.5, 0.0, 1.0))[:3]) for row, column in edges
    ]
    height = drawn.shape[0] - 1
    xs, ys = sorted(corner[0] for corner in corners), sorted(height - corner[1] for corner in corners)
    pixel = 320 / (SIZE[0] * 1.5) * 2.0
    assert np.abs(np.array([columns.min(), columns.max()]) - xs).max() <= 1.5 * pixel
    assert np.abs(np.array([rows.min(), rows.max()]) - ys).max() <= 1.5 * pixel
    cold = stage.axial.place_of(matrix.MultiplyPoint((10, 10, 0, 1))[:3])
    place = height - round(cold[1]), round(cold[0])
    assert (drawn[place] == grey[place]).all()
    view.set_heat_visible(False)
    assert (stage.axial.pixels() == grey).all()
    view.set_heat_visible(True)
    assert (stage.axial.pixels() == drawn).all()


@pytest.mark.parametrize("strength", [0.3, 0.8])
def test_the_slice_view_and_the_panel_say_the_same_and_the_more_the_more_spoke(stage, view, tmp_path, strength):
    """A ramp: neither has an edge, and both take as much at every place, as the slider says."""
    for each in stage.slices:
        each.logic.FitSliceToBackground()
    grey, before = stage.axial.pixels().astype(int), view.xray_picture({}).astype(int)
    ramp = np.tile(np.linspace(0, 255, SIZE[0]).astype(np.uint8), (1, SIZE[1], 1))
    path = str(tmp_path / "ramp.nrrd")
    sitk.WriteImage(sitk.GetImageFromArray(ramp), path)
    view.show_masks(path)
    view.set_heat_strength(strength)
    drawn, picture = stage.axial.pixels().astype(int), view.xray_picture({}).astype(int)
    matrix = vtk.vtkMatrix4x4()
    view.volume.GetIJKToRASMatrix(matrix)
    for column in range(8, SIZE[0] - 2, 6):
        x, y = stage.axial.place_of(matrix.MultiplyPoint((column, 20, 0.0, 1.0))[:3])
        place = grey.shape[0] - 1 - round(y), round(x)
        in_slice, in_panel = grey[place] - drawn[place], before[20, column] - picture[20, column]
        assert in_panel == pytest.approx(255 * taken(ramp[0, 20, column], strength), abs=1.0)
        assert in_slice == pytest.approx(in_panel, abs=0.03 * 255 * strength + 2.0)
    view.set_heat_strength(0.0)
    assert (stage.axial.pixels() == grey).all() and (view.xray_picture({}) == before).all()
    view.heat.hide(True)
    assert {each.composite.GetCompositing() for each in stage.slices} == {slicer.vtkMRMLSliceCompositeNode.Alpha}


def test_the_choice_outlives_the_case_and_nothing_is_left_behind(stage, view, write_heat, radiograph):
    view.set_heat_visible(False)
    for _ in range(2):
        view.show_masks(write_heat())
    assert view.heat.values is None and view.has_heat
    assert len(slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")) == 2
    assert view.heat.node.GetHideFromEditors() and not view.heat.node.GetSaveWithScene()
    view.open(radiograph, "cxr-2")
    assert not view.has_heat
    assert len(slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")) == 1
    assert all(each.composite.GetForegroundVolumeID() is None for each in stage.slices)


def test_what_is_no_grad_cam_leaves_the_one_before(stage, view, write_heat, tmp_path):
    view.show_masks(write_heat())
    node = view.heat.node
    for path in (write_heat(kind=np.int16), write_heat(depth=3)):
        with pytest.raises(SceneError, match="no Grad-CAM of a radiograph: screen the case again"):
            view.show_masks(path)
    (tmp_path / "rubbish.nrrd").write_text("no")
    with pytest.raises(SceneError, match="cannot read the Grad-CAM"):
        view.show_masks(str(tmp_path / "rubbish.nrrd"))
    assert view.heat.node is node
    assert len(slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")) == 2


def test_a_saved_scene_and_an_empty_one_do_no_harm(stage, write_heat):
    heat = Heat(stage.double.scene)
    heat.set_visible(True)
    heat.clear()
    heat.show(write_heat())
    stage.double.scene.RemoveNode(heat.node)
    heat.clear()
    assert heat.node is None


def test_lung_boxes_stay_on_top(stage, write_heat, radiograph):
    volume = load_volume(radiograph, "cxr-1")
    heat = np.full((SIZE[1], SIZE[0]), 255, np.uint8)
    boxes = {"left": (36.0, 10.0, 16.0, 24.0)}
    assert (radiograph_picture(volume, boxes, heat)[10, 36:52] == radiograph_picture(volume, boxes)[10, 36:52]).all()


def test_another_picture_in_a_view_has_no_grad_cam_over_it(stage, view, write_heat, radiograph):
    view.show_masks(write_heat())
    view.boxes.watch()
    node = view.heat.node.GetID()
    assert {each.composite.GetForegroundVolumeID() for each in stage.slices} == {node}
    foreign = slicer.util.addVolumeFromArray(np.zeros((1, 8, 8), np.int16))
    stage.axial.composite.SetBackgroundVolumeID(foreign.GetID())
    assert stage.axial.composite.GetForegroundVolumeID() is None
    assert stage.coronal.composite.GetForegroundVolumeID() == node
    stage.axial.composite.SetBackgroundVolumeID(view.volume.GetID())
    assert stage.axial.composite.GetForegroundVolumeID() == node
    view.leave()
    assert all(each.composite.GetForegroundVolumeID() is None for each in stage.slices)

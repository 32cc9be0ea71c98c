from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import slicer
from tests.slicer_extension.chest import LESION_LPS, LESION_SIZE, case_of, region

from PneumoScreenLib.boxes.boxes import Boxes
from PneumoScreenLib.contract import ReaderMark, lps_to_ras
from PneumoScreenLib.scene.colours import colour_of
from PneumoScreenLib.scene.views import NOWHERE, jump_to
from PneumoScreenLib.scene.volumes import load_volume

RIGHT = region("r2", np.array([-60.0, -10.0, 45.0]), np.array([30.0, 40.0, 24.0]), "influenza_a")


@pytest.fixture
def boxes(stage):
    boxes = Boxes(stage.double.scene, stage.background.later)
    boxes.heard = []
    for name in ("moved", "picked", "placed"):
        getattr(boxes, name).connect(lambda *told, name=name: boxes.heard.append((name, *told)))
    yield boxes
    boxes.clear()


@pytest.fixture
def shown(stage, boxes, write_chest):
    boxes.set_volume(load_volume(str(write_chest("RAI")), "chest"))
    boxes.show(case_of(region(), RIGHT), "r1")
    jump_to(LESION_LPS)
    stage.background.finish()
    for view in stage.slices:
        view.render()
    return boxes


def views_of(boxes, region_id):
    return ids_of(boxes.node(region_id))


def ids_of(node):
    """The views that any display of a node is for."""
    return {view for index in range(2) for view in node.GetNthDisplayNode(index).GetViewNodeIDs()}


def test_a_box_stands_where_its_region_is_and_says_what_it_is(shown):
    node = shown.node("r1")
    assert np.allclose(node.GetCenter(), lps_to_ras(LESION_LPS)) and np.allclose(node.GetSize(), LESION_SIZE)
    assert node.GetName() == "COVID-19 90 %"
    assert np.allclose(node.GetDisplayNode().GetSelectedColor(), colour_of("covid19"))


def test_only_a_box_that_is_edited_hears_the_mouse_and_has_handles(shown):
    def interactive():
        return [
            (not shown.node(r).GetLocked(), bool(shown.node(r).GetDisplayNode().GetHandlesInteractive()))
            for r in ("r1", "r2")
        ]

    assert interactive() == [(False, False), (False, False)]
    shown.edit(True)
    assert interactive() == [(True, True), (False, False)]
    shown.select("r2")
    assert interactive() == [(False, False), (False, False)], "another one is looked at, not moved"
    shown.edit(True)
    shown.edit(False)
    assert interactive() == [(False, False), (False, False)]


def test_nothing_is_written_or_painted_over_a_lesion(stage, shown):
    for region_id in ("r1", "r2"):
        for index in range(2):
            display = shown.node(region_id).GetNthDisplayNode(index)
            assert not display.GetPropertiesLabelVisibility() and not display.GetPointLabelsVisibility()
            assert display.GetFillOpacity() == 0.0
    with_box = stage.axial.pixels()
    shown.hide(True)
    assert not any(shown.node(r).GetNthDisplayNode(0).GetVisibility() for r in ("r1", "r2"))
    without = stage.axial.pixels()
    x, y = map(round, stage.axial.place_of(lps_to_ras(LESION_LPS)))
    inside = (slice(with_box.shape[0] - y - 6, with_box.shape[0] - y + 6), slice(x - 6, x + 6))
    assert np.array_equal(with_box[inside], without[inside]), "the lesion is seen as without its box"
    assert not np.array_equal(with_box, without)
    shown.hide(False)
    assert np.array_equal(stage.axial.pixels(), with_box)


def test_the_selected_box_is_named_beside_it_in_each_plane(stage, shown):
    (node,) = slicer.util.getNodesByClass("vtkMRMLMarkupsFiducialNode")
    assert node.GetNthControlPointLabel(0) == "COVID-19 90 %" and node.GetHideFromEditors()
    center, half = np.array(lps_to_ras(LESION_LPS)), np.array(LESION_SIZE) / 2
    places = [np.array(node.GetNthControlPointPositionWorld(index)) - center for index in range(3)]
    assert np.allclose(places[0], half * (1, 1, 0)) and np.allclose(places[2], half * (0, 1, 1))
    views = set(node.GetDisplayNode().GetViewNodeIDs())
    assert views == {view.node.GetID() for view in stage.slices}, "in space it would hide others"
    shown.select("r2")
    (node,) = slicer.util.getNodesByClass("vtkMRMLMarkupsFiducialNode")
    assert node.GetNthControlPointLabel(1) == "Influenza-A 90 %"
    shown.select(None)
    assert not slicer.util.getNodesByClass("vtkMRMLMarkupsFiducialNode")


def test_a_box_that_is_deleted_in_the_data_tree_is_told_once_slicer_is_done(stage, shown):
    told = []
    shown.deleted.connect(told.append)
    stage.double.scene.RemoveNode(shown.node("r2"))
    assert not told, "not amid the removal"
    stage.background.finish()
    assert told == [["r2"]]
    shown.show(case_of(region()), "r1")
    shown.show(case_of(), None)
    shown.clear()
    stage.background.finish()
    assert told == [["r2"]], "what goes by the panel's own hand is not told"


def test_a_mark_recolours_the_same_node(shown):
    node = shown.node("r2")
    marked = replace(RIGHT, reader=ReaderMark("irrelevant", "ann", "2026-11-22T10:00:00Z"))
    shown.show(case_of(region(), marked), "r1")
    assert shown.node("r2") is node and node.GetName() == "Irrelevant (reader)"
    assert np.allclose(node.GetDisplayNode().GetColor(), colour_of("irrelevant"))


def test_a_box_is_in_the_views_that_cut_it_and_the_selected_one_in_3d(stage, shown):
    axial, coronal, sagittal = (view.node.GetID() for view in stage.slices)
    space = stage.space.node.GetID()
    assert views_of(shown, "r1") == {axial, coronal, sagittal, space}
    assert views_of(shown, "r2") == {axial, NOWHERE}
    jump_to(RIGHT.center_mm)
    stage.background.finish()
    assert views_of(shown, "r2") == {axial, coronal, sagittal, NOWHERE}
    stage.axial.node.SetSliceOffset(100)
    assert axial not in views_of(shown, "r1") | views_of(shown, "r2")
    shown.select("r2")
    stage.background.finish()
    assert space in views_of(shown, "r2") and space not in views_of(shown, "r1")


def test_the_selected_box_is_drawn_before_anything_in_the_background(stage, boxes):
    boxes.show(case_of(region(), RIGHT), "r2")
    jump_to(RIGHT.center_mm)
    assert {view.node.GetID() for view in stage.slices} <= views_of(boxes, "r2")
    assert boxes.node("r1") is None


def test_a_click_into_a_box_picks_it_once_and_a_drag_does_not(stage, shown):
    inside = stage.axial.place_of(lps_to_ras(RIGHT.center_mm))
    stage.axial.click(*inside)
    assert shown.heard == [("picked", "r2")]
    stage.axial.drag(inside, (inside[0] + 20, inside[1]))
    stage.axial.click(*stage.axial.place_of((0, 0, 45)))
    stage.axial.click(*stage.axial.place_of(lps_to_ras(LESION_LPS)))
    assert shown.heard == [("picked", "r2")]


def test_a_click_in_3d_picks_the_nearest_box_under_it(stage, boxes):
    front = region("front", np.array([0.0, -60.0, 0.0]), np.array([20.0, 20.0, 20.0]))
    back = region("back", np.array([0.0, 60.0, 0.0]), np.array([40.0, 40.0, 40.0]))
    boxes.show(case_of(back, front), None)
    stage.background.finish()
    stage.space.fit(azimuth=0, elevation=0)
    jump_to((0, 0, 0))
    stage.space.render()
    stage.space.click(160, 160)
    assert boxes.heard == [("picked", "front")]


def test_dragging_a_box_tells_its_new_place_once_and_in_lps(stage, shown):
    shown.edit(True)
    stage.axial.render()
    start = stage.axial.place_of(lps_to_ras(LESION_LPS))
    end = stage.axial.place_of(lps_to_ras(np.add(LESION_LPS, [10, -14, 0])))
    stage.axial.drag(start, end)
    ((name, moved, center, size),) = shown.heard
    assert (name, moved) == ("moved", "r1")
    assert np.allclose(center, np.add(LESION_LPS, [10, -14, 0]), atol=1.0) and np.allclose(size, LESION_SIZE)


def test_dragging_a_side_resizes_the_box(stage, shown):
    shown.edit(True)
    stage.axial.render()
    side = np.add(LESION_LPS, [LESION_SIZE[0] / 2, 0, 0])
    start, end = (stage.axial.place_of(lps_to_ras(np.add(side, [shift, 0, 0]))) for shift in (3, 12))
    stage.axial.drag(start, end)
    ((name, _, center, size),) = shown.heard
    assert name == "moved" and np.allclose(size, np.add(LESION_SIZE, [9, 0, 0]), atol=1.5)
    assert np.allclose(center, np.add(LESION_LPS, [4.5, 0, 0]), atol=1.0)


def test_an_undone_drag_puts_the_box_back(stage, shown):
    shown.edit(True)
    stage.axial.render()
    start = stage.axial.place_of(lps_to_ras(LESION_LPS))
    stage.axial.drag(start, (start[0] + 15, start[1]))
    shown.show(case_of(region(), RIGHT), "r1")
    assert np.allclose(shown.node("r1").GetCenter(), lps_to_ras(LESION_LPS))


def test_a_box_that_someone_took_out_of_the_scene_comes_back(stage, shown):
    stage.double.scene.RemoveNode(shown.node("r1"))
    shown.select("r1")
    assert stage.double.scene.IsNodePresent(shown.node("r1"))
    assert np.allclose(shown.node("r1").GetCenter(), lps_to_ras(LESION_LPS))


def test_a_new_box_is_placed_with_two_clicks(stage, shown):
    shown.place()
    for corner in ((20, -40, 45), (60, -70, 45)):
        stage.axial.click(*stage.axial.place_of(corner))
    ((name, center, size),) = shown.heard
    assert name == "placed" and np.allclose(center, (-40, 55, 45), atol=1.5)
    assert np.allclose(size[:2], (40, 30), atol=2.5) and size[2] >= 5
    names = [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLMarkupsROINode")]
    assert "new box" not in names


def placed_by_drag(stage, shown, view, start, end):
    shown.place()
    view.drag(view.place_of(start), view.place_of(end))
    stage.background.finish()
    ((name, center, size),) = shown.heard
    assert name == "placed"
    names = [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLMarkupsROINode")]
    assert "new box" not in names
    interaction = stage.double.scene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
    assert interaction.GetCurrentInteractionMode() == interaction.ViewTransform
    return center, size


@pytest.mark.parametrize("stored", ["LPS", "RAI"])
def test_a_new_box_is_placed_with_one_drag(stage, boxes, write_chest, stored):
    boxes.set_volume(load_volume(str(write_chest(stored)), "chest"))
    boxes.show(case_of(region()), "r1")
    jump_to(LESION_LPS)
    stage.background.finish()
    center, size = placed_by_drag(stage, boxes, stage.axial, (20, -40, 45), (60, -70, 45))
    assert np.allclose(center, (-40, 55, 45), atol=1.5) and np.allclose(size, (40, 30, 35), atol=2.5)


def test_a_drag_in_another_plane_gets_its_depth_there(stage, shown):
    # Of the coronal view, at y = 30 (LPS): dragged upwards and to the patient's right.
    center, size = placed_by_drag(stage, shown, stage.coronal, (-20, -30, 0), (20, -30, 60))
    assert np.allclose(center, (0, 30, 30), atol=1.5) and np.allclose(size, (40, 50, 60), atol=2.5)


def test_a_drag_shows_the_box_before_the_button_is_let_go(stage, shown):
    shown.place()
    start, end = (stage.axial.place_of(corner) for corner in ((20, -40, 45), (60, -70, 45)))
    before = stage.axial.pixels().astype(int)
    stage.axial.cursor_to(*map(round, start))
    stage.axial.interactor().LeftButtonPressEvent()
    stage.axial.cursor_to(*map(round, end))
    changed = np.abs(stage.axial.pixels().astype(int) - before).max(axis=2) > 60
    rows, columns = np.nonzero(changed)
    height = changed.shape[0] - 1
    assert abs(columns.min() - min(start[0], end[0])) < 12 and abs(height - rows.max() - min(start[1], end[1])) < 12
    stage.axial.interactor().LeftButtonReleaseEvent()
    stage.background.finish()
    assert len(shown.heard) == 1


def test_a_trembling_hand_still_makes_two_clicks(stage, shown):
    shown.place()
    for corner in ((20, -40, 45), (60, -70, 45)):
        x, y = stage.axial.place_of(corner)
        stage.axial.drag((x - 2, y), (x, y))
        stage.background.finish()
    ((name, center, size),) = shown.heard
    assert name == "placed" and np.allclose(center, (-40, 55, 45), atol=2.5)
    assert np.allclose(size[:2], (40, 30), atol=3.5)


def test_a_drag_that_comes_back_is_a_click(stage, shown):
    shown.place()
    x, y = map(round, stage.axial.place_of((20, -40, 45)))
    stage.axial.cursor_to(x, y)
    stage.axial.interactor().LeftButtonPressEvent()
    stage.axial.cursor_to(x + 30, y + 20)
    nodes = slicer.util.getNodesByClass("vtkMRMLMarkupsROINode")
    stage.axial.cursor_to(x, y)
    stage.axial.interactor().LeftButtonReleaseEvent()
    stage.background.finish()
    assert len(slicer.util.getNodesByClass("vtkMRMLMarkupsROINode")) == len(nodes) - 1 and not shown.heard
    stage.axial.click(*stage.axial.place_of((60, -70, 45)))
    assert np.allclose(shown.heard[0][1], (-40, 55, 45), atol=2.5)


def test_a_second_corner_that_is_dragged_ends_where_it_is_let_go(stage, shown):
    shown.place()
    stage.axial.click(*stage.axial.place_of((20, -40, 45)))
    end = stage.axial.place_of((60, -70, 45))
    stage.axial.drag((end[0] - 20, end[1] + 10), end)
    stage.background.finish()
    ((name, center, size),) = shown.heard
    assert name == "placed" and np.allclose(center, (-40, 55, 45), atol=2.5)
    assert np.allclose(size[:2], (40, 30), atol=3.5)


def test_a_placing_that_is_given_up_adds_nothing(stage, shown):
    shown.place()
    interaction = stage.double.scene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
    interaction.SetCurrentInteractionMode(interaction.ViewTransform)
    assert shown.heard == []
    assert stage.double.scene.GetNumberOfNodesByClass("vtkMRMLMarkupsROINode") == 2


def test_boxes_of_an_oblique_volume_are_turned_with_it(stage, boxes, write_chest):
    boxes.set_volume(load_volume(str(write_chest("RAI", 15)), "chest"))
    boxes.show(case_of(region()), "r1")
    c, s = np.cos(np.radians(15)), np.sin(np.radians(15))
    side = [0.0] * 3
    boxes.node("r1").GetXAxisWorld(side)
    assert np.allclose(np.abs(np.dot(side, [c, s, 0])), 1)
    assert np.allclose(boxes.node("r1").GetSize(), LESION_SIZE)


def test_the_next_case_has_its_own_boxes_and_nothing_of_the_last_stays(stage, shown):
    before, count = {shown.node("r1"), shown.node("r2")}, tree_of(stage).GetNumberOfItems()
    shown.clear()
    assert not any(ids_of(node) - {NOWHERE} for node in before if node.GetScene() is not None), "at once"
    stage.background.finish()
    assert not any(stage.double.scene.IsNodePresent(node) for node in before)
    assert not slicer.util.getNodesByClass("vtkMRMLMarkupsROIDisplayNode"), "views would go on drawing it"
    assert tree_of(stage).GetNumberOfItems() == count - 3, "a folder and two boxes"
    shown.show(case_of(region("x")), None)
    stage.background.finish()
    assert slicer.util.getNodesByClass("vtkMRMLMarkupsROINode") == [shown.node("x")]


def tree_of(stage):
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(stage.double.scene)


def test_boxes_stand_in_the_data_tree_in_a_folder_of_their_case_and_can_be_saved(stage, shown):
    tree = tree_of(stage)
    folder = tree.GetItemChildWithName(tree.GetSceneItemID(), "PneumoScreen chest")
    for name in ("r1", "r2"):
        node = shown.node(name)
        assert tree.GetItemParent(tree.GetItemByDataNode(node)) == folder
        assert (
            not node.GetHideFromEditors()
            and node.GetSaveWithScene()
            and node.GetAttribute("PneumoScreen.region") == name
        )


def test_a_loaded_scene_brings_no_second_set_of_boxes(stage, shown, tmp_path):
    path = str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(path)
    shown.clear()
    stage.double.scene.Clear(False)
    slicer.util.loadScene(path)
    assert len(slicer.util.getNodesByClass("vtkMRMLMarkupsROINode")) == 2, "they are saved with the scene"
    shown.show(case_of(region(), RIGHT), "r1")
    stage.background.finish()
    assert set(slicer.util.getNodesByClass("vtkMRMLMarkupsROINode")) == {shown.node("r1"), shown.node("r2")}


def test_200_boxes_stay_fluid(stage, boxes, write_chest):
    boxes.set_volume(load_volume(str(write_chest("LPS")), "chest"))
    rng = np.random.default_rng(0)
    regions = [
        region(f"r{i}", rng.uniform([-110, -80, -120], [110, 80, 120]), rng.uniform(12, 30, 3)) for i in range(200)
    ]
    boxes.show(case_of(*regions), "r0")
    stage.background.finish()
    slices = {view.node.GetID() for view in stage.slices}
    displays = {f"r{i}": boxes.node(f"r{i}").GetDisplayNode() for i in range(200)}
    touched: set[str] = set()
    for name, display in displays.items():
        display.AddObserver("ModifiedEvent", lambda caller, event, name=name: touched.add(name))
    for before, i in pairwise((0, 7, 50, 120, 199, 33, 80, 14)):
        seen = {name for name, display in displays.items() if slices & set(display.GetViewNodeIDs() or ())}
        assert 5 < len(seen) < 150, "some boxes are in sight, and not all"
        touched.clear()
        boxes.select(f"r{i}")
        jump_to(regions[i].center_mm)
        # Slicer makes or moves a widget for each that is touched, in milliseconds: what comes into sight waits.
        assert touched <= seen | {f"r{before}", f"r{i}"}
        stage.background.finish()
        for view in stage.slices:
            view.render()
    touched.clear()
    boxes.show(case_of(*regions[:-1], replace(regions[-1], label="irrelevant")), "r14")
    assert touched <= {"r14", "r199"}, "the one that changed, and the selected one"

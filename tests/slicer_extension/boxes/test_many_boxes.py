"""A case of 200 regions: its boxes come and go a few a turn of the event loop, and what a reader does comes first."""

from dataclasses import replace

import numpy as np
import pytest
import slicer
from tests.slicer_extension.chest import case_of, region

from PneumoScreenLib.background import MOST
from PneumoScreenLib.boxes.boxes import Boxes
from PneumoScreenLib.scene.colours import colour_of
from PneumoScreenLib.scene.views import NOWHERE
from PneumoScreenLib.scene.volumes import load_volume

COUNT = 200
FEW = 40
"""Enough where boxes are still missing after some turns."""


@pytest.fixture
def regions():
    rng = np.random.default_rng(0)
    return [
        region(f"r{i}", rng.uniform([-110, -80, -120], [110, 80, 120]), rng.uniform(12, 30, 3)) for i in range(COUNT)
    ]


@pytest.fixture
def boxes(stage, write_chest):
    boxes = Boxes(stage.double.scene, stage.background.later)
    boxes.set_volume(load_volume(str(write_chest("LPS")), "chest"))
    yield boxes
    boxes.close()


def nodes():
    return slicer.util.getNodesByClass("vtkMRMLMarkupsROINode")


def turn(stage):
    """One turn of the event loop: what waits by now, and not what it adds."""
    due, stage.background.waiting[:] = list(stage.background.waiting), []
    for work in due:
        work()


def turns(stage):
    """How many boxes there are more after each turn, until nothing waits."""
    steps = []
    while stage.background.waiting:
        before = len(nodes())
        turn(stage)
        steps.append(len(nodes()) - before)
    return steps


def planes_of(boxes, region_id):
    return {view for view in boxes.node(region_id).GetNthDisplayNode(0).GetViewNodeIDs() if "SliceNode" in view}


def pictures(stage):
    return [view.pixels() for view in (*stage.slices, stage.space)]


def test_the_selected_box_is_there_at_once_and_the_others_come_a_few_a_turn(stage, boxes, regions):
    boxes.show(case_of(*regions), "r150")
    assert nodes() == [boxes.node("r150")] and boxes.is_at_work
    steps = turns(stage)
    assert sum(steps) == COUNT - 1 and max(steps) <= MOST
    assert not boxes.is_at_work and len(nodes()) == COUNT


def test_what_the_planes_cut_comes_before_what_only_space_shows(stage, boxes, regions):
    boxes.show(case_of(*regions), None)
    stage.background.finish()
    cut = [bool(planes_of(boxes, node.GetAttribute("PneumoScreen.region"))) for node in nodes()]
    assert 5 < sum(cut) < 150 and cut == sorted(cut, reverse=True)


def test_boxes_are_made_where_no_view_shows_them(stage, boxes, regions):
    for view in stage.slices:
        view.composite.SetBackgroundVolumeID(None)
    stage.double.scene.RemoveNode(stage.space.node)
    boxes.show(case_of(*regions[:9]), None)
    stage.background.finish()
    assert len(nodes()) == 9, "they stand in the Data tree and are saved"


def test_the_nodes_are_told_once_all_are_there(stage, boxes, regions):
    told = []
    boxes.nodes_changed.connect(told.append)
    boxes.show(case_of(*regions[:30]), "r3")
    stage.background.finish()
    assert [len(each) for each in told] == [30]


def test_a_box_that_is_not_there_yet_is_made_when_it_is_selected(stage, boxes, regions):
    boxes.show(case_of(*regions[:FEW]), "r0")
    turn(stage)
    missing = next(each.id for each in reversed(regions[:FEW]) if boxes.node(each.id) is None)
    boxes.select(missing)
    assert boxes.node(missing).GetNthDisplayNode(0).GetOutlineOpacity() == 1.0
    boxes.edit(True)
    assert not boxes.node(missing).GetLocked()
    stage.background.finish()
    assert len(nodes()) == FEW


def test_a_region_that_is_corrected_or_deleted_before_its_box_is_there(stage, boxes, regions):
    boxes.show(case_of(*regions[:FEW]), "r0")
    turn(stage)
    labelled, moved, deleted = [each for each in regions[:FEW] if boxes.node(each.id) is None][-3:]
    corrected = {
        labelled.id: replace(labelled, label="irrelevant"),
        moved.id: replace(moved, center_mm=(1.0, 2.0, 3.0)),
    }
    kept = [corrected.get(each.id, each) for each in regions[:FEW] if each.id != deleted.id]
    boxes.show(case_of(*kept), labelled.id)
    assert np.allclose(boxes.node(labelled.id).GetDisplayNode().GetColor(), colour_of("irrelevant")), "at once"
    stage.background.finish()
    assert np.allclose(boxes.node(moved.id).GetCenter(), (-1.0, -2.0, 3.0))
    assert boxes.node(deleted.id) is None and len(nodes()) == FEW - 1
    boxes.show(case_of(*regions[:FEW]), labelled.id)
    stage.background.finish()
    assert len(nodes()) == FEW, "undone"


def test_a_box_that_comes_while_all_are_hidden_is_hidden(stage, boxes, regions):
    boxes.show(case_of(*regions[:30]), "r0")
    boxes.hide(True)
    stage.background.finish()
    displays = [node.GetNthDisplayNode(index) for node in nodes() for index in range(2)]
    assert len(displays) == 60 and not any(display.GetVisibility() for display in displays)
    boxes.hide(False)
    assert all(display.GetVisibility() for display in displays)


def test_a_case_that_is_left_is_seen_no_more_at_once_and_goes_a_few_boxes_a_turn(stage, boxes, regions):
    empty = pictures(stage)
    boxes.show(case_of(*regions), "r0")
    stage.background.finish()
    assert not any(map(np.array_equal, pictures(stage), empty))
    boxes.clear()
    assert len(nodes()) == COUNT and boxes.is_at_work, "to hide them is enough for one turn"
    assert all(map(np.array_equal, pictures(stage), empty))
    steps = turns(stage)
    assert min(steps) >= -MOST and not nodes() and not boxes.is_at_work
    assert not slicer.util.getNodesByClass("vtkMRMLMarkupsROIDisplayNode")
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(stage.double.scene)
    assert not tree.GetItemChildWithName(tree.GetSceneItemID(), "PneumoScreen chest")


def test_leaving_amid_the_filling_leaves_no_box(stage, boxes, regions):
    empty = pictures(stage)
    boxes.show(case_of(*regions[:FEW]), "r0")
    for _ in range(5):
        turn(stage)
    boxes.clear()
    boxes.set_volume(None)
    assert all(map(np.array_equal, pictures(stage), empty))
    assert all(step <= 0 for step in turns(stage)) and not nodes()


def test_the_next_case_takes_none_of_the_boxes_that_still_go(stage, boxes, regions, tmp_path):
    boxes.show(case_of(*regions[:FEW]), "r0")
    stage.background.finish()
    old = set(nodes())
    boxes.clear()
    # The same case again: its boxes are new ones, and the folder is theirs.
    boxes.show(case_of(*regions[:30]), "r1")
    assert len(nodes()) > 30, "nothing was removed in one turn"
    path = str(tmp_path / "scene.mrml")
    assert slicer.util.saveScene(path)
    stage.background.finish()
    assert not old & set(nodes()) and len(nodes()) == 30
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(stage.double.scene)
    folder = tree.GetItemChildWithName(tree.GetSceneItemID(), "PneumoScreen chest")
    assert tree.GetNumberOfItemChildren(folder) == 30
    boxes.clear()
    stage.double.scene.Clear(False)
    slicer.util.loadScene(path)
    assert len(nodes()) == 1, "only the box that was selected was there when the scene was saved"


def test_a_panel_that_goes_takes_its_boxes_along_in_one_turn(stage, boxes, regions):
    boxes.show(case_of(*regions[:FEW]), "r0")
    turn(stage)
    boxes.close()
    assert not nodes()
    stage.background.finish()
    assert not nodes()


def test_a_case_whose_regions_have_the_same_names_gets_boxes_of_its_own(stage, boxes, regions):
    boxes.show(case_of(*regions[:9]), "r0")
    stage.background.finish()
    old = set(nodes())
    boxes.show(replace(case_of(*regions[:9]), case_id="another"), "r0")
    stage.background.finish()
    assert len(nodes()) == 9 and not old & set(nodes())


def colours(boxes, regions):
    return [boxes.node(each.id).GetDisplayNode().GetColor() for each in regions]


def test_regions_that_change_together_are_drawn_a_few_a_turn_and_the_selected_one_at_once(stage, boxes, regions):
    boxes.show(case_of(*regions[:FEW]), "r30")
    stage.background.finish()
    changed = [replace(each, label="influenza_a") for each in regions[:FEW]]
    boxes.show(case_of(*changed), "r30")
    is_new = [np.allclose(each, colour_of("influenza_a")) for each in colours(boxes, changed)]
    assert is_new[30] and sum(is_new) <= MOST + 1 and boxes.is_at_work
    while stage.background.waiting:
        before = sum(is_new)
        turn(stage)
        is_new = [np.allclose(each, colour_of("influenza_a")) for each in colours(boxes, changed)]
        assert sum(is_new) <= before + MOST
    assert all(is_new) and not boxes.is_at_work


def test_a_box_that_waits_to_be_drawn_anew_is_drawn_as_its_region_stands_then(stage, boxes, regions):
    boxes.show(case_of(*regions[:FEW]), None)
    stage.background.finish()
    boxes.show(case_of(*(replace(each, label="influenza_a") for each in regions[:FEW])), None)
    again = [replace(each, label="irrelevant") for each in regions[:FEW]]
    boxes.show(case_of(*again), None)
    stage.background.finish()
    assert all(np.allclose(each, colour_of("irrelevant")) for each in colours(boxes, again))


def test_a_drag_of_a_box_that_waited_to_be_drawn_is_not_taken_back(stage, boxes, regions):
    boxes.show(case_of(*regions[:FEW]), None)
    stage.background.finish()
    moved = [replace(each, center_mm=tuple(np.add(each.center_mm, 1.0))) for each in regions[:FEW]]
    boxes.show(case_of(*moved), None)
    boxes.select(moved[-1].id)
    boxes.edit(True)
    boxes.node(moved[-1].id).SetCenter(1.0, 2.0, 3.0)
    stage.background.finish()
    assert np.allclose(boxes.node(moved[-1].id).GetCenter(), (1.0, 2.0, 3.0))


def test_what_waits_to_be_drawn_anew_touches_no_box_of_the_next_case(stage, boxes, regions):
    boxes.show(case_of(*regions[:FEW]), None)
    stage.background.finish()
    boxes.show(case_of(*(replace(each, label="influenza_a") for each in regions[:FEW])), None)
    boxes.clear()
    few = regions[:3]
    boxes.show(replace(case_of(*few), case_id="another"), None)
    stage.background.finish()
    assert len(nodes()) == 3
    assert not any(np.allclose(each, colour_of("influenza_a")) for each in colours(boxes, few))


def test_a_box_that_somebody_takes_out_while_it_waits_to_be_drawn_is_told_as_deleted(stage, boxes, regions):
    told = []
    boxes.deleted.connect(told.extend)
    boxes.show(case_of(*regions[:FEW]), None)
    stage.background.finish()
    boxes.show(case_of(*(replace(each, label="influenza_a") for each in regions[:FEW])), None)
    stage.double.scene.RemoveNode(boxes.node("r39"))
    stage.background.finish()
    assert told == ["r39"]


def test_the_boxes_of_a_case_that_is_left_are_hidden_a_number_a_turn_and_do_not_come_back(stage, boxes, regions):
    empty = pictures(stage)
    boxes.show(case_of(*regions), "r0")
    stage.background.finish()
    parts = boxes.withdraw()
    seen = []
    for _ in parts:
        displays = [node.GetNthDisplayNode(index) for node in nodes() for index in range(2)]
        seen.append(sum(NOWHERE not in display.GetViewNodeIDs() for display in displays))
        # The reader scrolls meanwhile.
        stage.axial.node.SetSliceOffset(stage.axial.node.GetSliceOffset() + 1.0)
    assert len(seen) > 2 and seen == sorted(seen, reverse=True) and seen[-1] == 0
    boxes.clear()
    stage.axial.node.SetSliceOffset(stage.axial.node.GetSliceOffset() - len(seen))
    assert all(map(np.array_equal, pictures(stage), empty))

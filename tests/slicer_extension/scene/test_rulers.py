"""Rulers: two clicks, a length, and nothing of them after the case."""

from typing import Any

import pytest
import slicer.util
from tests.slicer_extension.chest import LESION_LPS, case_of, region

from PneumoScreenLib.boxes.boxes import Boxes
from PneumoScreenLib.contract import lps_to_ras
from PneumoScreenLib.scene.rulers import Rulers
from PneumoScreenLib.scene.views import jump_to
from PneumoScreenLib.scene.volumes import load_volume


@pytest.fixture
def rulers(stage: Any, write_chest: Any) -> Any:
    load_volume(str(write_chest("LPS")), "a")
    made = Rulers(stage.double.scene)
    made.begin("a")
    return made


def lines() -> list[Any]:
    return list(slicer.util.getNodesByClass("vtkMRMLMarkupsLineNode"))


def test_two_clicks_measure_a_length(rulers: Any, stage: Any) -> None:
    view = stage.axial
    view.render()
    rulers.place()
    for ras in ((0.0, 0.0, 0.0), (40.0, 30.0, 0.0)):
        view.click(*view.place_of(ras))
    assert not rulers.is_placing and len(rulers.nodes) == 1
    (node,) = rulers.nodes
    assert node.GetMeasurement("length").GetValue() == pytest.approx(50.0, abs=2.0), "a pixel at each end"
    assert node.GetDisplayNode().GetPropertiesLabelVisibility() and not node.GetDisplayNode().GetPointLabelsVisibility()


def test_one_that_is_given_up_leaves_nothing(rulers: Any, stage: Any) -> None:
    rulers.place()
    rulers.place()
    assert len(lines()) == 1, "a second press begins anew"
    interaction = stage.double.scene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
    interaction.SetCurrentInteractionMode(interaction.ViewTransform)
    assert not lines() and not rulers.nodes and not rulers.is_placing


def test_they_hide_for_a_moment_and_go_with_the_case(rulers: Any, stage: Any) -> None:
    stage.axial.render()
    rulers.place()
    for ras in ((0.0, 0.0, 0.0), (40.0, 30.0, 0.0)):
        stage.axial.click(*stage.axial.place_of(ras))
    rulers.hide(True)
    assert not rulers.nodes[0].GetDisplayNode().GetVisibility()
    rulers.hide(False)
    assert rulers.nodes[0].GetDisplayNode().GetVisibility()
    rulers.place()
    rulers.begin("b")
    assert not lines() and not rulers.nodes
    interaction = stage.double.scene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
    assert interaction.GetCurrentInteractionMode() == interaction.ViewTransform


def test_an_end_of_a_ruler_over_a_box_chooses_no_region(rulers: Any, stage: Any) -> None:
    boxes = Boxes(stage.double.scene, stage.background.later)
    boxes.set_volume(slicer.util.getNode("a"))
    boxes.show(case_of(region("r1")), None)
    stage.background.finish()
    picked: list[str] = []
    boxes.picked.connect(picked.append)
    jump_to(LESION_LPS)
    stage.axial.render()
    place = stage.axial.place_of(lps_to_ras(LESION_LPS))
    rulers.place()
    stage.axial.click(*place)
    stage.axial.click(place[0] + 20, place[1])
    assert len(rulers.nodes) == 1 and not picked
    stage.axial.click(place[0] - 4, place[1] - 4)
    assert picked == ["r1"], "afterwards a click chooses again"


def test_without_a_case_there_is_nothing_to_measure(stage: Any) -> None:
    Rulers(stage.double.scene).place()
    assert not lines()

import json

import slicer
import slicer.util

from PneumoScreenLib.scene.keeping import Keeping

DRAFT = {"case": {"case_id": "a<b>&'\"%;"}, "note": "Größe 3 mm\nzweite Zeile | 日本", "base": 2}


def test_a_draft_comes_back_from_a_saved_scene(stage, tmp_path):
    Keeping(stage.double.scene).store('{"old": 1}')
    Keeping(stage.double.scene).store(json.dumps(DRAFT))
    path = str(tmp_path / "scene.mrml")
    assert slicer.util.saveScene(path)
    stage.double.scene.Clear(True)
    assert Keeping(stage.double.scene).load() is None
    slicer.util.loadScene(path)
    assert Keeping(stage.double.scene).load() == DRAFT


def test_a_submitted_draft_is_taken_out(stage):
    keeping = Keeping(stage.double.scene)
    keeping.store(None)
    keeping.store(json.dumps(DRAFT))
    keeping.store(None)
    assert keeping.load() is None


def test_a_damaged_draft_is_none(stage):
    keeping = Keeping(stage.double.scene)
    keeping.store(json.dumps(DRAFT))
    stage.double.scene.GetSingletonNode("PneumoScreen", "vtkMRMLScriptedModuleNode").SetParameter("draft", "{half")
    assert keeping.load() is None


def test_other_scripts_find_the_case_by_the_parameter_node(stage, write_chest):
    keeping = Keeping(stage.double.scene)
    volume = slicer.util.loadVolume(str(write_chest("LPS")))
    keeping.store(json.dumps(DRAFT))
    keeping.begin("chest", volume)
    roi = stage.double.scene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    keeping.set_regions([roi])
    node = stage.double.scene.GetSingletonNode("PneumoScreen", "vtkMRMLScriptedModuleNode")
    assert node.GetAttribute("ModuleName") == "PneumoScreen" and node.GetParameter("case") == "chest"
    assert node.GetNodeReference("volume") is volume and node.GetNodeReference("region") is roi
    assert keeping.load() == DRAFT, "the draft of a loaded scene waits until it is read"
    keeping.end()
    assert keeping.load() is None and node.GetNodeReference("volume") is None
    assert node.GetNumberOfNodeReferences("region") == 0 and not node.GetParameter("case")

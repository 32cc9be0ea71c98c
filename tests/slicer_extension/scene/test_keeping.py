import slicer
import slicer.util

from PneumoScreenLib.scene.keeping import Keeping

DRAFT = {"case": {"case_id": "a<b>&'\"%;"}, "note": "Größe 3 mm\nzweite Zeile | 日本", "base": 2}


def test_a_draft_comes_back_from_a_saved_scene(stage, tmp_path):
    Keeping(stage.double.scene).store({"old": 1})
    Keeping(stage.double.scene).store(DRAFT)
    path = str(tmp_path / "scene.mrml")
    assert slicer.util.saveScene(path)
    stage.double.scene.Clear(True)
    assert Keeping(stage.double.scene).load() is None
    slicer.util.loadScene(path)
    assert Keeping(stage.double.scene).load() == DRAFT


def test_a_submitted_draft_is_taken_out(stage):
    keeping = Keeping(stage.double.scene)
    keeping.store(None)
    keeping.store(DRAFT)
    keeping.store(None)
    assert keeping.load() is None


def test_a_damaged_draft_is_none(stage):
    keeping = Keeping(stage.double.scene)
    keeping.store(DRAFT)
    stage.double.scene.GetSingletonNode("PneumoScreen", "vtkMRMLScriptedModuleNode").SetParameter("draft", "{half")
    assert keeping.load() is None

"""The scene goes amid a reading, or somebody's scene comes: nothing of the case may lie over another patient."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.slicer_extension.cases import many
from tests.slicer_extension.doubles.headless_views import SliceView, ThreeDView
from tests.slicer_extension.doubles.running_panel import Panel, running_panel
from tests.slicer_extension.session.test_session import SAMPLE, read_a_case

from PneumoScreenLib.keys import KEYS
from PneumoScreenLib.reading.reading import Reading
from PneumoScreenLib.scene.views import NOWHERE


@pytest.fixture
def reading(tmp_path: Path) -> Iterator[Panel]:
    """A panel with views, in which a case is read and one region was corrected."""
    with running_panel(tmp_path) as panel:
        panel.views = [SliceView(panel.double, "Red", "Axial"), SliceView(panel.double, "Green", "Coronal")]
        panel.views.append(ThreeDView(panel.double))
        panel.show()
        read_a_case(panel)
        panel.session.correct("influenza_a")
        panel.settle()
        yield panel


def nodes(class_name: str) -> list[Any]:
    import slicer.util

    return list(slicer.util.getNodesByClass(class_name))


def another_patient() -> Any:
    """A volume as "Add Data" loads it: at once in all slice views."""
    import slicer.util

    values = np.zeros((44, 208, 208), np.int16)
    volume = slicer.util.addVolumeFromArray(values, name="another patient", nodeClassName="vtkMRMLScalarVolumeNode")
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    return volume


def press_all(panel: Panel) -> None:
    from PySide6.QtGui import QKeySequence
    from PySide6.QtTest import QTest

    for key in KEYS:
        QTest.keySequence(panel.window, QKeySequence(key))
        panel.settle()


def drafts_in_scene() -> list[str]:
    return [node.GetParameter("draft") for node in nodes("vtkMRMLScriptedModuleNode") if node.GetParameter("draft")]


def views_of_boxes(boxes: list[Any] | None = None) -> set[str]:
    boxes = nodes("vtkMRMLMarkupsROINode") if boxes is None else boxes
    displays = [node.GetNthDisplayNode(i) for node in boxes for i in range(2)]
    return {view for display in displays for view in display.GetViewNodeIDs()}


def test_a_closed_scene_leaves_nothing_to_the_next_patient(reading: Panel, caplog: pytest.LogCaptureFixture) -> None:
    (kept,) = Path(reading.session.drafts.folder).glob("*.json")
    before = kept.read_bytes()
    reading.double.scene.Clear(False)
    assert reading.session.case_id is None and reading.session.reading is None
    assert reading.session.view.volume is None
    assert not reading.ui.findingsFrame.visible and reading.ui.caseLabel.text == "No case is open"
    assert "unsubmitted work on phantom is kept" in reading.said

    volume = another_patient()
    press_all(reading)
    reading.session.view.boxes._sightings.update()
    reading.settle()
    assert nodes("vtkMRMLMarkupsROINode") == [] and nodes("vtkMRMLSegmentationNode") == []
    assert drafts_in_scene() == [] and kept.read_bytes() == before
    assert nodes("vtkMRMLScalarVolumeNode") == [volume]
    assert not [record for record in caplog.records if record.exc_info]


def settled(panel: Panel) -> list[Any]:
    """The boxes once nothing waits any more."""
    panel.wait(lambda: not panel.session.view.boxes.is_at_work)
    return nodes("vtkMRMLMarkupsROINode")


def test_a_scene_that_is_closed_amid_the_filling_leaves_no_box_to_the_next_patient(
    reading: Panel, caplog: pytest.LogCaptureFixture
) -> None:
    reading.session.show(Reading(many(), reader="dr-a"))
    reading.settle()
    assert 1 < len(nodes("vtkMRMLMarkupsROINode")) < 100
    reading.double.scene.Clear(False)
    volume = another_patient()
    press_all(reading)
    assert settled(reading) == [] and nodes("vtkMRMLScalarVolumeNode") == [volume]
    assert not [record for record in caplog.records if record.exc_info]
    read_a_case(reading)
    assert len(settled(reading)) == 3


def test_a_case_that_is_left_amid_the_filling_leaves_no_box_to_the_next_one(reading: Panel) -> None:
    reading.session.show(Reading(many(), reader="dr-a"))
    reading.settle()
    left = nodes("vtkMRMLMarkupsROINode")
    read_a_case(reading)
    assert not [node for node in left if node.GetScene() is not None and views_of_boxes([node]) - {NOWHERE}]
    assert len(settled(reading)) == 3


def test_a_case_can_be_read_again_after_the_scene_was_closed(reading: Panel) -> None:
    reading.double.scene.Clear(False)
    another = another_patient()
    read_a_case(reading)
    assert len(settled(reading)) == 3 and reading.double.scene.IsNodePresent(another)
    reading.session.correct("irrelevant")
    assert len(drafts_in_scene()) == 1


def test_a_scene_that_is_loaded_leaves_the_case(reading: Panel, tmp_path: Path) -> None:
    import slicer.util

    path = str(tmp_path / "other.mrml")
    assert slicer.util.saveScene(path)
    reading.session.correct("irrelevant")
    slicer.mrmlScene.SetURL(path)
    slicer.mrmlScene.Import(None)
    assert reading.session.case_id is None and reading.session.reading is None


def test_another_volume_in_the_views_has_none_of_the_boxes_over_it(reading: Panel) -> None:
    assert {view.node.GetID() for view in reading.views[:2]} <= views_of_boxes()
    own = reading.session.view.volume
    volume = another_patient()
    reading.settle()
    assert not {view.node.GetID() for view in reading.views[:2]} & views_of_boxes()
    reading.views[0].composite.SetBackgroundVolumeID(own.GetID())
    reading.session.view.look_at(reading.session.selected_region())
    reading.settle()
    assert reading.views[0].node.GetID() in views_of_boxes()
    assert reading.views[1].node.GetID() not in views_of_boxes()
    assert volume.GetAttribute("PneumoScreen.case") is None


def test_nothing_foreign_stays_over_the_next_case_and_no_foreign_volume_goes(reading: Panel) -> None:
    import slicer.util

    foreign = another_patient()
    # A scene of a colleague, who read with PneumoScreen, too.
    foreign.SetAttribute("PneumoScreen.case", "somebody's")
    slicer.util.setSliceViewerLayers(foreground=foreign, label=foreign)
    reading.session.open_sample(str(SAMPLE))
    composite = reading.views[0].composite
    assert composite.GetForegroundVolumeID() is None and composite.GetLabelVolumeID() is None
    assert composite.GetBackgroundVolumeID() == reading.session.view.volume.GetID()
    assert reading.double.scene.IsNodePresent(foreign)


def test_the_axes_of_the_boxes_are_those_of_the_case(reading: Panel) -> None:
    from PneumoScreenLib.scene.volumes import box_axes

    foreign = another_patient()
    foreign.SetAttribute("PneumoScreen.case", "phantom")
    foreign.SetIJKToRASDirections(0, 1, 0, -1, 0, 0, 0, 0, 1)
    reading.double.scene.RemoveNode(foreign)
    reading.double.scene.AddNode(foreign)
    assert reading.session.view.boxes._volume is reading.session.view.volume
    assert np.allclose(box_axes(reading.session.view.volume), np.eye(3))


def test_an_answer_for_a_case_that_was_left_touches_no_other(reading: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(reading.logic.asking, "run", lambda name, args, done, *rest: sent.append(done))
    monkeypatch.setattr(reading.logic.connection, "refresh", lambda: None)
    reading.logic.connection.server = {"user": "dr-a", "roles": ["reader"], "is_known": True}
    reading.session.is_on_server = True
    reading.session.correct("accept_rest")
    reading.logic.submission.submit(and_next=True)
    reading.double.scene.Clear(False)
    (submitted,) = sent
    submitted({"version": 1})
    assert len(sent) == 1, "no next case is opened into another scene"
    assert not list(Path(reading.session.drafts.folder).glob("*.json")), "what is submitted is no draft any more"

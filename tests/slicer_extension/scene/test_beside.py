"""A prior beside the open case: aligned, scrolled along, and all as before when it goes."""

from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
import slicer.util
from tests.slicer_extension.chest import chest

from PneumoScreenLib.scene.beside import Beside, air_middle
from PneumoScreenLib.scene.volumes import SceneError, load_volume

SHIFT = np.array([12.0, -20.0, 340.0])
"""LPS: how far away the frame of the prior lies."""


@pytest.fixture
def shown(stage: Any, write_chest: Any, tmp_path: Any) -> Any:
    """The chest, and the same chest elsewhere as its prior."""
    volume = load_volume(str(write_chest("LPS")), "a")
    image = chest()
    image.SetOrigin((np.array(image.GetOrigin()) + SHIFT).tolist())
    sitk.WriteImage(image, str(tmp_path / "prior.nrrd"))
    beside = Beside(stage.double.scene)
    stage.double.layout.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    beside.show(str(tmp_path / "prior.nrrd"), "prior", volume)
    return beside, volume


def test_two_axial_views_of_the_same_height(shown: Any, stage: Any) -> None:
    beside, volume = shown
    assert stage.double.layout.layout == slicer.vtkMRMLLayoutNode.SlicerLayoutSideBySideView
    assert stage.axial.composite.GetBackgroundVolumeID() == volume.GetID()
    assert stage.sagittal.composite.GetBackgroundVolumeID() == beside.volume.GetID()
    assert stage.sagittal.node.GetOrientation() == "Axial"
    first, second = stage.axial.pixels(), stage.sagittal.pixels()
    assert np.abs(first.astype(int) - second).mean() < 2.0, "the same place of both, at one scale"


def test_they_scroll_together(shown: Any, stage: Any) -> None:
    node = stage.axial.node
    # As a turn of the mouse's wheel does it: `vtkMRMLSliceLogic::StartSliceOffsetInteraction`.
    stage.axial.logic.StartSliceOffsetInteraction()
    stage.axial.logic.SetSliceOffset(35.0)
    stage.axial.logic.EndSliceOffsetInteraction()
    assert node.GetSliceOffset() == pytest.approx(35.0)
    assert stage.sagittal.node.GetSliceOffset() == pytest.approx(35.0)
    assert stage.coronal.node.GetSliceOffset() != pytest.approx(35.0)


def test_all_is_as_before_when_it_goes(shown: Any, stage: Any) -> None:
    beside, volume = shown
    beside.clear(volume)
    assert stage.double.layout.layout == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
    assert {view.composite.GetBackgroundVolumeID() for view in stage.slices} == {volume.GetID()}
    assert stage.sagittal.node.GetOrientation() == "Sagittal"
    assert not any(view.composite.GetLinkedControl() for view in stage.slices)
    assert len(slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")) == 1
    assert not slicer.util.getNodes("Prior to case")


def test_a_prior_that_cannot_be_read_changes_nothing(stage: Any, write_chest: Any, tmp_path: Any) -> None:
    volume, beside = load_volume(str(write_chest("LPS")), "a"), Beside(stage.double.scene)
    with pytest.raises(SceneError, match="cannot read the prior"):
        beside.show(str(tmp_path / "none.nrrd"), "prior", volume)
    assert beside.volume is None
    assert {view.composite.GetBackgroundVolumeID() for view in stage.slices} == {volume.GetID()}


def test_the_air_round_the_body_is_not_that_of_the_lungs(stage: Any, write_chest: Any) -> None:
    volume = load_volume(str(write_chest("RAI", 12.0)), "a")
    assert np.allclose(air_middle(volume)[2], 0.0, atol=6.0)
    assert np.linalg.norm(air_middle(volume)[:2]) < 70.0, "in the chest, not beside it"

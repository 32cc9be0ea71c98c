"""The lungs in the 3-D views: where they lie in the patient, transparent, with the infection in them."""

from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
import slicer.util
import vtk
from tests.slicer_extension.chest import STORED
from tests.slicer_extension.scene.test_colours import SIGHT, lab, linear

from PneumoScreenLib.contract import lps_to_ras
from PneumoScreenLib.overlays.masks import Masks

SPACING, SIZE = (2.0, 2.5, 3.0), (80, 70, 60)
LEFT_LPS, RADIUS = np.array([30.0, 5.0, 10.0]), 25.0


def write_masks(path: Any, stored: str = "LPS") -> None:
    """Two balls as lungs, a small one inside of the left as infection."""
    image = sitk.Image(SIZE, sitk.sitkUInt8)
    image.SetSpacing(SPACING)
    image.SetOrigin([-(n - 1) / 2 * s for n, s in zip(SIZE, SPACING, strict=True)])
    k, j, i = np.meshgrid(*(np.arange(n) for n in SIZE[::-1]), indexing="ij")
    places = np.stack([i, j, k], -1) * SPACING + image.GetOrigin()
    labels = np.zeros(k.shape, np.uint8)
    for value, centre, radius in ((1, LEFT_LPS, RADIUS), (2, LEFT_LPS * [-1, 1, 1], RADIUS), (3, LEFT_LPS, 9.0)):
        labels[((places - centre) ** 2).sum(-1) < radius**2] = value
    written = sitk.GetImageFromArray(labels)
    written.CopyInformation(image)
    sitk.WriteImage(sitk.DICOMOrient(written, stored), str(path))


@pytest.mark.parametrize("stored", STORED)
def test_the_surfaces_lie_where_the_masks_lie(stored: str, tmp_path: Any, stage: Any) -> None:
    write_masks(tmp_path / "masks.nrrd", stored)
    masks = Masks(stage.double.scene, stage.background.later)
    masks.show(str(tmp_path / "masks.nrrd"))
    stage.background.finish()
    lungs, infection = masks.surface.nodes
    bounds = [0.0] * 6
    lungs.GetRASBounds(bounds)
    wanted = [-30 - RADIUS, 30 + RADIUS, -5 - RADIUS, -5 + RADIUS, 10 - RADIUS, 10 + RADIUS]
    assert np.allclose(bounds, wanted, atol=3.0), "half a voxel of the coarsest axis, and the smoothing"
    infection.GetRASBounds(bounds)
    assert np.allclose(np.array(bounds).reshape(3, 2).mean(1), [-30, -5, 10], atol=1.0)
    assert lungs.GetDisplayNode().GetOpacity() < 0.3 < infection.GetDisplayNode().GetOpacity()


GROUNDS = {
    "Slicer's own": ((0.76, 0.76, 0.91), (0.46, 0.47, 0.75)),
    "black": ((0.0,) * 3,) * 2,
    "white": ((1.0,) * 3,) * 2,
}


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("sight", SIGHT)
def test_infection_is_told_from_lung_on_every_ground_and_with_every_sight(
    tmp_path: Any, stage: Any, ground: str, sight: str
) -> None:
    write_masks(tmp_path / "masks.nrrd")
    masks = Masks(stage.double.scene, stage.background.later)
    masks.show(str(tmp_path / "masks.nrrd"))
    stage.background.finish()
    lower, upper = GROUNDS[ground]
    stage.space.node.SetBackgroundColor(*lower)
    stage.space.node.SetBackgroundColor2(*upper)
    stage.space.fit(azimuth=0.0, elevation=0.0)
    pixels = stage.space.pixels() / 255.0

    def seen(point_lps: Any) -> Any:
        place = vtk.vtkCoordinate()
        place.SetCoordinateSystemToWorld()
        place.SetValue(*lps_to_ras(point_lps))
        x, y = place.GetComputedDisplayValue(stage.space.renderer)
        return pixels[pixels.shape[0] - 1 - y, x]

    infection, lung = seen(LEFT_LPS), seen(np.add(LEFT_LPS, (0.0, 0.0, 16.0)))
    assert infection[0] > infection[1] + 0.2 and infection[0] > infection[2] + 0.2, "red, as in the slice views"
    colours = [lab(np.array(SIGHT[sight]) @ linear(colour)) for colour in (infection, lung)]
    assert np.linalg.norm(colours[0] - colours[1]) > 20


def test_they_are_switched_hidden_and_gone_with_the_masks(tmp_path: Any, stage: Any) -> None:
    write_masks(tmp_path / "masks.nrrd")
    masks = Masks(stage.double.scene, stage.background.later)
    masks.show(str(tmp_path / "masks.nrrd"))
    stage.background.finish()
    before = stage.space.pixels()
    displays = [node.GetDisplayNode() for node in masks.surface.nodes]
    masks.hide(True)
    assert not any(display.GetVisibility() for display in displays)
    masks.hide(False)
    assert all(display.GetVisibility() for display in displays)
    masks.surface.set_visible(False)
    masks.hide(True)
    masks.hide(False)
    assert not any(display.GetVisibility() for display in displays), "switched off stays off"
    assert not np.array_equal(before, stage.space.pixels())
    masks.show(str(tmp_path / "masks.nrrd"))
    stage.background.finish()
    assert not masks.surface.nodes[0].GetDisplayNode().GetVisibility(), "also for the next case"
    masks.clear()
    names = [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLModelNode")]
    assert not [name for name in names if "surface" in name]


def test_masks_that_are_shown_anew_stay_out_of_the_views_of_another_patient(tmp_path: Any, stage: Any) -> None:
    write_masks(tmp_path / "masks.nrrd")
    masks = Masks(stage.double.scene, stage.background.later)
    masks.show(str(tmp_path / "masks.nrrd"))
    stage.background.finish()
    masks.show_in([stage.axial.node.GetID()])
    masks.show(str(tmp_path / "masks.nrrd"))
    stage.background.finish()
    assert stage.coronal.node.GetID() not in masks.node.GetDisplayNode().GetViewNodeIDs()
    assert masks.node.GetDisplayNode().GetViewNodeIDs()


def test_the_surfaces_come_a_turn_later_and_only_to_masks_that_are_still_there(tmp_path: Any, stage: Any) -> None:
    write_masks(tmp_path / "masks.nrrd")
    masks = Masks(stage.double.scene, stage.background.later)
    masks.show(str(tmp_path / "masks.nrrd"))
    assert masks.node.GetSegmentation().GetNumberOfSegments() == 3 and not masks.surface.nodes
    masks.clear()
    stage.background.finish()
    names = [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLModelNode")]
    assert not masks.surface.nodes and not [name for name in names if "surface" in name]
    masks.show(str(tmp_path / "masks.nrrd"))
    masks.hide(True)
    stage.background.finish()
    assert len(masks.surface.nodes) == 2
    assert not any(node.GetDisplayNode().GetVisibility() for node in masks.surface.nodes), "while all are hidden"
    masks.hide(False)
    assert all(node.GetDisplayNode().GetVisibility() for node in masks.surface.nodes)

"""Ground glass by its grey values: only inside the lungs, only over the case, and gone with it."""

from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
import slicer.util
import vtk
from tests.slicer_extension.chest import LESION_LPS, chest

from PneumoScreenLib.contract import lps_to_ras
from PneumoScreenLib.scene.views import layer_nodes
from PneumoScreenLib.session.case_view import CaseView

OUTSIDE = (100.0, 90.0, 0.0)
"""LPS: where the cube beside the body lies."""


@pytest.fixture
def scan(tmp_path: Any, stage: Any) -> Any:
    """The chest whose lesion is ground glass, with a cube of the same grey beside the body; its path, its masks."""
    image = chest()
    hu = sitk.GetArrayFromImage(image)
    x, y, z = (np.array(image.TransformPhysicalPointToContinuousIndex(LESION_LPS.tolist())).round()).astype(int)
    labels = np.zeros(hu.shape, np.uint8)
    lungs = hu < -800
    labels[lungs & (np.arange(hu.shape[2]) > hu.shape[2] / 2)] = 1
    labels[lungs & (np.arange(hu.shape[2]) <= hu.shape[2] / 2)] = 2
    # The air round the body is no lung.
    labels[:, [0, -1]] = 0
    labels[sitk.GetArrayFromImage(chest()) < -950] = 0
    lesion = (slice(z - 2, z + 3), slice(y - 2, y + 3), slice(x - 2, x + 3))
    hu[lesion] = -500
    labels[lesion] = 3
    hu[:, :3, :3] = -500
    for name, values in (("scan", hu), ("masks", labels)):
        written = sitk.GetImageFromArray(values)
        written.CopyInformation(image)
        sitk.WriteImage(written, str(tmp_path / f"{name}.nrrd"))
    return tmp_path, lesion


def shown(view: CaseView) -> np.ndarray:
    """What is coloured, on the voxels of the scan; the layer itself is no larger than the lungs."""
    found = slicer.util.arrayFromVolume(view.glass.node) > 0
    shift = np.subtract(view.glass.node.GetOrigin(), view.volume.GetOrigin()) / view.volume.GetSpacing()
    to_scan = vtk.vtkMatrix4x4()
    view.volume.GetIJKToRASDirectionMatrix(to_scan)
    first = np.rint([shift[axis] * to_scan.GetElement(axis, axis) for axis in range(3)]).astype(int)[::-1]
    whole = np.zeros(slicer.util.arrayFromVolume(view.volume).shape, bool)
    whole[tuple(slice(start, start + size) for start, size in zip(first, found.shape, strict=True))] = found
    return whole


def test_only_the_grey_values_and_only_inside_the_lungs_where_they_are_known(scan: Any) -> None:
    folder, lesion = scan
    view = CaseView()
    view.open(str(folder / "scan.nrrd"), "a")
    assert not view.toggle_ground_glass(), "no masks yet: it says that it does not know the lungs"
    assert shown(view)[lesion].all() and shown(view)[0, 0, 0], "all of the scan"
    view.show_masks(str(folder / "masks.nrrd"))
    assert shown(view)[lesion].all(), "what is infected is part of the lungs, though the masks give it another value"
    assert not shown(view)[0, 0, 0]
    hu = slicer.util.arrayFromVolume(view.volume)[shown(view)]
    assert hu.min() >= -750 and hu.max() <= -300


def test_it_lies_over_the_case_alone_and_goes_with_it(scan: Any, stage: Any) -> None:
    folder, _ = scan
    view = CaseView()
    view.open(str(folder / "scan.nrrd"), "a")
    view.boxes.watch()
    view.toggle_ground_glass()
    own = view.glass.node.GetID()
    assert {layers.GetLabelVolumeID() for layers in layer_nodes()} == {own}
    other = slicer.util.loadVolume(str(folder / "scan.nrrd"), {"show": False})
    stage.coronal.composite.SetBackgroundVolumeID(other.GetID())
    view.boxes.watch()
    assert stage.coronal.composite.GetLabelVolumeID() is None and stage.axial.composite.GetLabelVolumeID() == own
    view.show_masks(str(folder / "masks.nrrd"))
    assert stage.coronal.composite.GetLabelVolumeID() is None, "computed anew, and not over the other patient"
    view.hide_overlays(True)
    assert stage.axial.composite.GetLabelVolumeID() is None
    view.hide_overlays(False)
    assert stage.axial.composite.GetLabelVolumeID() == view.glass.node.GetID()
    view.leave()
    assert stage.axial.composite.GetLabelVolumeID() is None
    assert not slicer.util.getNodesByClass("vtkMRMLLabelMapVolumeNode")


def test_the_switch_holds_for_the_next_case_and_colours_the_view(scan: Any, stage: Any) -> None:
    folder, _ = scan
    view = CaseView()
    view.toggle_ground_glass()
    assert view.glass.node is None
    view.open(str(folder / "scan.nrrd"), "a")
    view.show_masks(str(folder / "masks.nrrd"))
    view.set_masks_visible(infection=False)
    ras = lps_to_ras(LESION_LPS.tolist())
    stage.axial.node.JumpSliceByOffsetting(*ras)
    x, y = map(round, stage.axial.place_of(ras))
    with_it = stage.axial.pixels()[320 - 1 - y, x].astype(int)
    view.toggle_ground_glass()
    without = stage.axial.pixels()[320 - 1 - y, x].astype(int)
    assert np.ptp(without) == 0 and with_it[0] > with_it[2] + 40, "amber over grey"


def test_a_radiograph_has_none(tmp_path: Any, stage: Any) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(np.full((1, 64, 64), 90, np.uint8)), str(tmp_path / "x.nrrd"))
    view = CaseView()
    view.open(str(tmp_path / "x.nrrd"), "x")
    view.toggle_ground_glass()
    assert view.glass.node is None

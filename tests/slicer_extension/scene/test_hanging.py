"""How a case hangs: layout by its kind, windows by one key, a slab and back."""

import numpy as np
import slicer
import slicer.util

from PneumoScreenLib.scene.hanging import BONE, LUNG, MEDIASTINUM, SLAB_MM, WINDOWS_HU, Hanging
from PneumoScreenLib.scene.volumes import load_volume


def window_of(volume):
    return volume.GetDisplayNode().GetWindow(), volume.GetDisplayNode().GetLevel()


def test_a_scan_hangs_in_four_views_and_a_radiograph_in_one(stage, write_chest):
    hanging, layout = Hanging(), stage.double.layout
    scan = load_volume(str(write_chest("LPS")), "chest")
    hanging.hang(scan)
    assert layout.layout == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
    layout.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalView)
    hanging.hang(scan)
    assert layout.layout == slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalView, "the reader's own choice stays"
    picture = slicer.util.addVolumeFromArray(np.zeros((1, 8, 9), np.uint8))
    hanging.hang(picture)
    assert layout.layout == slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView


def test_windows(stage, write_chest):
    hanging = Hanging()
    scan = load_volume(str(write_chest("LPS")), "chest")
    assert window_of(scan) == WINDOWS_HU[LUNG] == (1500.0, -500.0), "as it opens"
    for name in (MEDIASTINUM, BONE, LUNG):
        hanging.set_window(scan, name)
        assert window_of(scan) == WINDOWS_HU[name]
    picture = slicer.util.addVolumeFromArray(np.zeros((1, 8, 9), np.uint8))
    before = window_of(picture)
    hanging.set_window(picture, BONE)
    hanging.set_window(None, BONE)
    assert window_of(picture) == before


def test_a_slab_and_back_in_the_views_of_the_case_alone(stage, write_chest):
    hanging = Hanging()
    scan = load_volume(str(write_chest("LPS")), "chest")
    plane = stage.axial.pixels()
    hanging.toggle_slab(scan)
    node = stage.axial.node
    assert node.GetSlabReconstructionEnabled() and node.GetSlabReconstructionThickness() == SLAB_MM
    assert node.GetSlabReconstructionTypeAsString(node.GetSlabReconstructionType()) == "Max"
    assert (stage.axial.pixels().astype(int).mean()) >= plane.astype(int).mean(), "the brightest of a slab"
    hanging.leave(scan)
    assert not node.GetSlabReconstructionEnabled() and not hanging.is_slab
    assert np.array_equal(stage.axial.pixels(), plane)

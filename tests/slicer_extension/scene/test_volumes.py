from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
import slicer.util
import vtk
from tests.slicer_extension.chest import LESION_LPS, STORED, chest

from PneumoScreenLib.scene.volumes import (
    CASE_ATTRIBUTE,
    SceneError,
    load_volume,
    patient_axes,
    read_volume,
    save_volume,
)


@pytest.mark.parametrize("stored", STORED)
def test_a_volume_fills_the_views_where_it_lies_in_the_patient(stage, write_chest, stored):
    volume = load_volume(str(write_chest(stored)), "chest")
    bounds = [0.0] * 6
    volume.GetRASBounds(bounds)
    assert np.allclose(bounds, [-128, 128, -112, 112, -125, 125])
    assert all(view.composite.GetBackgroundVolumeID() == volume.GetID() for view in stage.slices)
    assert (volume.GetDisplayNode().GetWindow(), volume.GetDisplayNode().GetLevel()) == (1500, -500)


def grid_of(volume):
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return [matrix.GetElement(row, column) for row in range(4) for column in range(4)]


@pytest.mark.parametrize("ending", ["nrrd", "nii", "nii.gz", "mha"])
@pytest.mark.parametrize("stored", STORED)
def test_a_scan_is_read_as_slicer_itself_reads_it(stage, tmp_path, stored, ending):
    path = str(tmp_path / f"chest.{ending}")
    sitk.WriteImage(sitk.DICOMOrient(chest(), stored), path)
    ours, theirs = read_volume(path, "ours"), slicer.util.loadVolume(path, {"name": "theirs", "show": False})
    assert np.array_equal(slicer.util.arrayFromVolume(ours), slicer.util.arrayFromVolume(theirs))
    assert grid_of(ours) == grid_of(theirs)
    assert ours.GetStorageNode().GetFileName() == path and not ours.GetModifiedSinceRead()
    assert ours.GetName() == "ours" and read_volume(path, "ours").GetName() != "ours", "as Slicer names a second one"
    display = ours.GetDisplayNode()
    assert not display.GetAutoWindowLevel() and (display.GetWindow(), display.GetLevel()) == (1500, -500)


def test_a_display_node_is_as_the_user_set_it_in_the_scene(stage, write_chest):
    usual = slicer.vtkMRMLScalarVolumeDisplayNode()
    usual.SetInterpolate(False)
    stage.double.scene.AddDefaultNode(usual)
    assert not read_volume(str(write_chest("LPS")), "a").GetDisplayNode().GetInterpolate()


def test_the_same_file_is_loaded_once_and_another_case_takes_its_place(stage, write_chest):
    first = load_volume(str(write_chest("LPS")), "a")
    assert load_volume(str(write_chest("LPS")), "a") is first
    second = load_volume(str(write_chest("RAI")), "b", first)
    assert slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") == [second]


def test_a_volume_of_a_foreign_scene_stays_although_it_carries_the_mark_of_a_case(stage, write_chest):
    foreign = load_volume(str(write_chest("LPS")), "theirs")
    mine = load_volume(str(write_chest("RAI")), "mine")
    assert stage.double.scene.IsNodePresent(foreign)
    slicer.util.setSliceViewerLayers(foreground=foreign, label=foreign)
    for layers in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
        for more in range(2):
            layers.SetNthLayerVolumeID(layers.Layer_Last + more, foreign.GetID())
    load_volume(str(write_chest("RAI")), "mine", mine)
    assert stage.axial.composite.GetForegroundVolumeID() is None and stage.axial.composite.GetLabelVolumeID() is None
    assert stage.axial.composite.GetNumberOfAdditionalLayers() == 0


def test_a_volume_of_the_reader_is_left_alone(stage, write_chest):
    own = slicer.util.loadVolume(str(write_chest("LPS")))
    load_volume(str(write_chest("RAI")), "b")
    assert stage.double.scene.IsNodePresent(own) and own.GetAttribute(CASE_ATTRIBUTE) is None


def test_a_file_that_is_no_volume_is_refused_in_one_sentence_and_the_open_case_stays(stage, write_chest, tmp_path):
    before = load_volume(str(write_chest("LPS")), "a")
    rubbish = tmp_path / "rubbish.nrrd"
    rubbish.write_text("no volume")
    with pytest.raises(SceneError, match=r"cannot read .*rubbish\.nrrd: delete"):
        load_volume(str(rubbish), "b", before)
    assert stage.double.scene.IsNodePresent(before)
    assert stage.axial.composite.GetBackgroundVolumeID() == before.GetID()


@pytest.mark.parametrize("stored", STORED)
def test_axes_of_the_patient_are_found_in_every_storage(stage, write_chest, stored):
    volume = load_volume(str(write_chest(stored)), "chest")
    axes, order, signs = patient_axes(volume)
    assert np.allclose(axes, np.diag([-1.0, -1.0, 1.0]))
    ijk = np.zeros(3)
    ijk[order] = np.where(signs > 0, 1, 0)
    assert sorted(order) == [0, 1, 2]


def test_axes_of_an_oblique_volume_are_turned_with_it(stage, write_chest):
    axes, _, _ = patient_axes(load_volume(str(write_chest("LPS", oblique_degrees=15)), "chest"))
    c, s = np.cos(np.radians(15)), np.sin(np.radians(15))
    # To the left in LPS is (c, s, 0), and so (-c, -s, 0) in RAS.
    assert np.allclose(axes[:, 0], [-c, -s, 0])


@pytest.mark.parametrize("stored", ["LPS", "RAI"])
def test_a_volume_written_for_the_server_lies_where_it_lay(stage, write_chest, tmp_path: Path, stored):
    volume = load_volume(str(write_chest(stored)), "chest")
    written = sitk.ReadImage(save_volume(volume, str(tmp_path), "sent"))
    original = chest()
    canonical = sitk.DICOMOrient(written, "LPS")
    assert np.array_equal(sitk.GetArrayFromImage(canonical), sitk.GetArrayFromImage(original))
    assert canonical[canonical.TransformPhysicalPointToIndex(LESION_LPS.tolist())] == pytest.approx(-100, abs=20)


def test_a_volume_that_cannot_be_written_is_one_sentence(stage, write_chest, tmp_path: Path):
    volume = load_volume(str(write_chest("LPS")), "chest")
    (tmp_path / "file").touch()
    with pytest.raises(SceneError, match=r"cannot be written to .*sent\.nrrd: make room"):
        save_volume(volume, str(tmp_path / "file"), "sent")
    assert volume.GetStorageNode().GetFileName().endswith("chest-LPS.nrrd")

import numpy as np
import pytest
import SimpleITK as sitk
import slicer.util
from tests.slicer_extension.chest import LESION_LPS, STORED, chest

from PneumoScreenLib.contract import lps_to_ras
from PneumoScreenLib.overlays.masks import Masks
from PneumoScreenLib.scene.views import jump_to
from PneumoScreenLib.scene.volumes import SceneError, load_volume


@pytest.fixture
def mask_file(tmp_path):
    image = chest()
    hu, values = sitk.GetArrayFromImage(image), np.zeros(image.GetSize()[::-1], np.uint8)
    half = values.shape[2] // 2
    lung, lesion = np.abs(hu + 850) <= 20, np.abs(hu + 100) <= 20
    values[..., half:][lung[..., half:]] = 1
    values[..., :half][lung[..., :half]] = 2
    values[lesion] = 3
    labels = sitk.GetImageFromArray(values)
    labels.CopyInformation(image)
    path = tmp_path / "masks.nrrd"
    sitk.WriteImage(labels, str(path))
    return str(path)


def colour_at(view, point_lps):
    x, y = view.place_of(lps_to_ras(point_lps))
    pixels = view.pixels()
    return pixels[pixels.shape[0] - 1 - round(y), round(x)].astype(int)


@pytest.mark.parametrize("stored", ["LPS", "RAI"])
def test_masks_lie_over_what_they_mean_and_are_switched(stage, write_chest, mask_file, stored):
    volume = load_volume(str(write_chest(stored)), "chest")
    jump_to(LESION_LPS)
    masks = Masks(stage.double.scene, stage.background.later)
    masks.show(mask_file, volume)
    names = [masks.node.GetSegmentation().GetNthSegment(i).GetName() for i in range(3)]
    assert names == ["left lung", "right lung", "infection"]
    red, green, blue = colour_at(stage.axial, LESION_LPS)
    assert red > green + 25 and red > blue + 25
    masks.set_visible(infection=False)
    red, green, blue = colour_at(stage.axial, LESION_LPS)
    assert red == green == blue
    masks.set_visible(lungs=True)
    left, right = (colour_at(stage.axial, (x, 0, 45)) for x in (58, -58))
    assert left[2] > left[1] > left[0] and right[1] > right[0] and abs(left - right).max() > 5


def test_the_choice_outlives_the_case_and_nothing_is_left_behind(stage, write_chest, mask_file):
    load_volume(str(write_chest("LPS")), "chest")
    masks = Masks(stage.double.scene, stage.background.later)
    masks.set_visible(lungs=True, infection=False)
    for _ in range(2):
        masks.show(mask_file)
    assert stage.double.scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 1
    assert stage.double.scene.GetNumberOfNodesByClass("vtkMRMLLabelMapVolumeNode") == 0
    shown = [masks.node.GetDisplayNode().GetSegmentVisibility(masks._segments[value]) for value in (1, 2, 3)]
    assert shown == [True, True, False]
    masks.clear()
    assert stage.double.scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0


def test_a_file_that_is_no_label_map_leaves_the_masks_before(stage, write_chest, mask_file, tmp_path):
    load_volume(str(write_chest("LPS")), "chest")
    masks = Masks(stage.double.scene, stage.background.later)
    masks.show(mask_file)
    (tmp_path / "rubbish.nrrd").write_text("no")
    with pytest.raises(SceneError, match="screen the case again"):
        masks.show(str(tmp_path / "rubbish.nrrd"))
    assert masks.node.GetSegmentation().GetNumberOfSegments() == 3


def test_masks_lie_over_the_case_only(stage, write_chest, mask_file):
    masks = Masks(stage.double.scene, stage.background.later)
    masks.show(mask_file, load_volume(str(write_chest("LPS")), "chest"))
    assert list(masks.node.GetDisplayNode().GetViewNodeIDs() or ()) == [], "no id stands for all views"
    axial, space = stage.axial.node.GetID(), stage.space.node.GetID()
    masks.show_in({axial})
    assert set(masks.node.GetDisplayNode().GetViewNodeIDs()) == {axial, space}
    masks.show_in(())
    assert set(masks.node.GetDisplayNode().GetViewNodeIDs()) == {space}


def part(masks, value, volume):
    """A segment on the voxels of a volume, as any script of Slicer's asks for it."""
    return slicer.util.arrayFromSegmentBinaryLabelmap(masks.node, masks._segments[value], volume) > 0


@pytest.mark.parametrize("stored", STORED)
def test_the_segments_are_the_values_of_the_file_and_share_one_picture(stage, write_chest, mask_file, stored):
    volume = load_volume(str(write_chest(stored)), "chest")
    masks = Masks(stage.double.scene, stage.background.later)
    masks.show(mask_file, volume)
    written = slicer.util.arrayFromVolume(slicer.util.loadLabelVolume(mask_file, {"show": False}))
    turned = sitk.DICOMOrient(sitk.ReadImage(mask_file), stored)
    for value in (1, 2, 3):
        assert part(masks, value, volume).sum() == (written == value).sum()
        assert (sitk.GetArrayFromImage(turned) == value).sum() == part(masks, value, volume).sum()
    assert len({masks._image_of(segment_id) for segment_id in masks._segments.values()}) == 1
    assert masks.node.GetSegmentation().GetNumberOfLayers() == 1


@pytest.mark.parametrize("stored", STORED)
def test_the_lungs_stand_on_the_voxels_of_the_scan_as_slicer_resamples_them(stage, write_chest, mask_file, stored):
    volume = load_volume(str(write_chest(stored)), "chest")
    masks = Masks(stage.double.scene, stage.background.later)
    masks.show(mask_file, volume)
    inside, where = masks.lungs_on(volume)
    whole = np.zeros(slicer.util.arrayFromVolume(volume).shape, bool)
    whole[where] = inside
    assert np.array_equal(whole, part(masks, 1, volume) | part(masks, 2, volume) | part(masks, 3, volume))
    assert inside.size < whole.size / 2, "the part that has lungs in it"


def test_the_lungs_are_those_that_the_reader_has_edited_and_on_another_grid_those_that_lie_there(
    stage, write_chest, mask_file
):
    volume = load_volume(str(write_chest("LPS")), "chest")
    masks = Masks(stage.double.scene, stage.background.later)
    masks.show(mask_file, volume)
    corner = np.zeros(slicer.util.arrayFromVolume(volume).shape, np.uint8)
    corner[0, 0, 0] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(corner, masks.node, masks._segments[1], volume)
    inside, where = masks.lungs_on(volume)
    whole = np.zeros(corner.shape, bool)
    whole[where] = inside
    assert whole[0, 0, 0] and np.array_equal(whole[1:], (part(masks, 2, volume) | part(masks, 3, volume))[1:])
    masks.node.GetSegmentation().RemoveSegment(masks._segments[1])
    oblique = load_volume(str(write_chest("LPS", 15)), "oblique")
    inside, where = masks.lungs_on(oblique)
    assert inside.shape == corner.shape and where == (slice(None),) * 3
    assert np.array_equal(inside, part(masks, 2, oblique) | part(masks, 3, oblique))

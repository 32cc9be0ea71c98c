"""The Segmentation lies voxel for voxel on the masks, however the series is stored; read back by highdicom."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from pneumoscreen.case import ReaderMark
from pneumoscreen.ct.phantoms.phantom import Phantom
from pneumoscreen.images import read_volume
from pneumoscreen.images.volume import Volume
from pneumoscreen.pacs import segmentation
from pneumoscreen.pacs.about import About
from pneumoscreen.pacs.segmentation import region_mask, segmentations
from pneumoscreen.pacs.source import ResultError, source_of

from .conftest import DRAWING, only_input

TURN = Rotation.from_euler("xyz", (9.0, -6.0, 4.0), degrees=True).as_matrix()


def read_back(folder: Path, about: About) -> highdicom.seg.Segmentation:
    (written,), _ = segmentations(about)
    written.save_as(folder / "seg.dcm", write_like_original=False)
    return highdicom.seg.segread(folder / "seg.dcm")


def masks_of(seg: pydicom.Dataset, volume: Volume) -> dict[int, NDArray[np.bool_]]:
    """Mask [z, y, x] of each segment on the volume's grid, by the positions in the object alone."""
    shared = seg.SharedFunctionalGroupsSequence[0]
    across, down = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float).reshape(2, 3)
    rows_mm, columns_mm = map(float, shared.PixelMeasuresSequence[0].PixelSpacing)
    masks = {int(item.SegmentNumber): np.zeros(volume.hu.shape, bool) for item in seg.SegmentSequence}
    for frame, groups in zip(seg.pixel_array, seg.PerFrameFunctionalGroupsSequence, strict=True):
        position = np.array(groups.PlanePositionSequence[0].ImagePositionPatient, float)
        row, column = np.nonzero(frame)
        points = position + np.outer(column * columns_mm, across) + np.outer(row * rows_mm, down)
        index = volume.mm_to_index(points)
        assert np.abs(index - np.rint(index)).max(initial=0) < 1e-3
        masks[int(groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber)][
            tuple(np.rint(index).astype(int).T)
        ] = True
    return masks


def turned(volume: Volume) -> Volume:
    return replace(volume, direction=TURN @ volume.direction)


WAYS: dict[str, Callable[[Volume], Volume]] = {
    "axial": lambda volume: volume,
    "feet first": lambda volume: replace(volume, stored_orientation="RPI"),
    "prone": lambda volume: replace(volume, stored_orientation="RAS"),
    "coronal": lambda volume: replace(volume, stored_orientation="LIP"),
    "oblique": turned,
    "oblique, feet first": lambda volume: turned(replace(volume, stored_orientation="RPI")),
    "thick slices": lambda volume: replace(volume, spacing_mm=(*volume.spacing_mm[:2], 10.0)),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_segment_lies_on_the_voxels_of_its_mask(
    way: str, phantom: Phantom, about_of: Callable[..., About], tmp_path: Path
) -> None:
    volume = WAYS[way](phantom.volume)
    about = about_of(tmp_path / "ct", volume)
    # The screening sees what the reader makes of the files, not what was written.
    read = read_volume(tmp_path / "ct")
    assert read.stored_orientation == volume.stored_orientation
    np.testing.assert_array_equal(read.hu, np.clip(volume.hu, -1024, 3071))
    about = replace(about, masks=replace(about.masks, volume=read))
    seg = read_back(tmp_path, about)
    found = masks_of(seg, volume)
    labels = {str(item.SegmentLabel): int(item.SegmentNumber) for item in seg.SegmentSequence}
    expected = {"Left lung": phantom.lungs == 1, "Right lung": phantom.lungs == 2}
    expected["Infection, both lungs"] = phantom.infection > 0
    for region in about.case.regions:
        (label,) = (label for label in labels if label.startswith(f"{region.id}: COVID-19"))
        expected[label] = region_mask(replace(about.masks, volume=volume), region)
    assert set(labels) == set(expected) and len(expected) >= 4
    for label, mask in expected.items():
        assert mask.any()
        np.testing.assert_array_equal(found[labels[label]], mask, err_msg=label)


def test_files_in_any_order_and_numbered_from_the_head(phantom: Phantom, about: About, tmp_path: Path) -> None:
    files = sorted((tmp_path / "ct").iterdir())
    order = np.random.default_rng(4).permutation(len(files))
    for number, (file, name) in enumerate(zip(files, order, strict=True)):
        header = pydicom.dcmread(file)
        header.InstanceNumber, header.PatientPosition = len(files) - number, "FFS"
        header.save_as(tmp_path / "ct" / f"x{name:03d}.dcm")
        file.unlink()
    about = replace(about, source=source_of(only_input(tmp_path / "ct")))
    seg = read_back(tmp_path, about)
    np.testing.assert_array_equal(masks_of(seg, phantom.volume)[2], phantom.lungs == 2)


def test_a_file_of_many_frames_whatever_their_order(phantom: Phantom, about: About, tmp_path: Path) -> None:
    datasets = [pydicom.dcmread(path) for path in sorted((tmp_path / "ct").iterdir(), reverse=True)]
    for number, dataset in enumerate(datasets, start=1):
        dataset.InstanceNumber = number
    enhanced = highdicom.legacy.LegacyConvertedEnhancedCTImage(datasets, highdicom.UID(), 5, highdicom.UID(), 1)
    path = tmp_path / "enhanced" / "1.dcm"
    path.parent.mkdir()
    enhanced.save_as(path, write_like_original=False)
    source = source_of(only_input(path.parent))
    assert source.frames == tuple(reversed(range(len(datasets))))
    seg = read_back(tmp_path, replace(about, source=source))
    np.testing.assert_array_equal(masks_of(seg, phantom.volume)[1], phantom.lungs == 1)


def test_a_segment_says_what_it_is_and_by_whom(about: About, tmp_path: Path) -> None:
    first, *others = about.case.regions
    by_model = replace(first, source="model", label="influenza_a", confidence=0.83, score=0.7, reader=None)
    irrelevant = replace(others[0], reader=ReaderMark("irrelevant", "reader-a", "2026-01-01T00:00:00Z"))
    about = replace(about, case=replace(about.case, regions=(by_model, irrelevant)))
    seg = read_back(tmp_path, about)
    left, right, _, flu, other = seg.SegmentSequence
    for lung, side in ((left, "Left"), (right, "Right")):
        kind = lung.SegmentedPropertyTypeCodeSequence[0]
        assert (kind.CodeValue, kind.CodingSchemeDesignator) == ("39607008", "SCT")
        assert kind.SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning == side
    assert flu.SegmentLabel == f"{first.id}: Influenza A, 83 %"
    assert flu.SegmentedPropertyTypeCodeSequence[0].CodeValue == "442438000"
    assert flu.SegmentAlgorithmType == "AUTOMATIC"
    networks = flu.SegmentationAlgorithmIdentificationSequence[0].AlgorithmParameters
    assert "ct_candidates=3" in networks and "ct_classifier=5" in networks
    assert "0.70" in flu.SegmentDescription and "Research use only" in flu.SegmentDescription
    assert other.SegmentAlgorithmType == "SEMIAUTOMATIC"
    assert other.SegmentedPropertyTypeCodeSequence[0].CodingSchemeDesignator == "99PNEUMOSCREEN"
    assert seg.CodingSchemeIdentificationSequence[0].CodingSchemeDesignator == "99PNEUMOSCREEN"
    assert len({str(item.TrackingUID) for item in seg.SegmentSequence}) == 5
    assert all(len(item.RecommendedDisplayCIELabValue) == 3 for item in seg.SegmentSequence)


def test_it_refers_to_the_slices_that_it_lies_on(about: About, tmp_path: Path) -> None:
    seg = read_back(tmp_path, about)
    first = about.source.first
    assert (seg.StudyInstanceUID, seg.FrameOfReferenceUID) == (first.StudyInstanceUID, first.FrameOfReferenceUID)
    (series,) = seg.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == first.SeriesInstanceUID
    known = {image.SOPInstanceUID for image in about.source.images}
    assert {item.ReferencedSOPInstanceUID for item in series.ReferencedInstanceSequence} <= known
    for groups in seg.PerFrameFunctionalGroupsSequence:
        image = groups.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        (source,) = (one for one in about.source.images if one.SOPInstanceUID == image)
        assert groups.PlanePositionSequence[0].ImagePositionPatient == source.ImagePositionPatient


def test_what_is_too_large_for_one_object_goes_into_several(
    about: About, phantom: Phantom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segmentation, "MOST_VOXELS", 0)
    objects, places = segmentations(about)
    assert len(objects) == 2 and len({seg.SeriesInstanceUID for seg in objects}) == 1
    assert len({seg.SOPInstanceUID for seg in objects}) == 2 and [seg.InstanceNumber for seg in objects] == [1, 2]
    for region in about.case.regions:
        place = places[region.id]
        np.testing.assert_array_equal(
            masks_of(place.seg, phantom.volume)[place.number], region_mask(about.masks, region)
        )


def test_masks_of_another_series_are_refused(about: About, tmp_path: Path) -> None:
    source = replace(about.source, images=about.source.images[1:])
    with pytest.raises(ResultError, match="do not lie on its 19 images; give the series that was screened"):
        segmentations(replace(about, source=source))


def test_a_series_without_a_frame_of_reference_is_refused(about: About, tmp_path: Path) -> None:
    for path in (tmp_path / "ct").iterdir():
        header = pydicom.dcmread(path)
        del header.FrameOfReferenceUID
        header.save_as(path)
    with pytest.raises(ResultError, match=r"without FrameOfReferenceUID.*; export the series again"):
        source_of(only_input(tmp_path / "ct"))


def test_an_xray_has_none(about: About) -> None:
    assert segmentations(About(about.case, about.source, DRAWING)) == ([], {})

"""Real scans of several scanners and formats."""

import time

import numpy as np
import pytest

from pneumoscreen.images import Input, find_inputs, read_input, read_radiograph, read_volume
from pneumoscreen.images.faults import NotCTError, NotRadiographError


def test_whole_chest_dicom_series(shared_data):
    (given,) = find_inputs([shared_data / "ct" / "lungdx_A0001_dicom"])
    assert isinstance(given, Input)
    assert given.case_id == "lungdx_A0001_dicom"
    started = time.perf_counter()
    volume = read_input(given)
    assert time.perf_counter() - started < 10
    assert volume.hu.shape == (64, 512, 512)
    assert volume.spacing_mm == pytest.approx((0.841796875, 0.841796875, 5.0))
    assert (volume.notes, volume.approximate_hu) == ((), False)
    # The heart's muscle and blood, and the air in front of the chest.
    assert 0 < np.median(volume.hu[28:36, 230:270, 250:290]) < 100
    assert volume.hu[32, 5, 256] < -900


def test_dicom_and_nrrd_of_one_scan_agree(shared_data):
    folder = shared_data / "ct" / "cip_ct64"
    dicom, nrrd = read_volume(folder / "ct-64Dicom"), read_volume(folder / "ct-64.nrrd")
    np.testing.assert_array_equal(dicom.hu, nrrd.hu)
    assert dicom.spacing_mm == pytest.approx(nrrd.spacing_mm, abs=1e-3)


def test_covid_scans_are_read_with_approximate_hu(shared_data):
    found = find_inputs([shared_data / "ct" / "radiopaedia_covid19"])
    assert len(found) == 8
    for given in found:
        assert isinstance(given, Input)
        volume = read_input(given)
        assert given.case_id.startswith("rid")
        assert volume.approximate_hu
        assert "approximate" in volume.notes[-1]
        assert volume.hu.shape[1:] == (315, 315)


@pytest.mark.parametrize("name", ["lm-64.nrrd", "wholeLung-64.nrrd"])
def test_label_maps_are_no_ct(shared_data, name):
    with pytest.raises(NotCTError, match="label map"):
        read_volume(shared_data / "ct" / "cip_ct64" / name)


def test_partial_scans_are_read(shared_data):
    assert read_volume(shared_data / "ct" / "elastix_right_lung" / "3DCT_lung.mha").hu.shape == (129, 157, 115)
    abdomen = read_volume(shared_data / "ct" / "no_lung_abdomen" / "example_ct.nii.gz")
    assert abdomen.stored_orientation == "RAS"
    assert "RAS" in abdomen.notes[0]
    # The table lies behind the patient: at growing y.
    assert abdomen.hu.shape == (112, 101, 122)


def radiographs(shared_data, name):
    folder = shared_data / "cxr" / name
    if not folder.is_dir():
        pytest.skip(f"no radiographs at {folder}")
    return find_inputs([folder])


def test_radiographs_are_no_ct(shared_data):
    for given in radiographs(shared_data, "rsna_dicom"):
        with pytest.raises(NotCTError, match="X-ray"):
            read_volume(given.path)


def test_dicom_radiographs_are_read(shared_data):
    found = radiographs(shared_data, "rsna_dicom")
    assert [given.modality for given in found] == ["CXR"] * 6
    for given in found:
        read = read_radiograph(given)
        assert read.pixels.shape == (1024, 1024)
        assert min(read.spacing_mm) > 0.1 and max(read.spacing_mm) < 0.2
        assert (read.case_id, bool(read.series_uid)) == (given.path.stem, True)
        assert read.notes == () or "border" in read.notes[0]
        assert content_part(read) > 0.8


@pytest.mark.parametrize("name", ["cohen", "darkcovidnet"])
def test_no_radiograph_in_a_picture_is_refused(shared_data, name):
    found = radiographs(shared_data, name)
    assert len(found) > 100
    for given in found[::20]:
        read = read_radiograph(given)
        assert (read.pixels.min(), read.pixels.max()) == (0, 1)
        assert "1 mm" in read.notes[0]
        assert content_part(read) > 0.5


def test_masks_are_no_radiographs(shared_data):
    for given in radiographs(shared_data, "masks")[::10]:
        with pytest.raises(NotRadiographError, match="mask"):
            read_radiograph(given)


def content_part(read):
    """Share of the picture that lies inside its borders."""
    return read.content[2] * read.content[3] / read.pixels.size

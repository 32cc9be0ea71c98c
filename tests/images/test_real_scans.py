"""Real scans of several scanners and formats."""

import time

import numpy as np
import pytest

from pneumoscreen.images import Input, find_inputs, read_input, read_volume
from pneumoscreen.images.faults import NotCTError


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


def test_radiographs_are_refused(shared_data):
    folder = shared_data / "cxr" / "rsna_dicom"
    path = next(path for path in sorted(folder.iterdir()) if path.is_file() and path.suffix == ".dcm")
    with pytest.raises(NotCTError, match="X-ray"):
        read_volume(path)

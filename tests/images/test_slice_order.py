"""Two scans whose slices take turns in one volume, by their headers and by their pixels."""

import numpy as np
import pytest

from pneumoscreen.images import read_volume
from pneumoscreen.images.faults import MixedSeriesError
from pneumoscreen.images.slice_order import _block_means, check_slice_order


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("AcquisitionNumber", [1, 2]),
        ("AcquisitionTime", ["101500", "101900"]),
        ("ConvolutionKernel", ["B30f", "B70f"]),
        ("ContrastBolusAgent", ["", "agent"]),
        ("KVP", [80, 140]),
    ],
)
def test_acquisitions_that_take_turns_are_refused(tmp_path, chest, files, field, values):
    folder = files.series(tmp_path / "ct", chest, lambda ds, z: setattr(ds, field, values[z % 2]))
    with pytest.raises(MixedSeriesError, match="2 acquisitions in turn in one series; export each") as caught:
        read_volume(folder)
    assert "agent" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda ds, z: setattr(ds, "AcquisitionNumber", 1 + z // 6),
        lambda ds, z: setattr(ds, "AcquisitionNumber", 12 - z),
        lambda ds, z: setattr(ds, "AcquisitionTime", f"1015{z:02d}.25"),
        lambda ds, z: setattr(ds, "KVP", [120, 140][z == 4]),
    ],
    ids=["one after the other", "one for each slice", "times", "one odd slice"],
)
def test_acquisitions_one_after_the_other_are_one_scan(tmp_path, chest, files, change):
    np.testing.assert_array_equal(read_volume(files.series(tmp_path / "ct", chest, change)).hu, chest)


def test_two_patients_shuffled_show_without_a_header(tmp_path, chest, files):
    mixed = chest.copy()
    mixed[1::2] = chest[1::2, ::-1, ::-1]
    for folder in (files.image(tmp_path / "ct.nii.gz", mixed), files.series(tmp_path / "ct", mixed)):
        with pytest.raises(MixedSeriesError, match="take turns"):
            read_volume(folder)


@pytest.mark.parametrize("noise_hu", [0.0, 50.0, 400.0])
def test_noise_does_not_shuffle_a_scan(noise_hu):
    z, y, x = np.mgrid[:30, :64, :64]
    body = 1000.0 * (np.hypot(x - 32, y - 32) < 20 + 6 * np.sin(z / 9)) - 1000
    noisy = body + np.random.default_rng(0).normal(0, noise_hu, body.shape)
    check_slice_order(np.rint(noisy).astype(np.int16), "scan")


def test_slices_are_compared_by_the_means_of_blocks_and_metal_counts_as_bone():
    plane = np.random.default_rng(5).integers(-2000, 3000, (11, 18)).astype(np.int16)
    means = np.clip(plane[:8, :16], -1024, 500).reshape(2, 4, 4, 4).mean(axis=(1, 3))
    assert np.array_equal(_block_means(plane), means.astype(np.float32))

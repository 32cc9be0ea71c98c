"""Slices that a series holds twice."""

import shutil

import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid

from pneumoscreen.images import read_volume
from pneumoscreen.images.faults import DoubledSlicesError


def slice_at(folder, z, origin_z=-100.0):
    """The file of the slice at a height."""
    return next(p for p in folder.iterdir() if float(pydicom.dcmread(p).ImagePositionPatient[2]) == origin_z + 5.0 * z)


def test_copies_of_files_are_left_out_and_counted(tmp_path, chest, files):
    folder = files.series(tmp_path / "ct", chest)
    plain = read_volume(folder)
    for z in (2, 7):
        path = slice_at(folder, z)
        shutil.copy(path, path.with_name(f"copy of {path.name}"))
    shutil.copy(path, path.with_name(f"another of {path.name}"))
    volume = read_volume(folder)
    np.testing.assert_array_equal(volume.hu, chest)
    assert volume.notes == (
        "3 copies of slices were left out: the series holds the same picture at the same place more than once.",
    )
    assert (volume.spacing_mm, volume.origin_mm) == (plain.spacing_mm, plain.origin_mm)


def test_a_slice_that_was_exported_again_is_a_copy(tmp_path, chest, files):
    folder = files.series(tmp_path / "ct", chest)
    ds = pydicom.dcmread(slice_at(folder, 4))
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.InstanceNumber, ds.StudyDescription = 99, "sent again"
    ds.save_as(folder / "again.dcm")
    volume = read_volume(folder)
    np.testing.assert_array_equal(volume.hu, chest)
    assert volume.notes[0].startswith("1 copy of a slice was left out")


@pytest.mark.parametrize("what", ["pixels", "rescaling", "instance"])
def test_another_picture_at_the_same_place_is_no_copy(tmp_path, chest, files, what):
    folder = files.series(tmp_path / "ct", chest)
    ds = pydicom.dcmread(slice_at(folder, 4))
    if what == "rescaling":
        ds.RescaleIntercept = -1000
    else:
        # Under the number of the first one or under its own.
        ds.SOPInstanceUID = ds.SOPInstanceUID if what == "instance" else generate_uid()
        ds.PixelData = ds.PixelData[:-2] + b"\1\0"
    ds.save_as(folder / "other.dcm")
    with pytest.raises(DoubledSlicesError, match="1 slices at the position"):
        read_volume(folder)
